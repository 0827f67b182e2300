import { UserAgent } from 'sip.js';
import type { SipHeaders } from '../../../protocol/sip/message.ts';
import type { SipJs } from '../create-sipjs.ts';
import type { Gruus } from '../types.ts';
import { readRegisteredContact } from './registered-contact.ts';

/** What the registrar granted to a flow, beside how long it lasts. */
export class FlowGrant {
  readonly #sipJs: SipJs;
  readonly #contactUser: string;
  #isOutbound = false;
  #gruu: Gruus | undefined;

  /** @param contactUser user part of our Contact, random. */
  constructor(sipJs: SipJs, contactUser: string) {
    this.#sipJs = sipJs;
    this.#contactUser = contactUser;
  }

  /** The network keeps the flow. */
  get isOutbound(): boolean {
    return this.#isOutbound;
  }

  get gruu(): Gruus | undefined {
    return this.#gruu;
  }

  /** @param headers of the 200. @param asksForOutbound the REGISTER did. */
  learn(headers: SipHeaders, asksForOutbound: boolean): void {
    const { isOutbound, flowTimer, gruu } = readRegisteredContact(headers, this.#contactUser);
    const { transport, userAgent } = this.#sipJs;
    this.#isOutbound = isOutbound && asksForOutbound;
    this.#gruu = gruu;
    // Of dialogs (RFC 5627 clause 3.3); a MESSAGE carries none (RFC 3428 clause 4).
    userAgent.contact.pubGruu = gruu?.public === undefined ? undefined : UserAgent.makeURI(gruu.public);
    if (!this.#isOutbound) return;
    if (flowTimer !== undefined) transport.link?.useFlowTimer(flowTimer);
    transport.link?.check();
  }
}
