import type { Clock } from '../../../base/clock.ts';
import { toUri, type SipJs } from '../create-sipjs.ts';
import { awaitReply } from '../sip-reply.ts';
import type { SipReply } from '../types.ts';

export interface RegisterRequestsOptions {
  readonly clock: Clock;
  readonly sipJs: SipJs;
  /** Home network domain. */
  readonly domain: string;
  readonly regId: number;
  readonly callId: string;
  /** UUID of this device. */
  readonly instanceId: () => Promise<string>;
}

/** The REGISTER requests of one flow: one Call-ID, a rising CSeq (RFC 3261 clause 10.2), one reg-id (RFC 5626 clause 4.2). */
export class RegisterRequests {
  readonly #options: RegisterRequestsOptions;
  readonly #registrar: ReturnType<typeof toUri>;
  #sequence = 0;
  #asksForOutbound = true;

  constructor(options: RegisterRequestsOptions) {
    this.#options = options;
    this.#registrar = toUri(`sip:${options.domain}`, 'sip.domain');
  }

  get asksForOutbound(): boolean {
    return this.#asksForOutbound;
  }

  /** After 439: asks for no flow any more (RFC 5626 clause 4.2.1). False when it did not. */
  dropOutbound(): boolean {
    const didAsk = this.#asksForOutbound;
    this.#asksForOutbound = false;
    return didAsk;
  }

  async send(expires: number): Promise<SipReply> {
    const { clock, sipJs, regId, callId } = this.#options;
    const instanceId = await this.#options.instanceId();
    const { core, userAgent } = sipJs;
    const contact = userAgent.contact.toString({ register: true });
    const flow = this.#asksForOutbound ? `;reg-id=${regId}` : '';
    const lines = [
      `Contact: ${contact};+sip.instance="<urn:uuid:${instanceId}>"${flow};expires=${expires}`,
      `Expires: ${expires}`,
    ];
    const options = { callId, cseq: ++this.#sequence, routeSet: [] };
    const aor = core.configuration.aor;
    const request = core.makeOutgoingRequestMessage('REGISTER', this.#registrar, aor, aor, options, lines);
    const reply = await awaitReply(clock, (delegate) => core.register(request, delegate));
    // SIP.js counts on when it answers a challenge.
    this.#sequence = Math.max(this.#sequence, request.cseq);
    return reply;
  }
}
