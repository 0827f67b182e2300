import { ProtocolError } from '../../base/errors.ts';
import type { Policy } from '../../base/protection-level.ts';
import { randomId, type Random } from '../../base/random.ts';
import { judgeSending, type ContactPolicies } from '../policy.ts';
import { refuse, RefusalError } from '../refusal.ts';
import { judgeLevel, openUnderPolicy } from '../sessions/protection-choice.ts';
import type { SessionContext } from '../sessions/session-context.ts';
import { openOutgoing, type EstablishedStream } from '../sessions/session-opener.ts';
import type { StreamPurpose } from '../sessions/stream-purpose.ts';
import type { FileLines } from './file-purpose.ts';
import type { FileTransfer } from './file-transfer.ts';

export interface FileStreamOptions {
  readonly context: SessionContext;
  readonly policies: ContactPolicies;
  readonly peer: string;
  readonly policy: Policy;
  readonly purpose: StreamPurpose;
  /** The same without what a peer may refuse for its body. */
  readonly plainPurpose?: StreamPurpose;
}

/** Opens a stream under the policy, its level judged by what its connection proved. @throws RefusalError */
export async function openFileStream(options: FileStreamOptions): Promise<EstablishedStream> {
  const { context, policies, peer, policy, purpose, plainPurpose } = options;
  const stream = await openUnderPolicy(context, policies, peer, policy, async (protection, judged) => {
    const open = (wanted: StreamPurpose) =>
      openOutgoing(context, peer, protection, (level) => judgeLevel(judged, level), wanted);
    try {
      return await open(purpose);
    } catch (error) {
      // RFC 5547 section 8.8: a peer that takes no multipart body gets the offer without its picture.
      if (plainPurpose === undefined || !isBodyRefused(error)) throw error;
      return open(plainPurpose);
    }
  });
  const verdict = judgeSending(policy, stream.level, policies.agreedLevel(peer));
  if (verdict === 'satisfied') return stream;
  stream.channel.close();
  void stream.sip.end();
  if (verdict === 'not-met') throw refuse('policy-not-met', 'file', { reached: stream.level, required: policy });
  policies.noteOffer(peer, stream.level);
  throw refuse('consent-required', 'file', { offered: stream.level, reached: stream.level, required: policy });
}

/** RFC 3261 section 21.4.13: 415 says that a body of this kind is not taken. */
function isBodyRefused(error: unknown): boolean {
  return error instanceof RefusalError && error.cause instanceof ProtocolError && error.cause.hint.sip === 415;
}

/** What the SDP says of a transfer; under a fresh transfer id unless one is answered. */
export function fileLines(
  random: Random,
  transfer: FileTransfer,
  more: { range?: FileLines['range']; transferId?: string | undefined; modifiedAt?: number },
): FileLines {
  const { name, size, type } = transfer.view;
  return {
    selector: { name, type, ...(size === undefined ? {} : { size }), hashes: transfer.hashes },
    transferId: more.transferId ?? randomId(random, 16),
    range: more.range,
    ...(more.modifiedAt === undefined ? {} : { modifiedAt: more.modifiedAt }),
  };
}
