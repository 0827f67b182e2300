import type { Invitation, Message, SessionDelegate } from 'sip.js';
import type { IncomingInvites } from '../incoming-invites.ts';
import type { IncomingMessages } from '../incoming-messages.ts';
import type { FlowFacts } from '../types.ts';

export interface IncomingRequestsOptions {
  readonly messages: IncomingMessages;
  readonly invites: IncomingInvites;
  readonly isRegistered: () => boolean;
  readonly facts: () => FlowFacts | undefined;
}

/** What SIP.js hands over of one flow; what requires more than we know has been refused before. */
export class IncomingRequests {
  readonly #options: IncomingRequestsOptions;

  constructor(options: IncomingRequestsOptions) {
    this.#options = options;
  }

  message(message: Message): void {
    const { messages, isRegistered, facts } = this.#options;
    messages.receive(message, isRegistered(), facts());
  }

  invite(invitation: Invitation): void {
    const { invites, isRegistered } = this.#options;
    invites.receive(invitation, isRegistered());
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
