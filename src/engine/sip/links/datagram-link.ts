import { ProtocolError } from '../../../base/errors.ts';
import type { CancelTimer } from '../../../base/clock.ts';
import { DatagramTransactions, type DatagramAction, type DatagramEvent } from '../../../protocol/sip/datagram/index.ts';
import { parseSipMessage, serialiseSipMessage, type SipMessage } from '../../../protocol/sip/message.ts';
import { looksLikeStun } from '../../../protocol/stun/index.ts';
import { limits } from '../../limits.ts';
import type { SipConnection } from '../../ports.ts';
import { BranchMemory } from './branch-memory.ts';
import { LargeRequests } from './large-requests.ts';
import { isLineEnds } from './line-ends.ts';
import type { SipLink, SipLinkContext } from './sip-link.ts';
import { StunKeepAlive } from './stun-keep-alive.ts';

const rememberedBranches = 1_000;

/** SIP over UDP: repeated until answered, kept alive by STUN, and with a stream beside it for what is too long. */
export class DatagramLink implements SipLink {
  readonly connection: SipConnection;
  readonly #context: SipLinkContext;
  readonly #transactions: DatagramTransactions;
  readonly #keepAlive: StunKeepAlive;
  readonly #large: LargeRequests;
  /** Never goes back, and goes on after somebody has set the clock back. */
  #now = 0;
  #lastTold = 0;
  #setBack = 0;
  #cancelTimer: CancelTimer = () => undefined;
  #isStopped = false;

  constructor(context: SipLinkContext) {
    const { connection, listener } = context;
    this.#context = context;
    this.connection = connection;
    this.#transactions = new DatagramTransactions({
      timers: { t1: limits.sipT1Milliseconds, t2: limits.sipT2Milliseconds, t4: limits.sipT4Milliseconds },
      clientTransactions: limits.sipClientTransactions,
      serverMemory: { transactions: limits.sipServerTransactions, octets: limits.sipServerOctets },
    });
    this.#keepAlive = new StunKeepAlive(context);
    this.#large = new LargeRequests(context, {
      sent: new BranchMemory(rememberedBranches),
      received: new BranchMemory(rememberedBranches),
    });
    connection.onClose((error) => listener.onLost(error ?? new Error('connection closed')));
    connection.onData((datagram) => this.#receive(datagram));
  }

  async send(message: SipMessage): Promise<void> {
    if (this.#large.owns(message)) return this.#large.send(message);
    const isLong = maySwitch(message) && octetsOf(message) > limits.sipDatagramOctets;
    if (isLong && (await this.#canStream(message))) return this.#large.send(message);
    await this.#do({ kind: 'send', message });
  }

  sendOnce(bytes: Uint8Array): void {
    void this.connection.send(bytes).catch(() => undefined);
  }

  get isUndecided(): boolean {
    return this.#keepAlive.isUndecided;
  }

  check(): void {
    this.#keepAlive.check();
    this.#large.check();
  }

  useFlowTimer(seconds: number): void {
    this.#keepAlive.useFlowTimer(seconds);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#keepAlive.stop();
    this.#large.stop();
  }

  /**
   * RFC 3261 clause 18.1.1: where the server takes no stream, a datagram is tried all the same.
   * @throws ProtocolError `local` for what no datagram can carry: nothing of it leaves.
   */
  async #canStream(message: SipMessage): Promise<boolean> {
    try {
      await this.#large.open();
      return true;
    } catch (error) {
      const octets = octetsOf(message);
      this.#context.ports.log.log('info', 'sip.no-stream', { reason: String(error), octets });
      if (octets <= limits.sipLargestDatagramOctets) return false;
      throw new ProtocolError('local', 'too long for UDP, and the server takes no TCP', {
        field: 'sip.message',
        expected: `at most ${limits.sipLargestDatagramOctets} octets`,
        hint: { sip: 513 },
        cause: error,
      });
    }
  }

  #receive(datagram: Uint8Array): void {
    if (looksLikeStun(datagram)) {
      this.#keepAlive.receive(datagram);
      return;
    }
    if (isLineEnds(datagram)) return;
    try {
      void this.#do({ kind: 'receive', message: parseSipMessage(datagram) }, datagram).catch(() => undefined);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // What cannot be read is answered above, where it is read again.
      this.#context.listener.onMessage(datagram);
    }
  }

  /** @param datagram that the event is about, for whoever it is delivered to. */
  #do(event: DatagramEvent, datagram?: Uint8Array): Promise<void> {
    if (this.#isStopped) return Promise.reject(new Error('the flow is over'));
    this.#now = Math.max(this.#now, this.#steadyTime());
    const actions = this.#transactions.handle(event, this.#now);
    this.#schedule();
    return this.#perform(actions, datagram);
  }

  async #perform(actions: readonly DatagramAction[], datagram: Uint8Array | undefined): Promise<void> {
    const sending: Promise<void>[] = [];
    for (const action of actions) {
      if (action.kind === 'send') sending.push(this.connection.send(action.bytes));
      else if (datagram !== undefined) this.#context.listener.onMessage(datagram);
    }
    await Promise.all(sending);
  }

  #steadyTime(): number {
    const told = this.#context.ports.clock.now();
    this.#setBack += Math.max(0, this.#lastTold - told);
    this.#lastTold = told;
    return told + this.#setBack;
  }

  #schedule(): void {
    this.#cancelTimer();
    const due = this.#transactions.nextDue();
    if (due === undefined || this.#isStopped) return;
    const { clock } = this.#context.ports;
    this.#cancelTimer = clock.after(Math.max(0, due - this.#now), () => {
      // It has passed, whatever the clock says.
      this.#now = Math.max(this.#now, due);
      void this.#do({ kind: 'time' }).catch(() => undefined);
    });
  }
}

/** A REGISTER says over which flow we are reached, and so leaves over that one whatever its length (RFC 5626 clause 4.2). */
function maySwitch({ method }: SipMessage): boolean {
  return method !== undefined && method !== 'REGISTER';
}

function octetsOf(message: SipMessage): number {
  return serialiseSipMessage(message).length;
}
