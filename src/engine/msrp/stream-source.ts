import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { MessageSource } from '../../protocol/msrp/index.ts';

/** Octets gathered into one block before they are offered; a chunk of a long message. */
const blockOctets = 64 * 1024;
/** Blocks fetched ahead; one more is needed to know which block is the last. */
const blocksAhead = 3;

export interface StreamSourceEvents {
  /** There is something to take again. */
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
}

/** Reads an async iterable a few blocks ahead of the connection, never more, and offers it as a message's content. */
export class StreamSource implements MessageSource {
  readonly total: number | undefined;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #events: StreamSourceEvents;
  readonly #blocks: Uint8Array[] = [];
  #fetched = 0;
  #hasEnded = false;
  #isFetching = false;
  #isStopped = false;

  /** @param total octets of the whole when known; a stream of another length is an error. */
  constructor(stream: AsyncIterable<Uint8Array>, total: number | undefined, events: StreamSourceEvents) {
    this.total = total;
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#events = events;
    this.#fetch();
  }

  take(max: number): { readonly bytes: Uint8Array; readonly last: boolean } | 'wait' {
    const [block] = this.#blocks;
    if (block === undefined) return this.#hasEnded ? { bytes: new Uint8Array(0), last: true } : 'wait';
    const isOnlyBlock = this.#blocks.length === 1;
    if (isOnlyBlock && !this.#hasEnded && block.length <= max) {
      this.#fetch();
      return 'wait';
    }
    const bytes = block.subarray(0, max);
    if (bytes.length === block.length) this.#blocks.shift();
    else this.#blocks[0] = block.subarray(max);
    this.#fetch();
    return { bytes, last: this.#hasEnded && this.#blocks.length === 0 };
  }

  /** Nothing more will be taken. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#blocks.length = 0;
    if (!this.#hasEnded) void this.#iterator.return?.().catch(() => undefined);
  }

  #fetch(): void {
    if (this.#isFetching || this.#hasEnded || this.#isStopped || this.#blocks.length >= blocksAhead) return;
    this.#isFetching = true;
    this.#gather().then(
      () => {
        this.#isFetching = false;
        if (this.#isStopped) return;
        this.#events.onReady();
        this.#fetch();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  async #gather(): Promise<void> {
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < blockOctets && !this.#hasEnded) {
      const next = await this.#iterator.next();
      if (next.done === true) this.#hasEnded = true;
      else if (next.value.length > 0) {
        parts.push(next.value);
        length += next.value.length;
      }
    }
    this.#fetched += length;
    this.#checkLength();
    const [first] = parts;
    if (first !== undefined) this.#blocks.push(parts.length === 1 ? first : concatBytes(...parts));
  }

  #checkLength(): void {
    if (this.total === undefined) return;
    if (this.#fetched <= this.total && (!this.#hasEnded || this.#fetched === this.total)) return;
    throw new ProtocolError('local', `stream of ${this.#fetched} octets`, {
      field: 'msrp.stream',
      expected: `${this.total} octets`,
    });
  }

  #fail(error: unknown): void {
    const wasStopped = this.#isStopped;
    this.stop();
    if (!wasStopped) this.#events.onError(error);
  }
}
