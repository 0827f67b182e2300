import { describeError } from '../../../base/errors.ts';
import { withDeadline } from '../../deadline.ts';
import { limits } from '../../limits.ts';
import type { EnginePorts, SipConnection, SipHop, SipTarget } from '../../ports.ts';
import type { ConnectedHop } from '../sipjs-transport.ts';

export interface HopChoiceOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'sip'>;
  readonly target: SipTarget;
  /** Places that another flow leads to: two flows to one place fail together. */
  readonly isTaken: (hop: SipHop) => boolean;
  /** Now a place that is taken is of no use, instead of the last choice. */
  readonly isExclusive: () => boolean;
}

/** The places of a server in their order, without those that failed in this round (RFC 3263 clause 4.3). */
export class HopChoice {
  readonly #options: HopChoiceOptions;
  readonly #failed = new Set<string>();
  #known: readonly SipHop[] = [];
  #current: SipHop | undefined;

  constructor(options: HopChoiceOptions) {
    this.#options = options;
  }

  /** Where the last connection led to. */
  get current(): SipHop | undefined {
    return this.#current;
  }

  /** Connects to the best that is left and answers, for as long as that is wanted. Rejects with the reason of the best one. */
  async connect(isWanted: () => boolean): Promise<ConnectedHop> {
    const { ports } = this.#options;
    const hops = await this.#locate();
    if (hops.length === 0) throw new Error('there is no other place of the server');
    const fresh = hops.filter((hop) => !this.#failed.has(keyOf(hop)));
    if (fresh.length === 0) this.#failed.clear();
    const failures: unknown[] = [];
    for (const hop of fresh.length === 0 ? hops : fresh) {
      if (!isWanted()) break;
      try {
        const connection = await this.#connectTo(hop);
        this.#current = hop;
        return { hop, connection };
      } catch (error) {
        ports.log.log('info', 'sip.hop-failed', { hop: keyOf(hop), reason: describeError(error) });
        this.#failed.add(keyOf(hop));
        failures.push(error);
      }
    }
    this.#failed.clear();
    const [failure = new Error('not wanted any more')] = failures;
    throw failure;
  }

  /** A place that says nothing must not keep us from the next. */
  #connectTo(hop: SipHop): Promise<SipConnection> {
    const { clock, sip } = this.#options.ports;
    return withDeadline(
      clock,
      limits.sipConnectMilliseconds,
      sip.connect(hop),
      () => new Error(`cannot connect to ${hop.address}:${hop.port}: timed out`),
      (late) => late.close(),
    );
  }

  /** The current place did not do. @returns whether one is left that was not tried in this round. */
  giveUpCurrent(): boolean {
    if (this.#current !== undefined) this.#failed.add(keyOf(this.#current));
    const isLeft = this.#known.some((hop) => !this.#failed.has(keyOf(hop)));
    if (!isLeft) this.#failed.clear();
    return isLeft;
  }

  /** The current place did: the next round has all of them. */
  succeeded(): void {
    this.#failed.clear();
  }

  async #locate(): Promise<readonly SipHop[]> {
    const { ports, target, isTaken, isExclusive } = this.#options;
    const hops = await ports.sip.locate(target);
    const free = hops.filter((hop) => !isTaken(hop));
    this.#known = isExclusive() ? free : [...free, ...hops.filter(isTaken)];
    return this.#known;
  }
}

/** Whether two flows to these would end at the same socket. */
export function isSamePlace(a: SipHop, b: SipHop): boolean {
  return a.address === b.address && a.port === b.port;
}

function keyOf({ protocol, address, port }: SipHop): string {
  return `${protocol} ${address} ${port}`;
}
