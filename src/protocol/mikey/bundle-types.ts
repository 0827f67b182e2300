import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { MikeyIdentity } from './identity.ts';
import type { CryptoSession } from './message.ts';
import type { SecurityPolicyPayload } from './payloads.ts';
import type { KeyKind, SessionOffer, TicketKey } from './key-types.ts';

/** The key of one crypto session (RFC 6043 5.1.3). */
export interface CryptoSessionKey {
  readonly kind: KeyKind;
  readonly spi: Uint8Array;
  readonly tek: SecretBytes;
  /**
   * Master salt: the one that came with the key, or derived from a TGK or GTGK; empty for a TEK that came without.
   * @param bits length of a derived one, 112 for SRTP with AES-CM.
   */
  salt(bits: number): Uint8Array;
}

/** One message of a CSB update that we start (RFC 6043 5.2). */
export interface StartUpdateOptions {
  /** V flag: without an answer the update holds as soon as the message is made. */
  readonly answerWanted: boolean;
  /** New keys, where flag L (initiator) or M (responder) allows them. */
  readonly keys?: readonly TicketKey[];
  /** Crypto sessions that are added, or changed where their CS ID is known. */
  readonly sessions?: readonly SessionOffer[];
  readonly policies?: readonly SecurityPolicyPayload[];
  readonly now: number;
}

export interface StartedUpdate {
  /** TRANSFER_INIT of the update. */
  readonly message: Uint8Array;
  /**
   * Takes the answer, once.
   * @throws ProtocolError when it is not authentic, not fresh, an Error message, or leaves a session without key; the bundle is
   * unchanged then.
   */
  accept(response: Uint8Array, now: number): void;
}

export interface AnswerUpdateOptions {
  readonly now: number;
  readonly keys?: readonly TicketKey[];
  /** SPI for sessions, by CS ID, that came without or are to use another key. */
  readonly spis?: ReadonlyMap<number, Uint8Array>;
  readonly sessionData?: ReadonlyMap<number, Uint8Array>;
  readonly policies?: readonly SecurityPolicyPayload[];
}

export interface ReceivedUpdate {
  readonly answerWanted: boolean;
  /** Sessions that the message adds or changes. */
  readonly sessions: readonly CryptoSession[];
  /** How many keys came with it. */
  readonly keyCount: number;
  /**
   * TRANSFER_RESP of the update, once; the update holds from then on.
   * @throws ProtocolError `local` when no answer is wanted, or when a session would be left without key.
   */
  respond(options: AnswerUpdateOptions): Uint8Array;
  /** An authenticated Error instead; nothing of the update holds. */
  refuse(error: unknown, now: number): Uint8Array;
}

/**
 * What one Ticket Transfer set up between us and the one endpoint that answered: its crypto sessions, their keys, and the means
 * to change both (RFC 6043 5.2). Each endpoint that answers a forked invitation has a bundle of its own.
 */
export interface CryptoSessionBundle {
  readonly role: 'initiator' | 'responder';
  readonly csbId: number;
  /** The other end. */
  readonly peer: MikeyIdentity;
  readonly sessions: readonly CryptoSession[];
  /** TRr counted from the last new key: until then it must get another. */
  readonly rekeyBy: number | undefined;
  /**
   * @param position where the security protocol stands, for keys with an interval.
   * @throws ProtocolError `local` for an unknown CS ID, `expired` when no key of the session is valid at the position or TRr has passed.
   */
  sessionKey(csId: number, options?: { readonly position?: bigint; readonly now?: number }): CryptoSessionKey;
  /** @throws ProtocolError `local` when the flags forbid our keys, or a session would have none. */
  startUpdate(options: StartUpdateOptions): StartedUpdate;
  /**
   * Takes a TRANSFER_INIT with this CSB ID. Without V flag the update holds at once.
   * @throws ProtocolError when it is not authentic, not fresh or brings keys that the flags forbid; the bundle is unchanged then.
   */
  receiveUpdate(message: Uint8Array, now: number): ReceivedUpdate;
  /** The unauthenticated or, where the failing message was authentic, authenticated Error that answers a failed update. */
  errorFor(message: Uint8Array, error: unknown, now: number): Uint8Array | undefined;
  /** Wipes every key. */
  dispose(): void;
}
