import type { TicketFlags } from './flags.ts';

// Values as they stand on the wire: nothing here is checked for sense, so that every message re-encodes to its own octets.

/** T (RFC 3830 6.6, RFC 6043 6.4). */
export interface TimestampPayload {
  readonly payload: 'T';
  readonly timestampType: number;
  readonly value: Uint8Array;
}

/** TR (RFC 6043 6.4). */
export interface TimestampRolePayload {
  readonly payload: 'TR';
  readonly role: number;
  readonly timestampType: number;
  readonly value: Uint8Array;
}

/** ID (RFC 3830 6.7); MIKEY-TICKET itself uses IDR only. */
export interface IdPayload {
  readonly payload: 'ID';
  readonly idType: number;
  readonly data: Uint8Array;
}

/** IDR (RFC 6043 6.6). */
export interface IdRolePayload {
  readonly payload: 'IDR';
  readonly role: number;
  readonly idType: number;
  readonly data: Uint8Array;
}

export interface CertificatePayload {
  readonly payload: 'CERT';
  readonly certificateType: number;
  readonly data: Uint8Array;
}

export interface CertificateHashPayload {
  readonly payload: 'CHASH';
  readonly hashFunction: number;
  readonly hash: Uint8Array;
}

export interface RandPayload {
  readonly payload: 'RAND';
  readonly value: Uint8Array;
}

/** RANDR (RFC 6043 6.8). */
export interface RandRolePayload {
  readonly payload: 'RANDR';
  readonly role: number;
  readonly value: Uint8Array;
}

export interface SecurityPolicyPayload {
  readonly payload: 'SP';
  readonly policyNumber: number;
  readonly protType: number;
  readonly parameters: readonly { readonly type: number; readonly value: Uint8Array }[];
}

export interface KemacPayload {
  readonly payload: 'KEMAC';
  readonly encryption: number;
  readonly data: Uint8Array;
  readonly macAlgorithm: number;
  readonly mac: Uint8Array;
}

export interface EnvelopePayload {
  readonly payload: 'PKE';
  readonly cache: number;
  readonly data: Uint8Array;
}

/** Always last; it has no Next Payload octet. */
export interface SignaturePayload {
  readonly payload: 'SIGN';
  readonly signatureType: number;
  readonly signature: Uint8Array;
}

export interface VerificationPayload {
  readonly payload: 'V';
  readonly macAlgorithm: number;
  readonly mac: Uint8Array;
}

export interface ErrorPayload {
  readonly payload: 'ERR';
  readonly errorNumber: number;
  readonly reserved: number;
}

export interface DiffieHellmanPayload {
  readonly payload: 'DH';
  readonly group: number;
  readonly value: Uint8Array;
  readonly reserved: number;
  readonly validity: KeyValidity;
}

export interface GeneralExtensionPayload {
  readonly payload: 'EXTENSION';
  readonly extensionType: number;
  readonly data: Uint8Array;
}

/** KV and its data (RFC 3830 6.13, 6.14). */
export type KeyValidity =
  | { readonly kind: 'null' }
  | { readonly kind: 'spi'; readonly spi: Uint8Array }
  | { readonly kind: 'interval'; readonly validFrom: Uint8Array; readonly validTo: Uint8Array };

/** Key data sub-payload (RFC 3830 6.13, RFC 6043 6.2). */
export interface KeyDataPayload {
  readonly payload: 'KEY_DATA';
  readonly keyType: number;
  readonly key: Uint8Array;
  /** Present exactly for the three types with SALT. */
  readonly salt?: Uint8Array;
  readonly validity: KeyValidity;
}

/** THDR (RFC 6043 A.1): opens Ticket Data and has no code point. */
export interface TicketHeaderPayload {
  readonly payload: 'THDR';
  readonly data: Uint8Array;
}

/** What TP and TICKET have in common (RFC 6043 6.10). */
export interface TicketPolicy {
  readonly ticketType: number;
  readonly subtype: number;
  readonly version: number;
  /** 7-bit PRF Func for everything that belongs to the ticket. */
  readonly prf: number;
  readonly flags: TicketFlags;
  /** 5 bits. */
  readonly reserved: number;
  /** TP Data, without the octet that names its first payload. */
  readonly parameters: readonly Payload[];
}

export interface TicketPolicyPayload {
  readonly payload: 'TP';
  readonly policy: TicketPolicy;
}

export interface TicketPayload {
  readonly payload: 'TICKET';
  readonly policy: TicketPolicy;
  /** Opaque to everybody who has not the TPK; `decodeTicketData` reads its outside. */
  readonly ticketData: Uint8Array;
  /** Empty, or Vi and Vr with the octet that names Vi. */
  readonly initiatorData: Uint8Array;
}

export type Payload =
  | TimestampPayload
  | TimestampRolePayload
  | IdPayload
  | IdRolePayload
  | CertificatePayload
  | CertificateHashPayload
  | RandPayload
  | RandRolePayload
  | SecurityPolicyPayload
  | KemacPayload
  | EnvelopePayload
  | SignaturePayload
  | VerificationPayload
  | ErrorPayload
  | DiffieHellmanPayload
  | GeneralExtensionPayload
  | KeyDataPayload
  | TicketHeaderPayload
  | TicketPolicyPayload
  | TicketPayload;

export type PayloadName = Payload['payload'];
export type PayloadOf<Name extends PayloadName> = Extract<Payload, { readonly payload: Name }>;
