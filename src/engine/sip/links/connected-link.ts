import { serialiseSipMessage, type SipMessage } from '../../../protocol/sip/message.ts';
import { limits } from '../../limits.ts';
import type { SipConnection } from '../../ports.ts';
import { KeepAlive } from '../keep-alive.ts';
import type { SipLinkContext } from './sip-link.ts';

/** What links over a connection have in common: what is sent needs no repetition, and the far end is asked for a sign of life. */
export abstract class ConnectedLink {
  readonly connection: SipConnection;
  protected readonly keepAlive: KeepAlive;

  /** @param ping asks; `pong` is to be called for the answer, unless the answer is heard otherwise */
  constructor({ ports, connection, listener }: SipLinkContext, ping: (pong: () => void) => void) {
    this.connection = connection;
    this.keepAlive = new KeepAlive({
      clock: ports.clock,
      random: ports.random,
      longestPause: limits.sipStreamKeepAliveMilliseconds,
      waits: [limits.sipPongMilliseconds],
      ping: () => ping(() => this.keepAlive.pong()),
      dead: () => listener.onLost(new Error('no answer to keep-alive')),
    });
    connection.onClose((error) => listener.onLost(error ?? new Error('connection closed')));
  }

  send(message: SipMessage): Promise<void> {
    return this.connection.send(serialiseSipMessage(message));
  }

  sendOnce(bytes: Uint8Array): void {
    void this.connection.send(bytes).catch(() => undefined);
  }

  get isUndecided(): boolean {
    return this.keepAlive.isUndecided;
  }

  check(): void {
    this.keepAlive.check();
  }

  useFlowTimer(seconds: number): void {
    this.keepAlive.useLongestPause(seconds * 1000);
  }

  stop(): void {
    this.keepAlive.stop();
  }
}
