import { AnswerCause } from '../outbox/answer-cause.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { SipReply } from '../sip/index.ts';

/** Why a MESSAGE was not taken, by the final answer to it; whether it is tried again is told by `meaningOf`. */
export function replyRefusal(reply: SipReply): RefusalError {
  const { status, reason, local, unsent } = reply;
  const isUncertain = unsent !== true;
  const said = `${status} ${reason}`;
  const cause = new AnswerCause(reply);
  switch (status) {
    case 408:
    case 504:
      return refuse('timeout', isUncertain ? 'uncertain' : 'message', { cause });
    case 503:
      return refuse('connection-lost', local !== undefined && isUncertain ? 'uncertain' : 'message', {
        happened: `The connection or the network failed (${said})`,
        cause,
      });
    case 413:
    case 513:
      return refuse('too-large', 'message', {
        happened: `The message is too large for the network or the other side (${said})`,
        cause,
      });
    case 406:
    case 415:
    case 488:
    case 606:
      return refuse('peer-incompatible', 'message', {
        happened: `The other side cannot or will not take it this way (${said})`,
        cause,
      });
    case 493:
      return refuse('decryption-failed', 'message', {
        happened: `The other side could not decrypt the message (${said})`,
        cause,
      });
    case 404:
    case 410:
    case 480:
    case 604:
      return refuse('peer-unreachable', 'message', {
        happened: `The other side could not be reached (${said})`,
        cause,
      });
    default:
      return refuse('peer-refused', 'message', {
        happened: `The other side or the network refused the message (${said})`,
        cause,
      });
  }
}
