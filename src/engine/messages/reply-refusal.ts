import { refuse, type RefusalError } from '../refusal.ts';
import type { SipReply } from '../sip/index.ts';

/** Why a MESSAGE was not taken, by the final answer to it. */
export function replyRefusal({ status, reason }: SipReply): RefusalError {
  const said = `${status} ${reason}`;
  switch (status) {
    case 408:
    case 504:
      return refuse('timeout', 'uncertain');
    case 503:
      return refuse('connection-lost', 'uncertain', { happened: `The connection or the network failed (${said})` });
    case 413:
    case 513:
      return refuse('too-large', 'message', {
        happened: `The message is too large for the network or the other side (${said})`,
      });
    case 406:
    case 415:
    case 488:
    case 606:
      return refuse('peer-incompatible', 'message', {
        happened: `The other side cannot or will not take it this way (${said})`,
      });
    case 493:
      return refuse('decryption-failed', 'message', {
        happened: `The other side could not decrypt the message (${said})`,
      });
    case 404:
    case 410:
    case 480:
    case 604:
      return refuse('peer-unreachable', 'message', { happened: `The other side could not be reached (${said})` });
    default:
      return refuse('peer-refused', 'message', {
        happened: `The other side or the network refused the message (${said})`,
      });
  }
}
