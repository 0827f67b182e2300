import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { TicketFlags } from './flags.ts';
import type { GrantJudge } from './grant-judge.ts';
import type { MikeyIdentity } from './identity.ts';
import type { KeyKind, KeyWish, MikeySuite, TicketKey, TicketProtectionKey } from './key-types.ts';
import type { TicketPayload } from './payloads.ts';
import type { PublicKeyCredential } from './public-key-types.ts';
import type { TimestampChoice } from './timestamp.ts';

/** A ticket with the keys that the KMS handed to the initiator. Times are milliseconds since 1970. */
export interface GrantedTicket {
  readonly suite: MikeySuite;
  /** As the KMS granted it, without Initiator Data; travels unchanged in every transfer. */
  readonly ticketPayload: TicketPayload;
  readonly initiator: MikeyIdentity;
  readonly kms: MikeyIdentity;
  readonly responders: readonly MikeyIdentity[];
  readonly issuedAt: number;
  readonly validFrom?: number;
  readonly validUntil?: number;
  /** TRr: keys of this ticket are not used for new sessions after this many seconds, nor a session without new keys. */
  readonly rekeyingSeconds?: number;
  /** `issuedAt` and TRr added: from then on another ticket is needed. */
  readonly rekeyBy?: number;
  /** IDRapp: applications that the ticket is for; none named means all. Their meaning is the application's affair. */
  readonly applications?: readonly MikeyIdentity[];
  readonly flags: TicketFlags;
  readonly mpki: SecretBytes;
  /** Present exactly when flag I is set. */
  readonly mpkr?: SecretBytes;
  readonly keys: readonly TicketKey[];
}

export interface TicketRequestOptions {
  readonly suite: MikeySuite;
  /** Shared by initiator and KMS; 32 octets in this profile. */
  readonly psk: SecretBytes;
  readonly pskId?: MikeyIdentity;
  readonly initiator: MikeyIdentity;
  readonly kms: MikeyIdentity;
  /** At least one. */
  readonly responders: readonly MikeyIdentity[];
  readonly flags: TicketFlags;
  /** Kind of the one key; TGK when neither this nor `keys` says otherwise. */
  readonly keyKind?: KeyKind;
  /** Instead of `keyKind`, several keys. None at all where initiator or responder supply keys (flags L and M). */
  readonly keys?: readonly KeyWish[];
  readonly validFrom: number;
  readonly validUntil: number;
  /** TRr that is asked for. */
  readonly rekeyingSeconds?: number;
  /** IDRapp that is asked for. */
  readonly applications?: readonly MikeyIdentity[];
  /** Judges what the KMS granted otherwise than asked; `acceptsStricter` when absent. */
  readonly judge?: GrantJudge;
  readonly timestamp?: TimestampChoice;
  /** 16-bit Ticket Type; the profile's when absent. */
  readonly ticketType?: number;
  readonly now: number;
  readonly random: Random;
}

export type TicketRequestPkOptions = Omit<TicketRequestOptions, 'psk' | 'pskId'> & {
  readonly credential: PublicKeyCredential;
};

export interface TicketRequest {
  /** REQUEST_INIT_PSK or REQUEST_INIT_PK. */
  readonly message: Uint8Array;
  /**
   * Takes the KMS's answer, at most once per request.
   * @throws ProtocolError when it is not authentic, not fresh, an Error message, or grants less than was asked for.
   */
  accept(response: Uint8Array, now: number): GrantedTicket;
  /** The KMS's time, milliseconds since 1970, when the MAC of its answer or Error message proves it; takes nothing. */
  answerTime(response: Uint8Array): number | undefined;
}

/** A ticket that the initiator makes itself (modes 3 and 4). */
export interface MakeTicketOptions {
  readonly suite: MikeySuite;
  /** Shared with the KMS (mode 3) or with the responder (mode 4). */
  readonly tpk: TicketProtectionKey;
  readonly initiator: MikeyIdentity;
  readonly kms: MikeyIdentity;
  /** At least one. */
  readonly responders: readonly MikeyIdentity[];
  /** D and K clear, L set; with E the KMS resolves the ticket (mode 3), without it the responder does (mode 4). */
  readonly flags: TicketFlags;
  readonly keys: readonly KeyWish[];
  readonly validFrom: number;
  readonly validUntil: number;
  readonly rekeyingSeconds?: number;
  readonly applications?: readonly MikeyIdentity[];
  /** 16-bit Ticket Type; the profile's when absent. */
  readonly ticketType?: number;
  readonly now: number;
  readonly random: Random;
}
