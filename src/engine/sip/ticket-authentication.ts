import { Core } from 'sip.js';

/** Answers one challenge to a request with the value of the header that SIP.js sets; undefined when it is not to be answered. */
export type AnswerTicket = (ticket: string) => string | undefined;

/**
 * What SIP.js asks when a request of it was challenged, one for each request. It answers a first challenge and one stale one;
 * here every ticket is stale until it was looked at, so that how often is answered is decided in one place, by `answer`.
 */
export class TicketAuthentication extends Core.DigestAuthentication {
  readonly #answer: AnswerTicket;
  #header = '';

  constructor(loggerFactory: Core.LoggerFactory, answer: AnswerTicket) {
    super(loggerFactory, undefined, undefined, undefined);
    this.#answer = answer;
  }

  override authenticate(
    _request: Core.OutgoingRequestMessage,
    challenge: { readonly nonce?: unknown; stale?: boolean },
  ): boolean {
    delete challenge.stale;
    const header = typeof challenge.nonce === 'string' ? this.#answer(challenge.nonce) : undefined;
    if (header === undefined) return false;
    this.#header = header;
    return true;
  }

  override toString(): string {
    return this.#header;
  }
}
