import { describeError } from '../../base/errors.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import { StoreError, type OutboxEntry } from '../store/index.ts';

/** Why a message waits whose conversation is held up by an earlier one. */
export function following({ policy }: OutboxEntry, { code, details, happened }: RefusalError): RefusalError {
  const { offered, nextAttempt } = details;
  return refuse(code, 'waiting', {
    happened: `Earlier messages to this contact wait, and this one follows them (${happened})`,
    ...(nextAttempt === undefined ? {} : { nextAttempt }),
    ...(offered === undefined || policy !== 'prefer-e2e' ? {} : { offered, required: policy }),
  });
}

/** The storage of this device failed. */
export function unstored(error: unknown): RefusalError {
  const happened = `The message could not be kept on this machine (${describeError(error)})`;
  return refuse('storage-failed', 'message', { happened, cause: error });
}

/** The storage failed after it had the message, and took it back. */
export function takenBackByStorage(): RefusalError {
  return unstored(new StoreError('failed', 'the storage took it back'));
}

/** It was about to leave as it was promised, and has to be better protected now. */
export function raisedMeanwhile(): RefusalError {
  return refuse('connection-lost', 'message', {
    happened: 'The policy became stricter while the message was about to leave',
  });
}

/** It was tried for as long as a message is tried. @param last why the last attempt was in vain */
export function expired(last?: RefusalError): RefusalError {
  const tried = 'The message could not be sent in the time for which it is tried';
  return refuse(last?.code ?? 'timeout', 'message', {
    happened: last === undefined ? tried : `${tried} (${last.happened})`,
  });
}

/** The user ended the attempts at a message that may have arrived. */
export function stoppedHere(): RefusalError {
  return refuse('timeout', 'uncertain', { happened: 'It was sent without an answer, then stopped here' });
}

/** As soon as it can be tried. */
export function withoutDelay({ notBefore: _, ...entry }: OutboxEntry): OutboxEntry {
  return entry;
}
