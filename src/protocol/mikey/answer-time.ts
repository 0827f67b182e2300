import { assertProtocolError } from '../../base/errors.ts';
import { dataType } from './code-points.ts';
import { checkAnswerHeader, readErrorMessage } from './error-message.ts';
import { kmsHeader, type KmsQuestion } from './kms-answer.ts';
import { decodeMessage } from './message.ts';
import { requiredPayload } from './payload-access.ts';
import { messageKeys, verifyMessage } from './protection.ts';
import { timestampMilliseconds } from './timestamp.ts';

/**
 * The time that the KMS has, by an answer or an Error message whose MAC proves that the KMS made it for this very question:
 * its keys depend on the question's random value. Where the clocks differ by more than RFC 3830 5.4 allows, this is how the
 * asker learns by how much (profile 6.5).
 * @param message the question as it was sent.
 * @returns milliseconds since 1970; undefined when nothing proves the answer.
 */
export function authenticatedTime(
  { type, suite, psk, csbId, rands, kmsKey }: KmsQuestion,
  message: Uint8Array,
  response: Uint8Array,
): number | undefined {
  try {
    const decoded = decodeMessage(response);
    const isError = decoded.header.dataType === dataType.error;
    const expected = isError ? dataType.error : type;
    checkAnswerHeader(decoded, kmsHeader(expected, suite, csbId, false), expected);
    // Reading [A13]: an Error is protected under the keys of the message that failed.
    const keys = messageKeys(suite, psk, csbId, isError ? 'initial' : 'response', rands);
    // An Error to a public-key question may be signed instead; then its CSB ID is what makes it the answer to this one.
    if (!isError) verifyMessage(decoded, keys, [message]);
    else if (!readErrorMessage(decoded, keys, kmsKey).authenticated) return undefined;
    return timestampMilliseconds(requiredPayload(decoded.payloads, 'T'), 'mikey.T');
  } catch (error) {
    assertProtocolError(error);
    return undefined;
  }
}
