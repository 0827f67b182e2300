import type { SecretBytes } from '../../../base/secret-bytes.ts';
import type { TrustAnchors } from '../../../crypto/certificate-path.ts';
import type { RsaPrivateKey } from '../../../crypto/rsa.ts';
import type { ExchangeRands } from '../derivation.ts';
import type { DecodedMessage } from '../message.ts';
import type { ProtectionKeys } from '../protection.ts';

/** What is known besides the message. */
export interface ProofInputs {
  /** Shared with the KMS; or the envelope key of an exchange with public keys. */
  readonly psk?: SecretBytes;
  /** MPKi, MPKr, MPKr' or the MPK of the ticket: each is tried for whatever it can be. */
  readonly mpks?: readonly SecretBytes[];
  readonly tpk?: SecretBytes;
  /** The key of the KMS: deciphers envelope keys, and signs Errors. */
  readonly kmsKey?: RsaPrivateKey;
  /** Whom the certificates in a message may lead to. */
  readonly anchors?: TrustAnchors;
  /** When certificates have to be valid, milliseconds since 1970. */
  readonly now: number;
  /** The message that this one answers. */
  readonly request?: Uint8Array;
  /** Earlier messages of the same Ticket Transfer: a CSB update takes its keys from the last of the first two (reading [A20]). */
  readonly exchange?: readonly Uint8Array[];
  /** ID Data of parties that the message leaves out (reading [A34]). */
  readonly initiator?: Uint8Array;
  readonly responder?: Uint8Array;
  readonly kms?: Uint8Array;
}

/** What became of one thing that could be proven or deciphered. */
export interface Finding {
  /** For example `V of TRANSFER_INIT`. */
  readonly subject: string;
  readonly result: 'verified' | 'deciphered' | 'failed' | 'not checked';
  /** With which key and over what; or why not. */
  readonly detail: string;
}

/** A secret that a key may be, and what it would be then. */
export interface Candidate {
  readonly secret: SecretBytes;
  /** For example `--mpk as MPKi`. */
  readonly name: string;
}

/** Keys that may protect a message. */
export interface ProtectionCandidate {
  readonly keys: ProtectionKeys;
  readonly name: string;
}

/** What protects a message, or in words why that is not known. */
export type Protection =
  { readonly candidates: readonly ProtectionCandidate[]; readonly rands: ExchangeRands } | { readonly unknown: string };

/** A message with the one that it answers. */
export interface Exchange {
  readonly message: DecodedMessage;
  readonly question: DecodedMessage | undefined;
}
