import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';

/** Octets waiting for the network above which a writer is asked to stop: about one long chunk. */
const roomOctets = 64 * 1024;
/** Room for that chunk, the lines around it and some answers. */
const bufferOctets = roomOctets + 16 * 1024;
const maxIdleBuffers = 4;
/** A stream of chunks is answered in bundles; the answer to a single message never waits. */
const restMilliseconds = 1;

/**
 * Joins the pieces of a frame, and short frames that come together, to single writes: each write costs a system call
 * and, under TLS, a record. Works in buffers that are used again, as allocating 64 KiB for each chunk costs more than
 * copying them. What was given may be changed by its owner at once.
 */
export class GatheredWriter {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #idle: Buffer[] = [];
  #buffer: Buffer | undefined;
  #length = 0;
  #isFlushDue = false;
  #lastLittle = 0;
  #owesDrain = false;
  #onDrain: () => void = () => undefined;

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on('drain', () => this.#drained());
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  /** False asks to wait for `onDrain`; the octets are taken in any case. */
  write(bytes: Uint8Array): boolean {
    for (let position = 0; position < bytes.length;) {
      if (this.#length === bufferOctets) this.flush();
      this.#buffer ??= this.#idle.pop() ?? Buffer.allocUnsafeSlow(bufferOctets);
      const part = bytes.subarray(position, position + bufferOctets - this.#length);
      this.#buffer.set(part, this.#length);
      this.#length += part.length;
      position += part.length;
    }
    const hasRoom = this.#length + this.#socket.writableLength < roomOctets;
    if (hasRoom) this.#flushLater();
    else this.#flushSoon();
    return hasRoom;
  }

  /** Hands everything to the socket now. */
  flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const octets = buffer.subarray(0, this.#length);
    this.#buffer = undefined;
    this.#length = 0;
    // The other side may have ended in the meantime; a write after that would only be an error nobody needs.
    if (!this.#socket.writable) return;
    const isTaken = this.#socket.write(octets, () => {
      if (this.#idle.length < maxIdleBuffers) this.#idle.push(buffer);
    });
    if (isTaken) this.#drained();
  }

  /** Little leaves at the end of this turn of the event loop, but no more often than once in `restMilliseconds`. */
  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    const flush = (): void => {
      this.#isFlushDue = false;
      this.#lastLittle = this.#clock.now();
      this.flush();
    };
    if (this.#clock.now() - this.#lastLittle > restMilliseconds) setImmediate(flush);
    else this.#clock.after(restMilliseconds, flush);
  }

  /** Much waits only for the rest of its frame. */
  #flushSoon(): void {
    if (this.#owesDrain) return;
    this.#owesDrain = true;
    process.nextTick(() => this.flush());
  }

  #drained(): void {
    if (!this.#owesDrain || this.#length + this.#socket.writableLength >= roomOctets) return;
    this.#owesDrain = false;
    this.#onDrain();
  }
}
