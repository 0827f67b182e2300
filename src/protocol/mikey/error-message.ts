import { ByteReader } from '../../base/byte-reader.ts';
import { ProtocolError } from '../../base/errors.ts';
import { RsaPrivateKey, type RsaPublicKey } from '../../crypto/rsa.ts';
import { dataType, mikeyError, mikeyErrorText, prfFunction } from './code-points.ts';
import { decodeMessage, encodeMessage, type DecodedMessage, type MikeyHeader } from './message.ts';
import { sealMessage, verifyMessage, type ProtectionKeys } from './protection.ts';
import type { ErrorPayload, SecurityPolicyPayload } from './payloads.ts';
import { isSignedBy, signMessage } from './signature.ts';
import { ntpTimestamp } from './timestamp.ts';

export interface ErrorMessageOptions {
  /** CSB ID of the failing message. */
  readonly csbId: number;
  /** PRF func of the failing message. */
  readonly prf: number;
  /** At least one. */
  readonly errorNumbers: readonly number[];
  /** What would have done, where policies of a Ticket Transfer were not supported. */
  readonly policies?: readonly SecurityPolicyPayload[];
  readonly now: number;
  /** Without it the Error is a hint that anybody could have sent. */
  readonly keys?: ErrorProof;
}

/** Keys of the failing message for a MAC or, where both sides share no key yet, the sender's own key for a signature. */
export type ErrorProof = ProtectionKeys | RsaPrivateKey;

/** An Error message (RFC 6043 5.4). Reading [A13]: no sessions, empty map, protected with the failing message's own keys. */
export function encodeErrorMessage(options: ErrorMessageOptions): Uint8Array {
  const { csbId, prf, errorNumbers, policies = [], now, keys } = options;
  const header: MikeyHeader = { dataType: dataType.error, answerWanted: false, prf, csbId, map: { type: 'empty' } };
  const errors = errorNumbers.map((errorNumber): ErrorPayload => ({ payload: 'ERR', errorNumber, reserved: 0 }));
  const message = { header, payloads: [ntpTimestamp(now), ...errors, ...policies] };
  if (keys === undefined) return encodeMessage(message);
  return (keys instanceof RsaPrivateKey ? signMessage(message, keys, []) : sealMessage(message, keys, [])).bytes;
}

/**
 * The Error message that answers a message which failed with `error`, by the number that the error carries.
 * @param policies that would have done, where the failing ones were not supported.
 * @returns `undefined` when no answer is due: the input is itself an Error or has not even a CSB ID.
 */
export function answerWithError(
  failing: Uint8Array,
  error: unknown,
  now: number,
  keys?: ErrorProof,
  policies: readonly SecurityPolicyPayload[] = [],
): Uint8Array | undefined {
  if (failing.length < 10 || failing[1] === dataType.error) return undefined;
  const reader = new ByteReader(failing.subarray(3));
  const prf = reader.u8('mikey.HDR.prf') & 0x7f;
  const csbId = reader.u32('mikey.HDR.csbId');
  const errorNumber = errorNumberOf(error);
  const knownPrf = prf <= prfFunction.hmacSha256 ? prf : prfFunction.hmacSha256;
  return encodeErrorMessage({
    csbId,
    prf: knownPrf,
    errorNumbers: [errorNumber],
    policies: policyErrors.includes(errorNumber) ? policies : [],
    now,
    ...(keys === undefined ? {} : { keys }),
  });
}

/** Errors that say which policies are supported (RFC 6043 5.4). */
const policyErrors: readonly number[] = [mikeyError.invalidSecurityPolicy, mikeyError.invalidPolicyParameter];

/** Reading [A14]: the number that tells a peer what was wrong. */
export function errorNumberOf(error: unknown): number {
  return (error instanceof ProtocolError ? error.hint.mikey : undefined) ?? mikeyError.unspecified;
}

export interface ErrorAnswer {
  readonly csbId: number;
  readonly errorNumbers: readonly [number, ...number[]];
  /** What the other end supports, where it says so. */
  readonly policies?: readonly SecurityPolicyPayload[];
  /** False: anybody on the way may have written it. */
  readonly authenticated: boolean;
}

/**
 * Reads an Error message.
 * @param keys of the message that it answers, to authenticate it.
 * @param senderKey to authenticate it when it is signed.
 * @throws ProtocolError when it is none, or when its V is wrong.
 */
export function readErrorMessage(
  message: Uint8Array | DecodedMessage,
  keys?: ProtectionKeys,
  senderKey?: RsaPublicKey,
): ErrorAnswer {
  const decoded = message instanceof Uint8Array ? decodeMessage(message) : message;
  if (decoded.header.dataType !== dataType.error) {
    throw new ProtocolError('malformed', `data type ${decoded.header.dataType}`, {
      field: 'mikey.HDR.dataType',
      expected: `${dataType.error}`,
    });
  }
  const [first, ...more] = decoded.payloads.flatMap((payload) =>
    payload.payload === 'ERR' ? [payload.errorNumber] : [],
  );
  if (first === undefined) {
    throw new ProtocolError('malformed', 'missing', { field: 'mikey.ERR', expected: 'at least one' });
  }
  const policies = decoded.payloads.filter((payload): payload is SecurityPolicyPayload => payload.payload === 'SP');
  return {
    csbId: decoded.header.csbId,
    errorNumbers: [first, ...more],
    ...(policies.length === 0 ? {} : { policies }),
    authenticated: isProven(decoded, keys, senderKey),
  };
}

/** False where there is nothing to check, or nothing to check it with. */
function isProven(
  error: DecodedMessage,
  keys: ProtectionKeys | undefined,
  senderKey: RsaPublicKey | undefined,
): boolean {
  const last = error.payloads.at(-1)?.payload;
  if (last === 'V' && keys !== undefined) {
    verifyMessage(error, keys, []);
    return true;
  }
  // A KMS may have a newer key than the one that we know: what we cannot verify is as good as unsigned.
  return last === 'SIGN' && senderKey !== undefined && isSignedBy(error, senderKey, []);
}

/** Throws what an Error message says, when the answer is one. */
export function refuseErrorAnswer(
  answer: DecodedMessage,
  csbId: number,
  field: string,
  keys?: ProtectionKeys,
  senderKey?: RsaPublicKey,
): void {
  if (answer.header.dataType !== dataType.error) return;
  const { csbId: answered, errorNumbers, authenticated } = readErrorMessage(answer, keys, senderKey);
  if (answered !== csbId) {
    throw new ProtocolError('peer-misbehaved', 'an Error that answers another message', { field });
  }
  const texts = errorNumbers.map((number) => `${mikeyErrorText(number)} (${number})`).join(', ');
  throw new ProtocolError('policy-denied', `refused: ${texts}${authenticated ? '' : ', not authenticated'}`, {
    field,
    hint: { mikey: errorNumbers[0] },
  });
}

/** The header of an answer must repeat its question (RFC 6043 4.2). */
export function checkAnswerHeader(answer: DecodedMessage, question: MikeyHeader, expectedType: number): void {
  const { header } = answer;
  const fails = (problem: string, field: string): never => {
    throw new ProtocolError('peer-misbehaved', problem, { field: `mikey.HDR.${field}` });
  };
  if (header.dataType !== expectedType) fails(`data type ${header.dataType}`, 'dataType');
  if (header.prf !== question.prf) fails('another PRF than the question', 'prf');
  if (header.csbId !== question.csbId) fails('another CSB ID than the question', 'csbId');
  if (header.map.type !== question.map.type) fails('another map type than the question', 'mapType');
}
