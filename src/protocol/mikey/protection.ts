import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { aesCtr, aesKeyUnwrapWithIv } from '../../crypto/aes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { hmacSha1, hmacSha256 } from '../../crypto/digest.ts';
import { dataTypeName, encryption, macAlgorithm, mikeyError, prfFunction } from './code-points.ts';
import {
  counterModeIv,
  derivation,
  deriveKey,
  messageLabel,
  type ExchangeRands,
  type MessageOrder,
} from './derivation.ts';
import { decodeMessage, encodeMessage, type DecodedMessage, type MikeyMessage } from './message.ts';
import { macOctets } from './payload-codec.ts';
import type { KemacPayload, KeyDataPayload, TimestampPayload, VerificationPayload } from './payloads.ts';
import { encodeKeyData } from './ticket-codec.ts';
import { timestampForIv } from './timestamp.ts';
import type { MikeySuite } from './key-types.ts';

/** What a suite name stands for, and the lengths of RFC 3830 4.1.4 and RFC 6043 6.1. */
export interface SuiteParameters {
  readonly name: MikeySuite;
  readonly prf: number;
  readonly mac: number;
  readonly encryption: number;
  readonly authenticationBits: number;
  /** Of encryption keys, and of every TGK, GTGK, TEK and MPK that this suite makes (reading [A16]). */
  readonly keyBits: number;
}

const counterSaltBits = 112;
const keyWrapSaltBits = 64;

export const suites: Readonly<Record<MikeySuite, SuiteParameters>> = {
  '128': {
    name: '128',
    prf: prfFunction.mikey1,
    mac: macAlgorithm.hmacSha1,
    encryption: encryption.aesCm128,
    authenticationBits: 160,
    keyBits: 128,
  },
  '256': {
    name: '256',
    prf: prfFunction.hmacSha256,
    mac: macAlgorithm.hmacSha256,
    encryption: encryption.aesCm256,
    authenticationBits: 256,
    keyBits: 256,
  },
};

/**
 * The suite that belongs to a PRF func: since algorithms of different length are not mixed (reading [A17]), one names all.
 * Reading [A7]: for messages it is the HDR's PRF func.
 */
export function suiteOfPrf(prf: number, field: string): SuiteParameters {
  if (prf === prfFunction.mikey1) return suites['128'];
  if (prf === prfFunction.hmacSha256) return suites['256'];
  throw new ProtocolError('unsupported', `PRF func ${prf}`, {
    field,
    expected: '0 or 1',
    hint: { mikey: mikeyError.invalidPrf },
  });
}

/** Derives the keys of one message, or of a ticket, from the secret behind it. */
export interface ProtectionKeys {
  readonly suite: SuiteParameters;
  authentication(): Uint8Array;
  encryption(): Uint8Array;
  salt(bits: number): Uint8Array;
}

/** @param label makes the label for one of the constants of RFC 3830 4.1.4. */
export function protectionKeys(
  suite: SuiteParameters,
  secret: SecretBytes,
  label: (constant: number) => Uint8Array,
): ProtectionKeys {
  const derive = (constant: number, bits: number): Uint8Array =>
    secret.use((octets) => deriveKey(suite.prf, octets, label(constant), bits));
  return {
    suite,
    authentication: () => derive(derivation.authentication, suite.authenticationBits),
    encryption: () => derive(derivation.encryption, suite.keyBits),
    salt: (bits) => derive(derivation.salt, bits),
  };
}

/** Keys of a message (RFC 6043 5.1.2). */
export function messageKeys(
  suite: SuiteParameters,
  secret: SecretBytes,
  csbId: number,
  order: MessageOrder,
  rands: ExchangeRands,
): ProtectionKeys {
  return protectionKeys(suite, secret, (constant) => messageLabel(constant, csbId, order, rands));
}

/** HMAC-SHA-1-160 or HMAC-SHA-256-256. */
export function computeMac(algorithm: number, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return (algorithm === macAlgorithm.hmacSha256 ? hmacSha256 : hmacSha1)(key, ...parts);
}

/** A V payload whose MAC is still zero. */
export function emptyVerification(suite: SuiteParameters): VerificationPayload {
  return { payload: 'V', macAlgorithm: suite.mac, mac: new Uint8Array(macOctets[suite.mac] ?? 0) };
}

/**
 * The octets of a message that its MAC or signature covers (RFC 6043 5.5): all but the MAC or signature itself and, in
 * TRANSFER_INIT only, all but the Initiator Data and its length. The caller appends what follows: identities or the initial message.
 */
export function coveredOctets(message: DecodedMessage, withoutInitiatorData: boolean): Uint8Array {
  const last = message.payloads.at(-1);
  const proof = last?.payload === 'V' ? last.mac : last?.payload === 'SIGN' ? last.signature : new Uint8Array();
  const covered = message.bytes.subarray(0, message.bytes.length - proof.length);
  const index = message.payloads.findIndex(({ payload }) => payload === 'TICKET');
  const ticket = message.payloads[index];
  const span = message.spans[index];
  if (!withoutInitiatorData || ticket?.payload !== 'TICKET' || span === undefined) return covered;
  const end = span.offset + span.length;
  return concatBytes(covered.subarray(0, end - ticket.initiatorData.length - 2), covered.subarray(end));
}

/** Encodes a message whose last payload is V and fills in its MAC. */
export function sealMessage(
  message: MikeyMessage,
  keys: ProtectionKeys,
  trailer: readonly Uint8Array[],
  withoutInitiatorData = false,
): { readonly bytes: Uint8Array; readonly mac: Uint8Array } {
  const unsealed = decodeMessage(
    encodeMessage({ ...message, payloads: [...message.payloads, emptyVerification(keys.suite)] }),
  );
  const covered = coveredOctets(unsealed, withoutInitiatorData);
  const mac = computeMac(keys.suite.mac, keys.authentication(), covered, ...trailer);
  const bytes = Uint8Array.from(unsealed.bytes);
  bytes.set(mac, bytes.length - mac.length);
  return { bytes, mac };
}

/** @throws ProtocolError `peer-misbehaved` unless the message ends in the V that `keys` and `trailer` make. */
export function verifyMessage(
  message: DecodedMessage,
  keys: ProtectionKeys,
  trailer: readonly Uint8Array[],
  withoutInitiatorData = false,
): void {
  const verification = message.payloads.at(-1);
  const field = `mikey.${dataTypeName(message.header.dataType)}.V`;
  if (verification?.payload !== 'V') {
    throw new ProtocolError('malformed', 'not the last payload', { field, hint: { mikey: mikeyError.unparseable } });
  }
  if (verification.macAlgorithm !== keys.suite.mac) {
    throw new ProtocolError('unsupported', `MAC algorithm ${verification.macAlgorithm}`, {
      field,
      expected: `MAC algorithm ${keys.suite.mac}, the one of the PRF`,
      hint: { mikey: mikeyError.invalidMac },
    });
  }
  const mac = computeMac(
    keys.suite.mac,
    keys.authentication(),
    coveredOctets(message, withoutInitiatorData),
    ...trailer,
  );
  if (!constantTimeEqual(mac, verification.mac)) {
    throw new ProtocolError('peer-misbehaved', 'authentication failed', {
      field,
      hint: { mikey: mikeyError.authenticationFailure },
    });
  }
}

/**
 * Enciphers keys. Reading [A5]: the IV takes the T of the message (or ticket) that carries the KEMAC.
 * The KEMAC has no MAC of its own: V covers it (RFC 6043 4.2.1.5).
 */
export function sealKeys(
  keys: readonly KeyDataPayload[],
  protection: ProtectionKeys,
  csbId: number,
  timestamp: TimestampPayload,
): KemacPayload {
  const iv = counterModeIv(protection.salt(counterSaltBits), csbId, timestampForIv(timestamp));
  return {
    payload: 'KEMAC',
    encryption: protection.suite.encryption,
    data: aesCtr(protection.encryption(), iv, encodeKeyData(keys)),
    macAlgorithm: macAlgorithm.null,
    mac: new Uint8Array(),
  };
}

/** The plaintext of a KEMAC with a MAC of NULL. Reading [A23]: AES-KW-128 takes multiples of 8 octets only. */
export function openKemac(
  kemac: KemacPayload,
  protection: ProtectionKeys,
  csbId: number,
  timestamp: TimestampPayload,
): Uint8Array {
  const { suite } = protection;
  if (kemac.encryption === suite.encryption) {
    const iv = counterModeIv(protection.salt(counterSaltBits), csbId, timestampForIv(timestamp));
    return aesCtr(protection.encryption(), iv, kemac.data);
  }
  if (kemac.encryption === encryption.aesKw128 && suite.name === '128') {
    return aesKeyUnwrapWithIv(protection.encryption(), protection.salt(keyWrapSaltBits), kemac.data);
  }
  throw new ProtocolError('unsupported', `encryption algorithm ${kemac.encryption}`, {
    field: 'mikey.KEMAC.encryption',
    expected: `encryption algorithm ${suite.encryption}, the one of the PRF`,
    hint: { mikey: mikeyError.invalidEncryption },
  });
}
