import { answerWithError } from '../../protocol/mikey/index.ts';
import type { RefusalError } from '../refusal.ts';
import type { IncomingInvite } from '../sip/index.ts';
import type { SessionContext } from './session-context.ts';
import { buildRefusal, type RemoteStream } from './stream-description.ts';

/**
 * Profile 3.2: 488 with a Warning; a failure of key management also says so as MIKEY Error in an SDP body. An offer that cannot be judged
 * now, because our KMS is away, gets 480 instead: another time it may be taken.
 */
export function rejectOffer(
  context: SessionContext,
  invite: IncomingInvite,
  remote: RemoteStream,
  problem: RefusalError,
): void {
  const warning = warningOf(problem.happened);
  const received = remote.media.keyMgmt;
  if (problem.code === 'kms-unreachable') {
    invite.reject(480, { warning });
    return;
  }
  if (received === undefined || problem.code === 'policy-not-met') {
    invite.reject(488, { warning });
    return;
  }
  const { clock, random } = context.ports;
  const mikeyError = answerWithError(received, problem.cause, clock.now());
  if (mikeyError === undefined) invite.reject(488, { warning });
  else invite.reject(488, { warning, contentType: 'application/sdp', body: buildRefusal(remote, mikeyError, random) });
}

/** Text for a Warning header: the peer learns the kind of the problem, not the state of our account. */
export function warningOf(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, "'")
    .replace(/["\\]/g, "'")
    .slice(0, 200);
}
