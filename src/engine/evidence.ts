import type { SipProtocol } from './sip-ports.ts';
import type { KmsCredentialMode } from './tickets/kms-credential-mode.ts';

/**
 * Why a message has the level it is shown with. Plain JSON: times in milliseconds since 1970, octets as hexadecimal text.
 * An evidence is written only after the proof it names has happened (docs/security-model.md).
 */
export type Evidence =
  | MsrpPskTlsEvidence
  | MsrpFingerprintTlsEvidence
  | MsrpRelayEvidence
  | MsrpPlainEvidence
  | MessagePskMimeEvidence
  | MessageSignallingEvidence;

export interface TlsEvidence {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  readonly suite: string;
}

export interface TicketEvidence {
  readonly issuedAt: number;
  /** Absent when the ticket names no end. */
  readonly validUntil?: number;
  /** How this account came to the key that it shares with the KMS. */
  readonly credential?: KmsCredentialMode;
}

/** A session over PSK-TLS; the handshake proved a key that only the holders of the resolved ticket have (profile 3). */
export interface MsrpPskTlsEvidence {
  readonly kind: 'msrp-psk-tls';
  readonly tls: TlsEvidence;
  /** Who connected: the active side is the TLS client. */
  readonly role: 'active' | 'passive';
  /** Identity of the KMS that vouches for the peer. */
  readonly kms: string;
  readonly ticket: TicketEvidence;
  /** CSB ID and CS ID of the crypto session, `01020304.01`. */
  readonly keyId: string;
  /** KMS user identity of the peer. */
  readonly peer: string;
  readonly vouchedBy: 'kms';
  readonly verifiedAt: number;
  readonly notProtected: readonly string[];
}

/** A session over TLS in which both certificate fingerprints of the SDP were checked (profile 2). */
export interface MsrpFingerprintTlsEvidence {
  readonly kind: 'msrp-fingerprint-tls';
  readonly tls: TlsEvidence;
  readonly localFingerprint: string;
  readonly peerFingerprint: string;
  /** What the network said about this stream. Only the first two make it `e2ae`. */
  readonly indication: 'applied' | 'inferred-from-registration' | 'none';
  readonly vouchedBy: 'network' | 'nobody';
  readonly verifiedAt: number;
  readonly notProtected: readonly string[];
}

/** A session through MSRP relays (RFC 4976). Each relay reads what it forwards; only the way to the first is proven. */
export interface MsrpRelayEvidence {
  readonly kind: 'msrp-relay';
  readonly tls: TlsEvidence;
  /** The relay whose certificate proved this name. */
  readonly relay: string;
  /** Whose relay it is. */
  readonly side: 'own' | 'peer';
  /** What the far end says of the way behind the relay: TLS all along, or not. */
  readonly beyond: 'tls' | 'plain';
  readonly vouchedBy: 'nobody';
  readonly verifiedAt: number;
  readonly notProtected: readonly string[];
}

export interface MsrpPlainEvidence {
  readonly kind: 'msrp-plain';
  readonly vouchedBy: 'nobody';
  readonly notProtected: readonly string[];
}

/** A MESSAGE sealed under a key from a MIKEY ticket (profile 5). */
export interface MessagePskMimeEvidence {
  readonly kind: 'message-psk-mime';
  /** For example `AES-256-GCM`. */
  readonly contentEncryption: string;
  readonly kms: string;
  readonly ticket: TicketEvidence;
  /** CSB ID, CS ID and SPI, hexadecimal. */
  readonly keyId: string;
  /** Whether the KMS and the MAC proved who wrote it. For an own message: it carries such a proof. */
  readonly origin: 'proven' | 'unproven';
  /** Who vouches for the other end; `nobody` when the origin is not proven or the message could not be read. */
  readonly vouchedBy: 'kms' | 'nobody';
  readonly verifiedAt: number;
  readonly notProtected: readonly string[];
}

/** A MESSAGE protected by nothing but the signalling connection (profile 4). */
export interface MessageSignallingEvidence {
  readonly kind: 'message-signalling';
  /** Of the registered flow that it went over; absent when there was none. */
  readonly transport?: SipProtocol;
  readonly tls?: TlsEvidence;
  /** Security mechanisms that the network announced and we verified (RFC 3329); empty without agreement. */
  readonly securityAgreement: readonly string[];
  readonly vouchedBy: 'network' | 'nobody';
  readonly verifiedAt: number;
  readonly notProtected: readonly string[];
}

const metadata = 'who talks to whom, and when';
const operator = 'the text, from the operator’s network and from everybody behind it';

/** What stays readable to others at each kind of protection, in words for the user. */
export const notProtectedBy = {
  endToEnd: [metadata, 'the text, from whoever runs the key management server'],
  accessEdge: [operator, metadata],
  unverifiedEnd: ['the text, from whoever holds the other end of the connection', operator, metadata],
  relayed: [
    'the text, from the relays on the way and from whoever runs them',
    'the text, from whoever holds the other end of the connection',
    metadata,
  ],
  nothing: ['the text, from everybody on the way', metadata],
} as const;
