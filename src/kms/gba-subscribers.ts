import { fromAscii } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { assertProtocolError, describeError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { parseBtid } from '../protocol/gba/index.ts';
import { identityText, sameIdentity, uriIdentity, type MikeyIdentity } from '../protocol/mikey/index.ts';
import { tryKmsUserIdentity } from '../protocol/sip/identities.ts';
import type { SourcedSubscriber, SubscriberSource } from './directory.ts';
import type { NafKey, NafKeySource } from './naf-keys.ts';
import { KmsStorageError } from './ports.ts';
import { TokenBuckets } from './token-buckets.ts';

/** The BSF cannot be asked now: whether the sender is known cannot be told, so nothing is answered and the UE may come again. */
export class BsfUnavailable extends KmsStorageError {}

export interface GbaLimits {
  /** Keys that are kept until they end. */
  readonly cachedKeys: number;
  /** B-TIDs that the BSF did not know are not asked for again so long. */
  readonly unknownSeconds: number;
  readonly cachedUnknown: number;
  /** Questions to the BSF, on average and at once: a flood of invented B-TIDs ends here. */
  readonly questionsPerSecond: number;
  readonly questionsAtOnce: number;
}

const standardLimits: GbaLimits = {
  cachedKeys: 50_000,
  unknownSeconds: 60,
  cachedUnknown: 50_000,
  questionsPerSecond: 50,
  questionsAtOnce: 200,
};

export interface GbaSubscribersOptions {
  readonly source: NafKeySource;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Logger;
  readonly limits?: Partial<GbaLimits>;
}

interface Known {
  readonly identities: readonly MikeyIdentity[];
  readonly key: SecretBytes;
  readonly validUntil: number;
}

/**
 * The subscribers of a network by bootstrapping: the KMS is a NAF, IDRpsk a B-TID and the pre-shared key Ks_NAF (profile 6.3). A
 * subscriber owns the public identities that the BSF names; what one may do is the directory's affair. Nothing is kept longer
 * than the key lives.
 */
export function createGbaSubscribers(options: GbaSubscribersOptions): SubscriberSource {
  const subscribers = new GbaSubscribers(options);
  return { findSubscriber: (pskId) => subscribers.find(pskId) };
}

class GbaSubscribers {
  readonly #source: NafKeySource;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Logger;
  readonly #limits: GbaLimits;
  /** Oldest first, both. */
  readonly #known = new Map<string, Known>();
  readonly #unknownUntil = new Map<string, number>();
  readonly #asking = new Map<string, Promise<Known | undefined>>();
  readonly #budget: TokenBuckets;

  constructor({ source, clock, log, limits }: GbaSubscribersOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#limits = { ...standardLimits, ...limits };
    const { questionsPerSecond, questionsAtOnce } = this.#limits;
    this.#budget = new TokenBuckets({ perSecond: questionsPerSecond, burst: questionsAtOnce }, 1);
  }

  /** @throws BsfUnavailable */
  async find(pskId: MikeyIdentity | undefined): Promise<SourcedSubscriber | undefined> {
    const btid = btidOf(pskId, this.#source.bsfDomain);
    if (btid === undefined) return undefined;
    const now = this.#clock.now();
    const known = this.#recall(btid, now) ?? (this.#isUnknown(btid, now) ? undefined : await this.#ask(btid));
    return known === undefined ? undefined : subscriberOf(known);
  }

  #recall(btid: string, now: number): Known | undefined {
    const known = this.#known.get(btid);
    if (known === undefined || known.validUntil > now) return known;
    // Profile 6.3: the key is not used after its lifetime.
    this.#known.delete(btid);
    known.key.dispose();
    this.#keepUnknown(btid, now);
    return undefined;
  }

  #isUnknown(btid: string, now: number): boolean {
    const until = this.#unknownUntil.get(btid);
    if (until !== undefined && until <= now) this.#unknownUntil.delete(btid);
    return until !== undefined && until > now;
  }

  /** Several questions of one subscriber at once are one question to the BSF. */
  async #ask(btid: string): Promise<Known | undefined> {
    const asking = this.#asking.get(btid) ?? this.#askBsf(btid).finally(() => this.#asking.delete(btid));
    this.#asking.set(btid, asking);
    return asking;
  }

  async #askBsf(btid: string): Promise<Known | undefined> {
    if (this.#budget.take('', this.#clock.now()) !== undefined) {
      this.#log.log('warn', 'gba.too-many-questions', {});
      throw new BsfUnavailable('too many unknown keys at once');
    }
    const answer = await this.#source.ask(btid).catch((cause: unknown) => {
      this.#log.log('warn', 'gba.bsf-unavailable', { reason: describeError(cause) });
      throw new BsfUnavailable('the bootstrapping server gives no answer', { cause });
    });
    const now = this.#clock.now();
    const known = answer === undefined ? undefined : knownFrom(answer, now);
    this.#log.log('info', 'gba.asked', {
      btid,
      outcome: known === undefined ? 'unknown' : 'known',
      ...(known === undefined ? {} : { subscriber: nameOf(known), validUntil: known.validUntil }),
    });
    if (known === undefined) this.#keepUnknown(btid, now);
    else this.#keepKnown(btid, known);
    return known;
  }

  #keepKnown(btid: string, known: Known): void {
    this.#known.set(btid, known);
    for (const [oldest, { key }] of this.#known) {
      if (this.#known.size <= this.#limits.cachedKeys) return;
      this.#known.delete(oldest);
      key.dispose();
    }
  }

  #keepUnknown(btid: string, now: number): void {
    this.#unknownUntil.delete(btid);
    this.#unknownUntil.set(btid, now + this.#limits.unknownSeconds * 1000);
    const [oldest] = this.#unknownUntil.keys();
    if (this.#unknownUntil.size > this.#limits.cachedUnknown && oldest !== undefined) this.#unknownUntil.delete(oldest);
  }
}

/** The octets that IDRpsk carries, when they are a B-TID of this BSF. */
function btidOf(pskId: MikeyIdentity | undefined, bsfDomain: string): string | undefined {
  if (pskId?.type !== 'bytes') return undefined;
  try {
    const btid = fromAscii(pskId.data);
    return parseBtid(btid).host === bsfDomain.toLowerCase() ? btid : undefined;
  } catch (error) {
    assertProtocolError(error);
    return undefined;
  }
}

/** Undefined when the key has ended, or belongs to nobody whom a ticket could name. */
function knownFrom({ identities, key, validUntil }: NafKey, now: number): Known | undefined {
  const canonical = identities.map(tryKmsUserIdentity).filter((identity) => identity !== undefined);
  if (validUntil <= now || canonical.length === 0) {
    key.dispose();
    return undefined;
  }
  return { identities: canonical.map(uriIdentity), key, validUntil };
}

/** With a key of its own: what is kept may end while an exchange runs. */
function subscriberOf(known: Known): SourcedSubscriber {
  const { identities, key } = known;
  const [identity = uriIdentity('')] = identities;
  return {
    name: nameOf(known),
    psk: key.use((octets) => new SecretBytes(octets)),
    identity,
    identities,
    owns: (other) => identities.some((own) => sameIdentity(own, other)),
  };
}

const nameOf = ({ identities }: Known): string => (identities[0] === undefined ? '' : identityText(identities[0]));
