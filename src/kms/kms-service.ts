import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { sha256 } from '../crypto/digest.ts';
import { identityText, KmsMachine, uriIdentity } from '../protocol/mikey/index.ts';
import type { Admission, GrantRules, KmsOutcome, TicketIssuers } from '../protocol/mikey/index.ts';
import { profile } from '../protocol/profile.ts';
import type { AuditEntry } from './audit-chain.ts';
import type { KmsConfig, KmsPublicKeyConfig } from './config.ts';
import { createDirectory, type SubscriberSource } from './directory.ts';
import { KeyEncryptionKey } from './key-encryption-key.ts';
import { createMemoryStorage } from './memory-storage.ts';
import { withPeers, type KmsPeer } from './peers.ts';
import type { KmsStorage } from './ports.ts';
import { createTpk, defaultRotation, importTpks, StoredTpkRing, type TpkEntry, type TpkRotation } from './tpk-ring.ts';
import { seedUsers, wrongConfig } from './users.ts';

/** What is asked of a KMS, as the `requesttype` of profile 6.1 names it. */
export type KmsRequestKind = 'ticketrequest' | 'ticketresolve';

/** Where a question came from. */
export interface KmsQuestionSource {
  readonly address: string;
  /** On connections between KMSs only: those that the other end's certificate proves. */
  readonly peers?: readonly string[];
}

export interface KmsStatus {
  /** When the key that protects new tickets was made, milliseconds since 1970. */
  readonly tpkCreatedAt: number | undefined;
  /** Answers that wait until their line in the audit is durable. */
  readonly auditBacklog: number;
}

/** A KMS without its network: what an HTTP front needs. */
export interface KmsService {
  /** IDRkms. */
  readonly identity: string;
  /**
   * Answers one MIKEY message. Its line in the audit is durable before this resolves.
   * Rejects with a `KmsStorageError` when the storage cannot be reached: then nothing was granted.
   */
  handle(kind: KmsRequestKind, message: Uint8Array, from: KmsQuestionSource): Promise<KmsOutcome>;
  /** For metrics; costs nothing. */
  status(): KmsStatus;
  /** Rejects when no question could be answered now. */
  check(): Promise<void>;
  /** Closes the storage. */
  close(): Promise<void>;
}

export interface KmsServiceOptions {
  /** IDRkms, for example `sip:kms.example.com`. */
  readonly identity: string;
  readonly storage: KmsStorage;
  readonly kek: KeyEncryptionKey;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  readonly rules?: Partial<GrantRules>;
  /** `keepSeconds` follows from the rules where it is absent. */
  readonly rotation?: Partial<TpkRotation>;
  /** Subscribers besides those of the storage. */
  readonly sources?: readonly SubscriberSource[];
  /** Without it public-key questions are refused. */
  readonly publicKey?: KmsPublicKeyConfig;
  /** Other KMSs that may ask for their users. */
  readonly peers?: readonly KmsPeer[];
  /** How tickets of other KMSs are resolved; without it they are refused. */
  readonly issuers?: TicketIssuers;
  readonly admission?: Admission;
}

/** Refusals of unproven or limited senders that get a line of their own in any minute: nobody can fill the storage with them. */
const unprovenLinesPerMinute = 100;

/**
 * The application of a KMS: machine, users, ticket protection keys and audit over one storage.
 * @throws ProtocolError `local` when the identity is no URI or the key-encryption key does not fit the storage.
 */
export async function createKmsService(options: KmsServiceOptions): Promise<KmsService> {
  const { identity, storage, kek, clock, random, sources = [], peers = [], issuers, admission, publicKey } = options;
  // It stands in an HTTP header too, inside quotes.
  if (!/^[!#-[\]-~]+$/.test(identity)) throw wrongConfig('not a URI', 'identity', 'for example sip:kms.example.com');
  await kek.checkAgainst(storage);
  const rules: GrantRules = { ...profile.ticket, ...options.rules };
  const tpks = new StoredTpkRing({
    storage,
    kek,
    rotation: { ...defaultRotation, keepSeconds: longestLife(rules), ...options.rotation },
    random,
    now: () => clock.now(),
    onRotated: async ({ id, createdAt }) => {
      await storage.audit.append({
        time: createdAt,
        action: 'tpk-rotate',
        outcome: 'done',
        reason: `key ${toHex(id)}`,
      });
    },
  });
  await tpks.keepUp();
  const machine = new KmsMachine({
    identity: uriIdentity(identity),
    tpks,
    directory: withPeers(
      createDirectory({
        storage,
        kek,
        sources,
        ...(publicKey && { certificates: publicKey }),
        ticketsMadeByUsers: rules.ticketsMadeByUsers ?? false,
      }),
      peers,
    ),
    replays: storage.replays,
    rules,
    random,
    ...(issuers && { issuers }),
    ...(admission && { admission }),
    ...(publicKey && { publicKey }),
  });
  let auditBacklog = 0;
  const unproven = new UnprovenLimit();
  return {
    identity,
    async handle(kind, message, { address, peers: provenPeers }) {
      await tpks.keepUp();
      const now = clock.now();
      const outcome = await (kind === 'ticketrequest'
        ? machine.handleTicketRequest(message, now)
        : machine.handleTicketResolve(message, now, provenPeers));
      const entry = auditEntry(kind, message, outcome, address, now);
      const written = 'subject' in outcome ? entry : unproven.take(entry);
      if (written === undefined) return outcome;
      auditBacklog++;
      try {
        await storage.audit.append(written);
      } finally {
        auditBacklog--;
      }
      return outcome;
    },
    status: () => ({ tpkCreatedAt: tpks.currentCreatedAt, auditBacklog }),
    async check() {
      await tpks.keepUp();
      await storage.check();
    },
    async close() {
      try {
        const omitted = unproven.takeOmitted();
        if (omitted > 0) await storage.audit.append({ time: clock.now(), action: 'stop', outcome: 'done', omitted });
      } finally {
        await storage.close();
      }
    },
  };
}

/** So long may a ticket live that is issued now. */
export const longestLife = ({
  sessionLifetimeSeconds,
  messageLifetimeSeconds,
}: Pick<GrantRules, 'sessionLifetimeSeconds' | 'messageLifetimeSeconds'>): number =>
  Math.max(sessionLifetimeSeconds, messageLifetimeSeconds);

function auditEntry(
  action: KmsRequestKind,
  message: Uint8Array,
  outcome: KmsOutcome,
  address: string,
  time: number,
): AuditEntry {
  const subject = 'subject' in outcome ? outcome.subject : undefined;
  return {
    time,
    action,
    outcome: outcome.outcome,
    ...('subscriber' in outcome ? { user: outcome.subscriber } : {}),
    ...(subject === undefined
      ? {}
      : { asker: identityText(subject.asker), responders: subject.responders.map(identityText) }),
    ...(subject?.issuer === undefined ? {} : { issuer: identityText(subject.issuer) }),
    ...(subject?.ticketDigest === undefined ? {} : { ticket: toHex(subject.ticketDigest) }),
    request: toHex(sha256(message)),
    address,
    ...('error' in outcome ? { reason: outcome.error.message } : {}),
  };
}

/** Counts what it does not let through, and adds the number to what it lets through next. */
class UnprovenLimit {
  #minute = 0;
  #lines = 0;
  #omitted = 0;

  take(entry: AuditEntry): AuditEntry | undefined {
    const minute = Math.floor(entry.time / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#lines = 0;
    }
    if (this.#lines >= unprovenLinesPerMinute) {
      this.#omitted += 1;
      return undefined;
    }
    this.#lines += 1;
    const omitted = this.takeOmitted();
    return omitted === 0 ? entry : { ...entry, omitted };
  }

  /** What no line has told yet. */
  takeOmitted(): number {
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted;
  }
}

export interface MemoryKmsServiceOptions {
  readonly config: KmsConfig;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Ticket protection keys; without them one is made. All end with the service. */
  readonly tpks?: readonly TpkEntry[];
  readonly sources?: readonly SubscriberSource[];
  readonly peers?: readonly KmsPeer[];
  readonly issuers?: TicketIssuers;
  readonly admission?: Admission;
}

/**
 * A KMS in memory: for the lab and for tests.
 * @throws ProtocolError `local` for a configuration that cannot be.
 */
export async function createMemoryKmsService(options: MemoryKmsServiceOptions): Promise<KmsService> {
  const { config, clock, random, tpks, sources = [], peers = [], issuers, admission } = options;
  const storage = createMemoryStorage();
  const kek = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
  await seedUsers(storage, kek, config.users);
  await importTpks(storage, kek, tpks ?? [createTpk(random, clock.now())]);
  return createKmsService({
    identity: config.identity,
    storage,
    kek,
    clock,
    random,
    sources,
    peers,
    ...(issuers && { issuers }),
    ...(admission && { admission }),
    ...(config.rules === undefined ? {} : { rules: config.rules }),
    ...(config.publicKey === undefined ? {} : { publicKey: config.publicKey }),
  });
}
