import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { MikeyIdentity } from './identity.ts';
import type { SecurityPolicyPayload } from './payloads.ts';

/**
 * The algorithm set that protects a message or a ticket; the two are never mixed (RFC 6043 12.1).
 * `128`: MIKEY-1, HMAC-SHA-1-160, AES-CM-128. `256`: PRF-HMAC-SHA-256, HMAC-SHA-256-256, AES-CM-256.
 */
export type MikeySuite = '128' | '256';

/** TGK: forked when the ticket says so. GTGK: never forked. TEK: used as it is, no derivation. */
export type KeyKind = 'TGK' | 'GTGK' | 'TEK';

/**
 * From where to where a key may be used (RFC 3830 6.14): big-endian numbers in what the security protocol counts, for example the
 * packet index of SRTP. Both ends belong to the interval.
 */
export interface KeyInterval {
  readonly validFrom: Uint8Array;
  readonly validTo: Uint8Array;
}

/** A key that a ticket or a KEMAC of the Ticket Transfer carries. */
export interface TicketKey {
  readonly kind: KeyKind;
  readonly key: SecretBytes;
  /** Used as it is instead of a derived salt. */
  readonly salt?: Uint8Array;
  /** Names the key; every key has one (reading [A33]), but for a key with an interval where those are allowed: then empty. */
  readonly spi: Uint8Array;
  readonly interval?: KeyInterval;
}

/** A key that a ticket is to carry. */
export interface KeyWish {
  readonly kind: KeyKind;
  /** The suite's length when absent; 16 at least. */
  readonly octets?: number;
  /** No SALT when absent. */
  readonly saltOctets?: number;
  /** Fresh when absent. */
  readonly spi?: Uint8Array;
}

/** A crypto session that is offered. */
export interface SessionOffer {
  readonly csId: number;
  /** GENERIC-ID Prot type. */
  readonly protType: number;
  /** Numbers of the offered policies that would do; with none the responder must give one. */
  readonly policies: readonly number[];
  /** Form by Prot type; only SRTP's is looked into (reading [A24]). */
  readonly sessionData?: Uint8Array;
  /** S flag: with SRTP, ROC and SEQ follow the SSRC (reading [A25]). */
  readonly sessionDataHasIndex?: boolean;
  /** Names the key; the first key when absent, the responder's choice when empty. */
  readonly spi?: Uint8Array;
}

/** What we take from the other end of a Ticket Transfer. */
export interface PeerRules {
  /** Judges a policy that is offered or chosen; absent, one without parameters is taken and nothing else. */
  readonly acceptsPolicy?: (policy: SecurityPolicyPayload) => boolean;
  /** Takes keys that name an interval instead of an SPI, which RFC 3830 allows and RFC 6043 does not (reading [A33]). */
  readonly intervalKeys?: boolean;
}

/** What an initiator takes from an answer. */
export interface AnswerRules extends PeerRules {
  /** The responder may add crypto sessions (RFC 6043 4.2.2.3); refused when absent. */
  readonly moreSessions?: boolean;
  /**
   * Takes an answer from somebody whom the ticket does not name, where the KMS vouches for it: with flag I nobody else can make MPKr'
   * for a name. For tickets to groups whose KMS puts the member's name into RESOLVE_RESP (RFC 6043 5.5).
   */
  readonly groupMembers?: boolean;
}

/** A ticket protection key and its name. */
export interface TicketProtectionKey {
  readonly id: MikeyIdentity;
  readonly key: SecretBytes;
}
