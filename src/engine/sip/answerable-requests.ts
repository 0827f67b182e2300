import { headerList, parseCSeq } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { branchOf } from './links/branch-memory.ts';

/** Each request other than INVITE is answered within half a minute, and of these only few wait at a time. */
const mostRequests = 10_000;

/**
 * The requests that came over one connection and may still be answered there. An answer is for whoever asked: another connection may lead
 * to another server, which would learn of it.
 */
export class AnswerableRequests {
  readonly #requests = new Set<string>();

  /** @param request as SIP.js reads it */
  received(request: SipMessage): void {
    if (request.method === undefined || request.method === 'ACK') return;
    this.#requests.add(keyOf(request));
    const [oldest] = this.#requests;
    if (this.#requests.size > mostRequests && oldest !== undefined) this.#requests.delete(oldest);
  }

  /**
   * Whether its request came over this connection. The final answer to an INVITE may be repeated, and every other one is when the
   * request comes again.
   * @param response as SIP.js wrote it
   */
  takes(response: SipMessage): boolean {
    const key = keyOf(response);
    const isThere = this.#requests.has(key);
    if ((response.status ?? 0) >= 200 && !key.startsWith('INVITE ')) this.#requests.delete(key);
    return isThere;
  }
}

function keyOf(message: SipMessage): string {
  return `${parseCSeq(headerList(message, 'CSeq')[0] ?? '').method} ${branchOf(message)}`;
}
