import { serialiseSipMessage, type SipMessage } from '../../../protocol/sip/message.ts';
import { SipStreamFramer, type SipFrame } from '../../../protocol/sip/stream-framer.ts';
import { limits } from '../../limits.ts';
import type { SipConnection } from '../../ports.ts';
import { KeepAlive } from '../keep-alive.ts';
import type { SipLink, SipLinkContext, SipLinkListener } from './sip-link.ts';

const crlf = Uint8Array.of(0x0d, 0x0a);
const ping = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a);

/** SIP over TCP and TLS: messages by Content-Length, kept alive by CRLF (RFC 5626 clause 4.4.1). */
export class StreamLink implements SipLink {
  readonly connection: SipConnection;
  readonly #listener: SipLinkListener;
  readonly #keepAlive: KeepAlive;

  constructor({ ports, connection, listener }: SipLinkContext) {
    this.connection = connection;
    this.#listener = listener;
    this.#keepAlive = new KeepAlive({
      clock: ports.clock,
      random: ports.random,
      longestPause: limits.sipStreamKeepAliveMilliseconds,
      waits: [limits.sipPongMilliseconds],
      ping: () => void connection.send(ping).catch(() => undefined),
      dead: () => listener.onLost(new Error('no answer to keep-alive')),
    });
    const framer = new SipStreamFramer({ side: 'client' });
    connection.onClose((error) => listener.onLost(error ?? new Error('connection closed')));
    connection.onData((bytes) => {
      for (const frame of framer.push(bytes)) this.#handle(frame);
    });
  }

  send(message: SipMessage): Promise<void> {
    return this.connection.send(serialiseSipMessage(message));
  }

  sendOnce(bytes: Uint8Array): void {
    void this.connection.send(bytes).catch(() => undefined);
  }

  get isUndecided(): boolean {
    return this.#keepAlive.isUndecided;
  }

  check(): void {
    this.#keepAlive.check();
  }

  useFlowTimer(seconds: number): void {
    this.#keepAlive.useLongestPause(seconds * 1000);
  }

  stop(): void {
    this.#keepAlive.stop();
  }

  #handle(frame: SipFrame): void {
    switch (frame.kind) {
      case 'message': {
        this.#listener.onMessage(frame.bytes);
        return;
      }
      case 'pong': {
        this.#keepAlive.pong();
        return;
      }
      case 'ping':
        return void this.connection.send(crlf).catch(() => undefined);
      case 'error': {
        this.#listener.onLost(frame.error);
        return;
      }
    }
  }
}
