import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { RsaPrivateKey } from '../../crypto/rsa.ts';
import type { Certificate } from '../../crypto/x509.ts';
import type { TicketFlags } from './flags.ts';
import type { MikeyIdentity } from './identity.ts';
import type { TicketPayload } from './payloads.ts';

/**
 * The algorithm set that protects a message or a ticket; the two are never mixed (RFC 6043 12.1).
 * `128`: MIKEY-1, HMAC-SHA-1-160, AES-CM-128. `256`: PRF-HMAC-SHA-256, HMAC-SHA-256-256, AES-CM-256.
 */
export type MikeySuite = '128' | '256';

/** TGK: forked when the ticket says so. GTGK: never forked. TEK: used as it is, no derivation. */
export type KeyKind = 'TGK' | 'GTGK' | 'TEK';

/** A key that a ticket carries. */
export interface TicketKey {
  readonly kind: KeyKind;
  readonly key: SecretBytes;
  /** Used as it is instead of a derived salt. */
  readonly salt?: Uint8Array;
  /** Names the key; every key has one (reading [A33]). */
  readonly spi: Uint8Array;
}

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
  readonly keyKind: KeyKind;
  readonly validFrom: number;
  readonly validUntil: number;
  /** 16-bit Ticket Type; the profile's when absent. */
  readonly ticketType?: number;
  readonly now: number;
  readonly random: Random;
}

export interface TicketRequest {
  /** REQUEST_INIT_PSK or REQUEST_INIT_PK. */
  readonly message: Uint8Array;
  /**
   * Takes the KMS's answer, at most once per request.
   * @throws ProtocolError when it is not authentic, not fresh, an Error message, or grants less than was asked for.
   */
  accept(response: Uint8Array, now: number): GrantedTicket;
}

/** A General Extension payload (RFC 3830 6.15). */
export interface MikeyExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface TransferOptions {
  readonly ticket: GrantedTicket;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  /** GENERIC-ID Prot type of the one crypto session. */
  readonly protType: number;
  readonly csId: number;
  /** The key management protocols that the SDP offers, for example `mikey` (RFC 4567 4.1.4). */
  readonly sdpIds?: string;
  /**
   * General Extensions besides SDP IDs. As a function: for contents that depend on the key of this very crypto session, such
   * as a proof of origin over a message sealed under it; called once, before the message is written and its MAC computed.
   */
  readonly extensions?: readonly MikeyExtension[] | ((session: TransferSession) => readonly MikeyExtension[]);
  readonly now: number;
  readonly random: Random;
}

/** The crypto session that a TRANSFER_INIT sets up. */
export type TransferSession = Pick<Transfer, 'csbId' | 'csId' | 'spi' | 'sessionKey'>;

export interface Transfer {
  /** TRANSFER_INIT. */
  readonly message: Uint8Array;
  readonly csbId: number;
  readonly csId: number;
  readonly spi: Uint8Array;
  /** T of the message, milliseconds since 1970. */
  readonly timestamp: number;
  /**
   * The crypto session's TEK when no answer will come (F=0).
   * @throws ProtocolError `local` when the ticket wants an answer.
   */
  sessionKey(): SecretBytes;
  /**
   * Takes one TRANSFER_RESP; may be called again for each endpoint that answers a forked INVITE.
   * @throws ProtocolError when it is not authentic, not fresh, an Error message or from somebody the ticket does not name.
   */
  accept(transferResponse: Uint8Array, now: number): { readonly tek: SecretBytes; readonly responder: MikeyIdentity };
}

export interface ReceiveOptions {
  readonly now: number;
  /** Every identity that may be addressed here; the first is assumed when the message names none. */
  readonly self: readonly MikeyIdentity[];
  /** GENERIC-ID Prot types that fit where the message was found. */
  readonly protTypes: readonly number[];
  /** `window`: T must be of now. `ticket`: T must lie in the ticket's life (stored and forwarded messages, profile 5.5). */
  readonly checkFreshness: 'window' | 'ticket';
}

export interface ResolveOptions {
  /** Shared by responder and KMS; 32 octets in this profile. */
  readonly psk: SecretBytes;
  readonly pskId?: MikeyIdentity;
  /** The ticket's when absent; never weaker than it. */
  readonly suite?: MikeySuite;
  readonly self: MikeyIdentity;
  readonly kms: MikeyIdentity;
  readonly now: number;
  readonly random: Random;
}

/** What a user proves itself with to a KMS that knows its certificate, and the KMS's own (RFC 6043 4.2.1.3). */
export interface PublicKeyCredential {
  /** DER, the user's first, each next one certifies the one before. */
  readonly certificates: readonly Uint8Array[];
  readonly privateKey: RsaPrivateKey;
  /** Trusted because it was configured; its key enciphers the envelope key. */
  readonly kmsCertificate: Certificate;
}

export type TicketRequestPkOptions = Omit<TicketRequestOptions, 'psk' | 'pskId'> & {
  readonly credential: PublicKeyCredential;
};

export type ResolvePkOptions = Omit<ResolveOptions, 'psk' | 'pskId'> & { readonly credential: PublicKeyCredential };

export interface TicketResolve {
  /** RESOLVE_INIT_PSK or RESOLVE_INIT_PK. */
  readonly message: Uint8Array;
  /**
   * Takes the KMS's answer and proves with its keys that the TRANSFER_INIT is authentic.
   * @throws ProtocolError when either is not, or the KMS refused.
   */
  accept(resolveResponse: Uint8Array, now: number): ResolvedTransfer;
}

/** A TRANSFER_INIT that passed every check that needs no key. Nothing in it is authentic yet. */
export interface ReceivedTransfer {
  readonly csbId: number;
  readonly csId: number;
  readonly protType: number;
  /** SPI that the crypto session names; empty when it leaves the choice to us. */
  readonly spi: Uint8Array;
  /** T of the message, milliseconds since 1970. */
  readonly timestamp: number;
  readonly suite: MikeySuite;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  /** The KMS that the ticket names. */
  readonly kms?: MikeyIdentity;
  readonly sdpIds?: string;
  /** General Extensions other than SDP IDs. */
  readonly extensions: readonly MikeyExtension[];
  readonly flags: TicketFlags;
  /** SHA-256 over the message's MAC: with initiator, CSB ID and T the key of the replay cache. */
  readonly macHash: Uint8Array;
  readonly validFrom?: number;
  readonly validUntil?: number;
  readonly ticketIssuedAt: number;
  createResolve(options: ResolveOptions): TicketResolve;
  /** @throws ProtocolError when the certificate of the KMS cannot be used. */
  createResolvePk(options: ResolvePkOptions): TicketResolve;
}

/** A TRANSFER_INIT whose ticket the KMS resolved for us and whose MAC holds. */
export interface ResolvedTransfer {
  /** True when the KMS vouches that the ticket's initiator itself sent this very message (I=1, profile 5.4). */
  readonly originProven: boolean;
  readonly initiator: MikeyIdentity;
  /** SPI of the key that the crypto session uses. */
  readonly spi: Uint8Array;
  /**
   * The crypto session's TEK when no answer is sent (F=0).
   * @throws ProtocolError `local` when the ticket wants an answer.
   */
  sessionKey(): SecretBytes;
  /**
   * Answers with TRANSFER_RESP.
   * @throws ProtocolError `local` when the ticket forbids an answer (F=0).
   */
  respond(options: { readonly now: number; readonly random: Random }): {
    readonly message: Uint8Array;
    readonly tek: SecretBytes;
  };
}
