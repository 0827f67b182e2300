import type { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { MikeyIdentity } from './identity.ts';
import type { TicketProtectionKey } from './key-types.ts';
import type { GrantRules } from './kms-grant.ts';

/** Somebody who shares a key with the KMS. */
export interface KmsSubscriber {
  /** For the log. */
  readonly name: string;
  readonly psk: SecretBytes;
  /** True for every identity that the holder of the key may speak under. */
  owns(identity: MikeyIdentity): boolean;
  /** The identity that is meant when a message names none (reading [A34]). */
  readonly identity: MikeyIdentity;
}

/** Ticket protection keys: tickets need no other memory at the KMS. */
export interface TpkRing {
  /** Protects new tickets. */
  readonly current: TicketProtectionKey;
  /** Also finds keys that protect no new tickets but some that still live. */
  find(id: MikeyIdentity | undefined): SecretBytes | undefined;
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
  /** May this user hold a ticket for these responders? */
  mayRequest(subscriber: KmsSubscriber, responders: readonly MikeyIdentity[]): Later<boolean>;
  /** The identity of the ticket that this user may answer for, if any (reading [A27], aliases and groups). */
  responderFor(subscriber: KmsSubscriber, responders: readonly MikeyIdentity[]): Later<MikeyIdentity | undefined>;
}

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
}

/** How an exchange ended, in the terms of profile 6.2. */
export type KmsOutcome =
  | {
      readonly outcome: 'answered';
      readonly message: Uint8Array;
      readonly subscriber: string;
      readonly subject: KmsExchangeSubject;
    }
  /** Understood, authentic, not granted: `message` is an Error with V. */
  | {
      readonly outcome: 'refused';
      readonly message: Uint8Array;
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly subject: KmsExchangeSubject;
    }
  /** Authentic, but not for this user: `message` is an Error with V. */
  | {
      readonly outcome: 'forbidden';
      readonly message: Uint8Array;
      readonly subscriber: string;
      readonly error: ProtocolError;
      readonly subject: KmsExchangeSubject;
    }
  /** Unknown key or wrong MAC, told apart by nobody: `message` is an Error without V. */
  | { readonly outcome: 'not-authenticated'; readonly message: Uint8Array | undefined; readonly error: ProtocolError }
  | { readonly outcome: 'malformed'; readonly message: Uint8Array | undefined; readonly error: ProtocolError }
  | { readonly outcome: 'overloaded'; readonly error: ProtocolError };
