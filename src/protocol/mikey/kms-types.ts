import type { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { TrustAnchors } from '../../crypto/certificate-path.ts';
import type { Certificate } from '../../crypto/x509.ts';
import type { KmsKeyPair } from './envelope.ts';
import type { MikeyIdentity } from './identity.ts';
import type { ForeignTicket, IssuerAnswer } from './kms-forward.ts';
import type { TicketProtectionKey } from './key-types.ts';
import type { GrantRules } from './kms-grant.ts';

/** Somebody who has proven a key. */
export interface KmsUser {
  /** For the log. */
  readonly name: string;
  /** True for every identity that the holder of the key may speak under. */
  owns(identity: MikeyIdentity): boolean;
  /** The identity that is meant when a message names none (reading [A34]). */
  readonly identity: MikeyIdentity;
  /** Set for another KMS that speaks for its users (RFC 6043 10): its name, which its connection has to prove too. */
  readonly peer?: string;
}

/** Somebody who shares a key with the KMS. */
export interface KmsSubscriber extends KmsUser {
  readonly psk: SecretBytes;
}

/** Ticket protection keys: tickets need no other memory at the KMS. */
export interface TpkRing {
  /** Protects new tickets. */
  readonly current: TicketProtectionKey;
  /** Also finds keys that protect no new tickets but some that still live. */
  find(id: MikeyIdentity | undefined): SecretBytes | undefined;
  /** Asked for what `find` does not know: another replica may use a key already that this one has not heard of. */
  learn?(id: MikeyIdentity | undefined): Later<SecretBytes | undefined>;
}

/** What a port gives at once, or after it has asked a storage. */
export type Later<T> = T | Promise<T>;

/** What the KMS must know about its users. */
export interface KmsDirectory {
  /** By the name of a pre-shared key, or where a message names none by the identity that it claims. */
  findSubscriber(
    pskId: MikeyIdentity | undefined,
    claimed: MikeyIdentity | undefined,
  ): Later<KmsSubscriber | undefined>;
  /**
   * The user who owns an identity, where this certificate proves that; it leads to a trust anchor already. A directory without
   * this knows nobody by certificate.
   */
  findCertified?(claimed: MikeyIdentity, certificate: Certificate): Later<KmsUser | undefined>;
  /** May this user hold a ticket for these responders? */
  mayRequest(subscriber: KmsUser, responders: readonly MikeyIdentity[]): Later<boolean>;
  /**
   * The identity of the ticket that this user may answer for, if any (reading [A27], aliases and groups).
   * @param asker the identity that the question was asked under, which the subscriber owns.
   */
  responderFor(
    subscriber: KmsUser,
    responders: readonly MikeyIdentity[],
    asker?: MikeyIdentity,
  ): Later<MikeyIdentity | undefined>;
  /** Mode 2: the TPK that a responder shares with the KMS. A directory without this makes no tickets for responders to open. */
  findResponderTpk?(responder: MikeyIdentity): Later<TicketProtectionKey | undefined>;
  /** Mode 3: who makes tickets under this TPK. A directory without this knows no initiators that make tickets. */
  findTicketMaker?(tpkId: MikeyIdentity): Later<TicketMaker | undefined>;
}

/** A user who shares a TPK with the KMS and makes tickets with it (mode 3). */
export interface TicketMaker {
  readonly user: KmsUser;
  readonly tpk: SecretBytes;
}

/** The highest COUNTER of each sender (reading [A29]); with several replicas, all of them remember together. */
export interface KmsCounters {
  /** In one step that no other caller can come between. @returns false for a count that is not higher than all before. */
  advance(sender: MikeyIdentity, count: number): Later<boolean>;
}

/** The KMSs that issue tickets for our users besides this one (RFC 6043 10). */
export interface TicketIssuers {
  /** Never rejects. */
  ask(foreign: ForeignTicket): Promise<IssuerAnswer>;
}

/** Lets a proven subscriber in, or says after how many seconds it may come again. */
export type Admission = (subscriber: KmsUser, now: number) => number | undefined;

/** Authenticated messages that were seen; with several replicas, all of them remember together. */
export interface ReplayMemory {
  /**
   * Remembers a message until a time in milliseconds since 1970, in one step that no other caller can come between.
   * @param digest SHA-256 of the message.
   * @returns `full` when nothing could be remembered: the message must be refused.
   */
  remember(digest: Uint8Array, until: number, now: number): Later<'new' | 'replayed' | 'full'>;
}

/** What an authenticated question was about, for the audit: names and digests, never a key. */
export interface KmsExchangeSubject {
  /** The identity that the sender spoke under. */
  readonly asker: MikeyIdentity;
  /** Whom the ticket names; empty where the question could not be read so far. */
  readonly responders: readonly MikeyIdentity[];
  /** SHA-256 of the Ticket Data, the same when it is granted and when it is resolved. */
  readonly ticketDigest?: Uint8Array;
  /** The KMS that issued the ticket, where that was another one. */
  readonly issuer?: MikeyIdentity;
}

/** What makes a KMS take public-key questions. */
export interface KmsPublicKey {
  /** At least one; several while an old certificate is replaced. The first is meant where a question names none. */
  readonly keys: readonly KmsKeyPair[];
  /** Who certifies users. */
  readonly anchors: TrustAnchors;
}

export interface KmsMachineOptions {
  readonly identity: MikeyIdentity;
  readonly tpks: TpkRing;
  readonly directory: KmsDirectory;
  readonly rules: GrantRules;
  readonly random: Random;
  /** Without it the machine remembers by itself. */
  readonly replays?: ReplayMemory;
  /** Most authenticated messages that the machine remembers by itself. */
  readonly replayCapacity?: number;
  /** Without them only our own tickets are resolved. */
  readonly issuers?: TicketIssuers;
  /** Without it everybody who is proven is let in. */
  readonly admission?: Admission;
  /** Without it a message that counts instead of telling the time is refused. */
  readonly counters?: KmsCounters;
  /** Without it public-key questions are refused. */
  readonly publicKey?: KmsPublicKey;
}

/** How an exchange ended, in the terms of profile 6.2. */
export type KmsOutcome =
  | {
      readonly outcome: 'answered';
      readonly message: Uint8Array;
      readonly subscriber: string;
      readonly subject: KmsExchangeSubject;
    }
  /** Understood, authentic, not granted: `message` is an Error with V, or signed where a public-key question brought no key. */
  | {
      readonly outcome: 'refused';
      readonly message: Uint8Array;
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly subject: KmsExchangeSubject;
      /** The message was seen before. */
      readonly isReplay: boolean;
    }
  /** Authentic, but not for this user: `message` is an Error with V. */
  | {
      readonly outcome: 'forbidden';
      readonly message: Uint8Array;
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly subject: KmsExchangeSubject;
    }
  /** Unknown key, wrong MAC or wrong signature, told apart by nobody, or useless certificates: `message` is an Error without V. */
  | { readonly outcome: 'not-authenticated'; readonly message: Uint8Array | undefined; readonly error: ProtocolError }
  | { readonly outcome: 'malformed'; readonly message: Uint8Array | undefined; readonly error: ProtocolError }
  /** The KMS that issued the ticket does not answer, or not now. */
  | {
      readonly outcome: 'issuer-away';
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly retryAfterSeconds: number;
      readonly subject: KmsExchangeSubject;
    }
  /** The KMS that issued the ticket answered what cannot be right, or did not prove who it is. */
  | {
      readonly outcome: 'issuer-failed';
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly subject: KmsExchangeSubject;
    }
  /** Authentic, and too many of this user; the message may come again. */
  | {
      readonly outcome: 'limited';
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly retryAfterSeconds: number;
    }
  | { readonly outcome: 'overloaded'; readonly error: ProtocolError };
