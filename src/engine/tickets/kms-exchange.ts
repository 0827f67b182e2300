import { describeError, ProtocolError } from '../../base/errors.ts';
import { mikeyError, readErrorMessage } from '../../protocol/mikey/index.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { EnginePorts, KmsAddress, KmsExchange, KmsReply } from '../ports.ts';
import { refuse, RefusalError } from '../refusal.ts';
import type { KmsClock } from './kms-clock.ts';

const errorDataType = 6;
const invalidTimestamp = 1;

/** A question to the KMS, made with one key at one time, and how its answer is taken. */
export interface KmsQuestion<Result> {
  readonly message: Uint8Array;
  /** @throws ProtocolError */
  accept(response: Uint8Array, now: number): Result;
  /** The KMS's time, when the answer proves it. */
  answerTime(response: Uint8Array): number | undefined;
}

/** The KMS answered 401: it does not take the key that the question was made with. A fresh key may be taken (profile 6.2). */
export class KmsKeyRejected extends RefusalError {
  constructor(happened = 'The key management server does not know this account’s key, or the key is wrong') {
    super('kms-refused', 'message', { happened });
  }
}

/** The account has no key for the KMS, and whoever makes such keys refused to make one. */
export class KmsKeyRefused extends RefusalError {}

/** No answer, or none that could be used now: later there may be one. */
export class KmsUnavailable extends RefusalError {
  readonly retryAfterSeconds: number | undefined;
  /** HTTP status, when there was an answer. */
  readonly status: number | undefined;
  /** A connection that was kept from an earlier question had ended: another question may do better at once. */
  readonly isStale: boolean;

  constructor(happened: string, reply?: KmsReply, cause?: unknown) {
    super('kms-unreachable', 'message', { happened }, cause);
    this.status = reply?.status;
    this.retryAfterSeconds = reply?.retryAfterSeconds;
    this.isStale = cause instanceof ProtocolError && cause.field === 'kms.keptConnection';
  }
}

/** The KMS proved another time than ours and refused for that: with its time it may not. */
export class KmsTimeDiffers extends RefusalError {
  constructor(cause: ProtocolError) {
    super(
      'kms-refused',
      'message',
      { happened: 'The clock of this device differs too much from that of the key management server' },
      cause,
    );
  }
}

/**
 * One exchange with the KMS; its failures by profile 6.2. Learns the KMS's time from a proven answer before it judges it.
 * @throws RefusalError `kms-unreachable` (`KmsUnavailable`), `kms-refused` (`KmsKeyRejected`, `KmsTimeDiffers` where that is
 * why) or `kms-answer-invalid`.
 */
export async function exchangeWithKms<Result>(
  ports: Pick<EnginePorts, 'clock' | 'log' | 'keyManagement'>,
  kms: KmsAddress,
  kind: KmsExchange,
  question: KmsQuestion<Result>,
  kmsClock: KmsClock,
): Promise<Result> {
  const sentAt = ports.clock.now();
  const reply = await askKms(ports, kms, kind, question.message);
  const answer = requireMessage(reply);
  const told = question.answerTime(answer);
  if (told !== undefined) kmsClock.learn(told, sentAt, ports.clock.now());
  try {
    return question.accept(answer, kmsClock.now());
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    ports.log.log('warn', 'kms.answer-refused', { kind, field: error.field, reason: error.message });
    // An Error message may come without a MAC (RFC 3830 5.1.2): then TLS alone vouches for it. One whose MAC is wrong, or that
    // answers another question, is no refusal.
    if (answer[1] === errorDataType && error.kind === 'policy-denied') {
      if (told !== undefined && error.hint.mikey === invalidTimestamp) throw new KmsTimeDiffers(error);
      throw refuse('kms-refused', 'message', {
        happened: `The key management server refused to give a key (${error.message})`,
        cause: error,
      });
    }
    throw refuse('kms-answer-invalid', 'message', { cause: error });
  }
}

async function askKms(
  ports: Pick<EnginePorts, 'clock' | 'log' | 'keyManagement'>,
  kms: KmsAddress,
  kind: KmsExchange,
  message: Uint8Array,
): Promise<KmsReply> {
  try {
    return await withDeadline(
      ports.clock,
      limits.kmsExchangeMilliseconds,
      ports.keyManagement.exchange(kind, kms, message),
      () => new Error('no answer in time'),
    );
  } catch (error) {
    ports.log.log('warn', 'kms.unreachable', { kind, reason: describeError(error) });
    const happened = `The key management server could not be reached (${describeError(error)})`;
    throw new KmsUnavailable(happened, undefined, error);
  }
}

const certificateRejected = 'The key management server does not accept the certificate of this account';

/** Nobody vouches for such an Error message; it chooses words, no more. */
function isAboutCertificate(message: Uint8Array | undefined): boolean {
  try {
    return message !== undefined && readErrorMessage(message).errorNumbers.includes(mikeyError.invalidCertificate);
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

function requireMessage(reply: KmsReply): Uint8Array {
  const { status, message } = reply;
  if (status === 200 && message !== undefined) return message;
  if (status === 401) throw new KmsKeyRejected(isAboutCertificate(message) ? certificateRejected : undefined);
  if (status === 429) throw new KmsUnavailable('The key management server asks this account to wait', reply);
  if (status >= 400 && status < 500 && status !== 408) {
    throw refuse('kms-refused', 'message', {
      happened: `The key management server refused to give a key (HTTP status ${status})`,
    });
  }
  throw new KmsUnavailable(`The key management server gave no usable answer (HTTP status ${status})`, reply);
}
