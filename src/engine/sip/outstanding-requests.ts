import type { Clock } from '../../base/clock.ts';
import { parseCSeq, parseVia } from '../../protocol/sip/headers.ts';
import { serialiseSipMessage, SipMessage } from '../../protocol/sip/message.ts';
import { fromUtf8 } from '../../base/bytes.ts';
import type { SipReply } from './types.ts';

/** Marks an answer that no server gave. */
export const localAnswerHeader = 'Tessera-Local-Answer';

/** RFC 3261 clause 17.1.2.2: 64 times T1, after which SIP.js answers 408 itself. */
const transactionMilliseconds = 32_000;

/**
 * Requests sent without a final answer yet. When the connection breaks, nobody will answer them, and SIP.js would wait
 * out its timers: then each gets a 503 at once (RFC 3261 clause 8.1.3.1).
 */
export class OutstandingRequests {
  readonly #clock: Clock;
  readonly #requests = new Map<string, { readonly message: SipMessage; readonly sentAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param message as SIP.js wrote it. */
  sent(message: SipMessage): void {
    if (message.method === undefined || message.method === 'ACK') return;
    this.#forgetOld();
    this.#requests.set(keyOf(message), { message, sentAt: this.#clock.now() });
  }

  /** False for requests, and for a response to a request that was answered or never sent. */
  awaits(message: SipMessage): boolean {
    return message.status !== undefined && this.#requests.has(keyOf(message));
  }

  /** @param response as SIP.js will read it. */
  received(response: SipMessage): void {
    if ((response.status ?? 0) >= 200) this.#requests.delete(keyOf(response));
  }

  /**
   * 503 answers for what is open, as SIP.js reads them; it is not open afterwards.
   * @param branches as on the wire, of those that are concerned; all when absent.
   */
  connectionLost(branches?: ReadonlySet<string>): string[] {
    const lost = [...this.#requests].filter(([key]) => branches === undefined || isAmong(key, branches));
    return lost.map(([key, { message }]) => {
      this.#requests.delete(key);
      return localAnswer(message, 503, 'Connection Lost', 'connection-lost');
    });
  }

  /** The answer to a request of which nothing left, as SIP.js reads it. */
  notSent(request: SipMessage, status: number): string[] {
    return this.#requests.delete(keyOf(request)) ? [localAnswer(request, status, 'Not Sent', 'not-sent')] : [];
  }

  #forgetOld(): void {
    const oldest = this.#clock.now() - transactionMilliseconds;
    for (const [key, { message, sentAt }] of this.#requests) {
      if (sentAt < oldest && message.method !== 'INVITE') this.#requests.delete(key);
    }
  }
}

function keyOf({ headers }: SipMessage): string {
  const branch = parseVia(headers.get('Via') ?? '').parameters.get('branch') ?? '';
  return `${branch} ${parseCSeq(headers.get('CSeq') ?? '').method}`;
}

/** On the wire a branch is longer (`WireTranslation`). */
function isAmong(key: string, branches: ReadonlySet<string>): boolean {
  const [branch = ''] = key.split(' ');
  return [...branches].some((wire) => wire.startsWith(`${branch}.`));
}

function localAnswer(
  { headers }: SipMessage,
  status: number,
  reason: string,
  why: NonNullable<SipReply['local']>,
): string {
  const answer = SipMessage.response(status, reason);
  for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq']) answer.headers.add(name, headers.get(name) ?? '');
  answer.headers.add(localAnswerHeader, why);
  return fromUtf8(serialiseSipMessage(answer));
}
