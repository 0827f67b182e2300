import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { RsaPublicKey } from '../../crypto/rsa.ts';
import type { ExchangeRands } from './derivation.ts';
import { checkAnswerHeader, refuseErrorAnswer } from './error-message.ts';
import type { DecodedMessage, MikeyHeader } from './message.ts';
import { requiredPayload } from './payload-access.ts';
import { messageKeys, openKemac, verifyMessage, type SuiteParameters } from './protection.ts';
import { readKeyList, type KeyList } from './ticket-keys.ts';

/** Header of the messages to and from a KMS. Reading [A6]: V is set in the INIT messages, whatever 6.1 says. */
export function kmsHeader(type: number, suite: SuiteParameters, csbId: number, answerWanted: boolean): MikeyHeader {
  return { dataType: type, answerWanted, prf: suite.prf, csbId, map: { type: 'empty' } };
}

/** What was asked of the KMS, as far as its answer depends on it. */
export interface KmsQuestion {
  /** Data type of the answer. */
  readonly type: number;
  readonly suite: SuiteParameters;
  readonly psk: SecretBytes;
  readonly csbId: number;
  readonly rands: ExchangeRands;
  /** Flag I: the answer then carries MPKi and MPKr. */
  readonly forked: boolean;
  /** Proves Errors that the KMS signs. */
  readonly kmsKey?: RsaPublicKey | undefined;
}

/**
 * Verifies and deciphers REQUEST_RESP or RESOLVE_RESP.
 * @param message the question as it was sent; the MAC of the answer covers it.
 */
export function openKmsAnswer(question: KmsQuestion, message: Uint8Array, response: DecodedMessage): KeyList {
  const { type, suite, psk, csbId, rands, forked, kmsKey } = question;
  const errorKeys = messageKeys(suite, psk, csbId, 'initial', rands);
  refuseErrorAnswer(response, csbId, 'kms.error', errorKeys, kmsKey);
  checkAnswerHeader(response, kmsHeader(type, suite, csbId, false), type);
  const keys = messageKeys(suite, psk, csbId, 'response', rands);
  verifyMessage(response, keys, [message]);
  const timestamp = requiredPayload(response.payloads, 'T');
  const plaintext = openKemac(requiredPayload(response.payloads, 'KEMAC'), keys, csbId, timestamp);
  return readKeyList(plaintext, forked ? 2 : 1, suite);
}
