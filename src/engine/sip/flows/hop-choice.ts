import { describeError, ProtocolError } from '../../../base/errors.ts';
import { isTlsProtocol } from '../../../protocol/sip/sip-protocol.ts';
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

/**
 * The places of a server in their order, without those that failed in this round (RFC 3263 clause 4.3). Once one of them did not prove
 * itself, places without TLS are out for the round: who is in between must not get by a false certificate what he could not read.
 */
export class HopChoice {
  readonly #options: HopChoiceOptions;
  readonly #failed = new Set<string>();
  #known: readonly SipHop[] = [];
  #current: SipHop | undefined;
  /** In this round a server was there and did not prove who it is. */
  #isUnproven = false;

  constructor(options: HopChoiceOptions) {
    this.#options = options;
  }

  /** Where the last connection led to. */
  get current(): SipHop | undefined {
    return this.#current;
  }

  /**
   * Connects to the best that is left and answers, for as long as that is wanted. Rejects with the reason of the best one,
   * or that of one that did not prove itself.
   */
  async connect(isWanted: () => boolean): Promise<ConnectedHop> {
    const { ports } = this.#options;
    const hops = await this.#locate();
    if (hops.length === 0) throw new Error('there is no other place of the server');
    const fresh = hops.filter((hop) => !this.#failed.has(keyOf(hop)));
    if (fresh.length === 0) this.#startOver();
    const failures: Error[] = [];
    for (const hop of fresh.length === 0 ? hops : fresh) {
      if (!isWanted()) break;
      if (!this.#isAllowed(hop)) continue;
      try {
        const connection = await this.#connectTo(hop);
        this.#current = hop;
        return { hop, connection };
      } catch (error) {
        ports.log.log('info', 'sip.hop-failed', { hop: keyOf(hop), reason: describeError(error) });
        this.#failed.add(keyOf(hop));
        if (isUnproven(error)) this.#isUnproven = true;
        failures.push(error instanceof Error ? error : new Error(describeError(error)));
      }
    }
    this.#startOver();
    throw failures.find(isUnproven) ?? failures[0] ?? new Error('not wanted any more');
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
    const isLeft = this.#known.some((hop) => !this.#failed.has(keyOf(hop)) && this.#isAllowed(hop));
    if (!isLeft) this.#startOver();
    return isLeft;
  }

  /** The current place did: the next round has all of them. */
  succeeded(): void {
    this.#startOver();
  }

  #startOver(): void {
    this.#failed.clear();
    this.#isUnproven = false;
  }

  #isAllowed({ protocol }: SipHop): boolean {
    return isTlsProtocol(protocol) || !this.#isUnproven;
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

/** Somebody answered, and TLS failed: nothing that an unreachable place would do. */
function isUnproven(error: unknown): boolean {
  return error instanceof ProtocolError && error.field.startsWith('sip.tls');
}

function keyOf({ protocol, address, port }: SipHop): string {
  return `${protocol} ${address} ${port}`;
}
