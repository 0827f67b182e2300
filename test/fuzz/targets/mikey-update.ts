import { toHex } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { repeatableRandom } from '../../protocol/mikey/parties.ts';
import { ensure, ensureSame, type FuzzTarget } from '../target.ts';
import { exchanges, mikeyTokens, start } from './mikey-world.ts';

/** Both ends of a session whose ticket was answered, and a right update from the initiator that was not delivered. */
function bundles() {
  const { transfer, resolve, resolved } = exchanges[0];
  const random = repeatableRandom('fuzz-update');
  // The one whose RESOLVE_RESP is at hand: another resolve would have another.
  const answer = resolve.accept(resolved, start).respond({ now: start, random });
  const initiator = transfer.accept(answer.message, start).bundle;
  const update = initiator.startUpdate({ answerWanted: true, now: start + 1000 });
  return { responder: answer.bundle, update: update.message };
}

const { responder, update } = bundles();
const keyNow = (): string => responder.sessionKey(1).tek.use(toHex);
const key = keyNow();

/** A CSB update from anybody: unless it is the right one, a typed error, and the session is what it was. */
export const mikeyUpdate: FuzzTarget = {
  name: 'mikey-update',
  corpus: [update, exchanges[0].transfer.message],
  tokens: mikeyTokens,
  check: (input) => {
    if (toHex(input) === toHex(update)) return;
    let error: unknown;
    try {
      responder.receiveUpdate(input, start + 1000);
    } catch (thrown) {
      error = thrown;
    }
    ensure(error instanceof ProtocolError, `a changed update ends in ${String(error)}`);
    ensureSame(keyNow(), key, 'a changed update changed a key');
    responder.errorFor(input, error, start + 1000);
  },
};
