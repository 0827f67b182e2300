import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import type { CryptoSessionKey } from './bundle-types.ts';
import type { ExchangeRands } from './derivation.ts';
import type { CryptoSession } from './message.ts';
import type { SecurityPolicyPayload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import { intervalStart, isInInterval, sessionSalt, sessionTek } from './ticket-keys.ts';
import type { TicketKey } from './key-types.ts';

/** What one message brought. `order`: T of the update's TRANSFER_INIT, its answer right after it. */
export interface BundleChange {
  readonly order: bigint;
  readonly sessions: readonly CryptoSession[];
  readonly policies: readonly SecurityPolicyPayload[];
  readonly keys: readonly TicketKey[];
}

const sameSpi = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((octet, index) => octet === b[index]);

/**
 * Sessions and keys of a bundle: those of the initial exchange and the changes since. Changes are kept in the order of T, which both
 * ends know, so that they agree even when each started an update before it saw the other's.
 */
export class BundleState {
  readonly suite: SuiteParameters;
  readonly rands: ExchangeRands;
  readonly #sessions: readonly CryptoSession[];
  readonly #policies: readonly SecurityPolicyPayload[];
  readonly #layers: readonly (readonly TicketKey[])[];
  #changes: readonly BundleChange[] = [];

  /**
   * @param initial `layers`: keys of TRANSFER_RESP, TRANSFER_INIT and the ticket, in this order (reading [A36]), forked where they
   * have to be; `rands`: those that enter session keys.
   */
  constructor(initial: {
    readonly suite: SuiteParameters;
    readonly rands: ExchangeRands;
    readonly sessions: readonly CryptoSession[];
    readonly policies: readonly SecurityPolicyPayload[];
    readonly layers: readonly (readonly TicketKey[])[];
  }) {
    this.suite = initial.suite;
    this.rands = initial.rands;
    this.#sessions = initial.sessions;
    this.#policies = initial.policies;
    this.#layers = initial.layers;
  }

  /** The state that `change` would make, leaving this one as it is. */
  with(change: BundleChange): BundleState {
    const next = new BundleState({
      suite: this.suite,
      rands: this.rands,
      sessions: this.#sessions,
      policies: this.#policies,
      layers: this.#layers,
    });
    next.#changes = [...this.#changes, change].sort((a, b) => (a.order < b.order ? -1 : 1));
    return next;
  }

  get sessions(): readonly CryptoSession[] {
    const byId = new Map(this.#sessions.map((session) => [session.csId, session]));
    for (const { sessions } of this.#changes) for (const session of sessions) byId.set(session.csId, session);
    return [...byId.values()];
  }

  get policies(): ReadonlyMap<number, SecurityPolicyPayload> {
    const all = [...this.#policies, ...this.#changes.flatMap(({ policies }) => policies)];
    return new Map(all.map((policy) => [policy.policyNumber, policy]));
  }

  /** All keys. Reading [A36]: the newest CSB update first, then as `layers`. */
  get keys(): readonly TicketKey[] {
    const updates = [...this.#changes].reverse().map(({ keys }) => keys);
    return [...updates, ...this.#layers].flat();
  }

  /** Keys that fit a session by its SPI; one that names none takes the first. */
  keysFor({ spi }: CryptoSession): readonly TicketKey[] {
    return spi.length === 0 ? this.keys : this.keys.filter((key) => sameSpi(key.spi, spi));
  }

  /** A position at which the first key of a session is valid; `undefined` where that is everywhere. */
  start(csId: number): bigint | undefined {
    const session = this.sessions.find((one) => one.csId === csId);
    const interval = session === undefined ? undefined : this.keysFor(session)[0]?.interval;
    return interval === undefined ? undefined : intervalStart(interval);
  }

  /** @throws ProtocolError `local` or `expired`, as `CryptoSessionBundle.sessionKey`. */
  sessionKey(csId: number, position: bigint | undefined): CryptoSessionKey {
    const session = this.sessions.find((one) => one.csId === csId);
    if (session === undefined) throw new ProtocolError('local', 'no such session', { field: 'bundle.csId' });
    const candidates = this.keysFor(session);
    const key = candidates.find(
      ({ interval }) => interval === undefined || (position !== undefined && isInInterval(interval, position)),
    );
    if (key === undefined) {
      throw candidates.length === 0
        ? new ProtocolError('local', 'no key for the session', { field: 'bundle.keys' })
        : new ProtocolError('expired', 'no key of the session is valid here', {
            field: 'bundle.keys',
            expected: position === undefined ? 'a position' : 'another key',
          });
    }
    const tek = key.key.use((octets) => new SecretBytes(sessionTek(this.suite, key.kind, octets, csId, this.rands)));
    const salt = (bits: number): Uint8Array =>
      key.key.use((octets) => sessionSalt(this.suite, key, octets, csId, this.rands, bits));
    return { kind: key.kind, spi: key.spi, tek, salt };
  }

  dispose(): void {
    for (const { key } of this.keys) key.dispose();
  }
}
