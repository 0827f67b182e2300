import type { Socket } from 'node:net';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { GatheredWriter } from './gathered-writer.ts';
import type { MsrpConnection, MsrpSecurity, SocketAddress, TlsFacts } from '../../engine/ports.ts';

/** How long a closed connection may take to flush before it is cut. */
const lingerMilliseconds = 5_000;

/** A connected and, where wanted, secured socket behind the engine's port. Reads nothing until somebody listens. */
export class NodeMsrpConnection implements MsrpConnection {
  readonly security: MsrpSecurity['mode'];
  readonly tls: TlsFacts | undefined;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly #socket: Socket;
  readonly #writer: GatheredWriter;
  readonly #clock: Clock;
  #onClose: ((error?: Error) => void) | undefined;
  #error: Error | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #isPaused = false;
  #cancelLinger: CancelTimer = () => undefined;

  constructor(socket: Socket, security: MsrpSecurity['mode'], tls: TlsFacts | undefined, clock: Clock) {
    this.security = security;
    this.tls = tls;
    this.local = { host: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.#socket = socket;
    this.#writer = new GatheredWriter(socket, clock);
    this.#clock = clock;
    socket.on('error', (error) => (this.#error ??= error));
    socket.once('close', () => this.#closed());
  }

  write(bytes: Uint8Array): boolean {
    return this.#state === 'open' && this.#socket.writable ? this.#writer.write(bytes) : true;
  }

  onDrain(listener: () => void): void {
    this.#writer.onDrain(listener);
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#socket.on('data', (bytes: Uint8Array) => {
      if (this.#state === 'open') listener(bytes);
    });
    if (!this.#isPaused) this.#socket.resume();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  onClose(listener: (error?: Error) => void): void {
    this.#onClose = listener;
    if (this.#state === 'closed') queueMicrotask(() => this.#tellClosed());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#writer.flush();
    this.#state = 'closing';
    this.#socket.end();
    // What still arrives is thrown away; without reading it the peer's end would never be seen.
    this.#socket.resume();
    this.#cancelLinger = this.#clock.after(lingerMilliseconds, () => this.#socket.destroy());
  }

  #closed(): void {
    this.#cancelLinger();
    if (this.#state === 'closing') this.#error = undefined;
    this.#state = 'closed';
    this.#tellClosed();
  }

  #tellClosed(): void {
    const listener = this.#onClose;
    this.#onClose = undefined;
    listener?.(this.#error);
  }
}
