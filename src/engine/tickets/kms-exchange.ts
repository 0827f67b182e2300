import { describeError, ProtocolError } from '../../base/errors.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { EnginePorts, KmsAddress, KmsExchange, KmsReply } from '../ports.ts';
import { refuse, RefusalError } from '../refusal.ts';

const errorDataType = 6;

/** The KMS answered 401: it does not take the key that the question was made with. A fresh key may be taken (profile 6.2). */
export class KmsKeyRejected extends RefusalError {
  constructor() {
    super('kms-refused', 'message', {
      happened: 'The key management server does not know this account’s key, or the key is wrong',
    });
  }
}

/**
 * One exchange with the KMS; its failures by profile 6.2.
 * @throws RefusalError `kms-unreachable`, `kms-refused` (`KmsKeyRejected` where the key is why) or `kms-answer-invalid`.
 */
export async function exchangeWithKms<Result>(
  ports: EnginePorts,
  kms: KmsAddress,
  kind: KmsExchange,
  message: Uint8Array,
  accept: (response: Uint8Array, now: number) => Result,
): Promise<Result> {
  const reply = await askKms(ports, kms, kind, message);
  const answer = requireMessage(reply);
  try {
    return accept(answer, ports.clock.now());
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    ports.log.log('warn', 'kms.answer-refused', { kind, field: error.field, reason: error.message });
    // An Error message may come without a MAC (RFC 3830 5.1.2): then TLS alone vouches for it. One whose MAC is wrong, or that
    // answers another question, is no refusal.
    if (answer[1] === errorDataType && error.kind === 'policy-denied') {
      throw refuse('kms-refused', 'message', {
        happened: `The key management server refused to give a key (${error.message})`,
        cause: error,
      });
    }
    throw refuse('kms-answer-invalid', 'message', { cause: error });
  }
}

async function askKms(ports: EnginePorts, kms: KmsAddress, kind: KmsExchange, message: Uint8Array): Promise<KmsReply> {
  try {
    return await withDeadline(
      ports.clock,
      limits.kmsExchangeMilliseconds,
      ports.keyManagement.exchange(kind, kms, message),
      () => new Error('no answer in time'),
    );
  } catch (error) {
    ports.log.log('warn', 'kms.unreachable', { kind, reason: describeError(error) });
    throw refuse('kms-unreachable', 'message', {
      happened: `The key management server could not be reached (${describeError(error)})`,
      cause: error,
    });
  }
}

function requireMessage(reply: KmsReply): Uint8Array {
  if (reply.status === 200 && reply.message !== undefined) return reply.message;
  if (reply.status === 401) throw new KmsKeyRejected();
  if (reply.status >= 400 && reply.status < 500 && reply.status !== 408 && reply.status !== 429) {
    throw refuse('kms-refused', 'message', {
      happened: `The key management server refused to give a key (HTTP status ${reply.status})`,
    });
  }
  throw refuse('kms-unreachable', 'message', {
    happened: `The key management server gave no usable answer (HTTP status ${reply.status})`,
  });
}
