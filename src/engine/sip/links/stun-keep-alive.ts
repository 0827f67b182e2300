import { assertProtocolError } from '../../../base/errors.ts';
import {
  decodeStun,
  encodeStun,
  isAnswerTo,
  stunTransactionIdOctets,
  type StunMessage,
} from '../../../protocol/stun/index.ts';
import { limits } from '../../limits.ts';
import { KeepAlive } from '../keep-alive.ts';
import type { SipLinkContext } from './sip-link.ts';

/** RFC 5389 clause 7.2.1, with RTO 500 ms: seven tries, and 16 times RTO after the last. */
const waits = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 8_000];

/** Keep-alive of a datagram flow: Binding requests over it (RFC 5626 clauses 4.4.2 and 8). */
export class StunKeepAlive {
  readonly #context: Pick<SipLinkContext, 'ports' | 'connection' | 'listener'>;
  readonly #keepAlive: KeepAlive;
  #request: StunMessage | undefined;
  #mapped: string | undefined;

  constructor(context: Pick<SipLinkContext, 'ports' | 'connection' | 'listener'>) {
    this.#context = context;
    const { clock, random } = context.ports;
    this.#keepAlive = new KeepAlive({
      clock,
      random,
      longestPause: limits.sipDatagramKeepAliveMilliseconds,
      // RFC 5626 clause 4.4.2: between 24 and 29 s.
      shortestShare: 24 / 29,
      waits,
      ping: () => this.#ask(),
      dead: () => context.listener.onLost(new Error('no answer to keep-alive')),
    });
  }

  /** @param datagram that looks like STUN. */
  receive(datagram: Uint8Array): void {
    let answer: StunMessage;
    try {
      answer = decodeStun(datagram);
    } catch (error) {
      assertProtocolError(error);
      this.#context.ports.log.log('info', 'sip.stun-refused', { reason: error.message });
      return;
    }
    if (this.#request === undefined || !isAnswerTo(answer, this.#request)) return;
    this.#request = undefined;
    if (answer.kind === 'error') {
      // Clause 4.4.2 calls the flow failed; of a server that never answered otherwise it only says that it does not do this.
      if (this.#keepAlive.isProven) this.#context.listener.onLost(new Error(`keep-alive refused (${answer.code})`));
    } else if (answer.kind === 'success') {
      this.#note(JSON.stringify(answer.mapped));
    }
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

  #ask(): void {
    const { ports, connection } = this.#context;
    // The same request until it is answered or given up, so that a late answer is known.
    this.#request ??= { kind: 'request', transactionId: ports.random.bytes(stunTransactionIdOctets) };
    void connection.send(encodeStun(this.#request)).catch(() => undefined);
  }

  /** RFC 5626 clause 4.4.2: a flow that others see under another address is another flow. */
  #note(mapped: string): void {
    const before = this.#mapped;
    this.#mapped = mapped;
    if (before !== undefined && before !== mapped) this.#context.listener.onLost(new Error('our address changed'));
    else this.#keepAlive.pong();
  }
}
