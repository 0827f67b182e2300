import type { Core, Invitation, Message, SessionDelegate } from 'sip.js';
import { splitHeaderList } from '../../../protocol/sip/headers.ts';
import type { IncomingInvites } from '../incoming-invites.ts';
import type { IncomingMessages } from '../incoming-messages.ts';
import type { FlowFacts } from '../types.ts';

/** Option tags that a request to us may require (RFC 3261 clause 8.2.2.3); the first two are the network's to remove. */
const understood: readonly string[] = ['sec-agree', 'mediasec', 'path', 'outbound', 'gruu'];

export interface IncomingRequestsOptions {
  readonly messages: IncomingMessages;
  readonly invites: IncomingInvites;
  readonly isRegistered: () => boolean;
  readonly facts: () => FlowFacts | undefined;
}

/** What SIP.js hands over of one flow, without what requires more than we know. */
export class IncomingRequests {
  readonly #options: IncomingRequestsOptions;

  constructor(options: IncomingRequestsOptions) {
    this.#options = options;
  }

  message(message: Message): void {
    const { messages, isRegistered, facts } = this.#options;
    const unsupported = unsupportedBy(message.request);
    if (unsupported.length === 0) messages.receive(message, isRegistered(), facts());
    else void message.reject(badExtension(unsupported));
  }

  invite(invitation: Invitation): void {
    const { invites, isRegistered } = this.#options;
    const unsupported = unsupportedBy(invitation.request);
    if (unsupported.length === 0) invites.receive(invitation, isRegistered());
    else void invitation.reject(badExtension(unsupported));
  }

  /** Inside a dialog SIP.js would follow a REFER by itself, wherever it leads. */
  createSessionDelegate(): SessionDelegate {
    return {
      onMessage: (message) => this.message(message),
      onRefer: (referral) => void referral.reject({ statusCode: 603 }),
    };
  }

  /** Nobody will answer any more. */
  stop(): void {
    this.#options.messages.stop();
    this.#options.invites.stop();
  }
}

function unsupportedBy(request: Core.IncomingRequestMessage): string[] {
  const required = request.getHeaders('require').flatMap(splitHeaderList);
  return required.filter((tag) => !understood.includes(tag.toLowerCase()));
}

function badExtension(unsupported: readonly string[]): { statusCode: number; extraHeaders: string[] } {
  return { statusCode: 420, extraHeaders: [`Unsupported: ${unsupported.join(', ')}`] };
}
