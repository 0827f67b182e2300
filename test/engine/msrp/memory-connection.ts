import type { MsrpConnection } from '../../../src/engine/ports.ts';

/** Two ends of a connection in memory; octets move only in `carry`, so that a test sees who waits for whom. */
export class MemoryConnection implements MsrpConnection {
  readonly security: MsrpConnection['security'];
  readonly tls = undefined;
  readonly local = { host: '192.0.2.1', port: 1 };
  readonly remote = { host: '192.0.2.2', port: 2 };
  peer: MemoryConnection | undefined;
  isPaused = false;
  /** Octets that may wait before `write` asks to stop. */
  room = 256 * 1024;
  readonly queue: Uint8Array[] = [];
  /** Everything ever written. */
  readonly written: Uint8Array[] = [];
  #data: (bytes: Uint8Array) => void = () => undefined;
  #drain: () => void = () => undefined;
  #close: (error?: Error) => void = () => undefined;
  #isClosed = false;
  #isFull = false;

  constructor(security: MsrpConnection['security']) {
    this.security = security;
  }

  get queued(): number {
    return this.queue.reduce((octets, bytes) => octets + bytes.length, 0);
  }

  write(bytes: Uint8Array): boolean {
    this.queue.push(bytes);
    this.written.push(bytes);
    this.#isFull = this.queued >= this.room;
    return !this.#isFull;
  }

  onDrain(listener: () => void): void {
    this.#drain = listener;
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#data = listener;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  onClose(listener: (error?: Error) => void): void {
    this.#close = listener;
  }

  close(): void {
    this.lose();
  }

  /** The connection ends for both. */
  lose(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    while (this.carryOne());
    this.#close(error);
    this.peer?.lose(error);
  }

  /** Moves one write to the peer; false when there is none or the peer does not read. */
  carryOne(): boolean {
    if (this.peer === undefined || this.peer.isPaused) return false;
    const bytes = this.queue.shift();
    if (bytes === undefined) return false;
    this.peer.#data(bytes);
    if (this.#isFull && this.queue.length === 0) {
      this.#isFull = false;
      this.#drain();
    }
    return true;
  }
}

export function connectionPair(security: MsrpConnection['security'] = 'psk'): [MemoryConnection, MemoryConnection] {
  const pair: [MemoryConnection, MemoryConnection] = [new MemoryConnection(security), new MemoryConnection(security)];
  [pair[0].peer, pair[1].peer] = [pair[1], pair[0]];
  return pair;
}

/** Lets pending promises run and moves octets until nothing moves any more. */
export async function carry(...connections: readonly MemoryConnection[]): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    const moved = connections.map((connection) => connection.carryOne()).includes(true);
    await new Promise((resolve) => setImmediate(resolve));
    quiet = moved ? 0 : quiet + 1;
  }
}
