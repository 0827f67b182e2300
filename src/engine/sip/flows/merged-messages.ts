import { toHex } from '../../../base/bytes.ts';
import type { Clock } from '../../../base/clock.ts';
import { sha256 } from '../../../crypto/digest.ts';
import { limits } from '../../limits.ts';
import type { IncomingMessage, MessageAnswer } from '../types.ts';

interface Known {
  readonly at: number;
  answer: { readonly status: number; readonly options: MessageAnswer | undefined } | undefined;
  /** Copies that wait for the answer. */
  readonly copies: IncomingMessage[];
}

/** A network that had no answer over one flow tries the other after its transaction, 64 times T1, and that may have another one. */
const rememberedMilliseconds = 2 * 64 * limits.sipT1Milliseconds;

/**
 * One MESSAGE that comes over several flows, or twice over one, is one: the first is told, and every copy gets its answer
 * (RFC 3261 clause 8.2.2.2 would refuse the copy, and the sender of a message that arrived would hear that it did not).
 */
export class MergedMessages {
  readonly #clock: Clock;
  readonly #deliver: (message: IncomingMessage) => void;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock, deliver: (message: IncomingMessage) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  receive(message: IncomingMessage): void {
    // Some senders use one Call-ID and CSeq for all that they say: another content is another message.
    const key = `${mergeKey(message)}\n${toHex(sha256(message.body))}`;
    this.#forgetOld();
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#deliver(this.#remember(key, message));
    } else if (known.answer !== undefined) {
      message.respond(known.answer.status, known.answer.options);
    } else {
      known.copies.push(message);
    }
  }

  #remember(key: string, message: IncomingMessage): IncomingMessage {
    const known: Known = { at: this.#clock.now(), answer: undefined, copies: [] };
    this.#known.set(key, known);
    const respond = (status: number, options?: MessageAnswer): void => {
      message.respond(status, options);
      if (known.answer !== undefined) return;
      known.answer = { status, options };
      for (const copy of known.copies.splice(0)) copy.respond(status, options);
      // It was not taken: the copy that comes later may be.
      if (status === 503) this.#known.delete(key);
    };
    return { ...message, header: (name) => message.header(name), respond };
  }

  #forgetOld(): void {
    const oldest = this.#clock.now() - rememberedMilliseconds;
    for (const [key, { at }] of this.#known) {
      if (at > oldest && this.#known.size < limits.sipMergedRequests) return;
      this.#known.delete(key);
    }
  }
}

/** RFC 3261 clause 8.2.2.2: the same tag of From, Call-ID and CSeq. */
export function mergeKey(request: { header(name: string): string | undefined }): string {
  const tag = /;\s*tag\s*=\s*([^\s;]+)/i.exec(request.header('From')?.replace(/<[^>]*>/g, '') ?? '')?.[1] ?? '';
  return [request.header('Call-ID') ?? '', request.header('CSeq') ?? '', tag].join('\n');
}
