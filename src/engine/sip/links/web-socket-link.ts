import { serialiseSipMessage, type SipMessage } from '../../../protocol/sip/message.ts';
import { limits } from '../../limits.ts';
import type { SipConnection } from '../../ports.ts';
import { KeepAlive } from '../keep-alive.ts';
import { isLineEnds } from './line-ends.ts';
import type { SipLink, SipLinkContext } from './sip-link.ts';

const crlf = Uint8Array.of(0x0d, 0x0a);

/** SIP over WebSocket (RFC 7118): one message each, kept alive by the Ping frames of the WebSocket (clause 6). */
export class WebSocketLink implements SipLink {
  readonly connection: SipConnection;
  readonly #keepAlive: KeepAlive;

  constructor({ ports, connection, listener }: SipLinkContext) {
    this.connection = connection;
    this.#keepAlive = new KeepAlive({
      clock: ports.clock,
      random: ports.random,
      longestPause: limits.sipStreamKeepAliveMilliseconds,
      waits: [limits.sipPongMilliseconds],
      ping: () => {
        connection.ping?.().then(
          () => this.#keepAlive.pong(),
          () => undefined,
        );
      },
      dead: () => listener.onLost(new Error('no answer to keep-alive')),
    });
    connection.onClose((error) => listener.onLost(error ?? new Error('connection closed')));
    connection.onData((bytes) => {
      // RFC 5626 clause 3.5.1: a server may ask by CRLF CRLF here too.
      if (isLineEnds(bytes)) void (bytes.length === 4 && connection.send(crlf).catch(() => undefined));
      else listener.onMessage(bytes);
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
}
