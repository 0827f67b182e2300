import type { Clock } from '../../base/clock.ts';
import { silentLogger, type Logger } from '../../base/log.ts';
import { limits } from '../limits.ts';
import { StoreError, type AccountStore, type Store } from './store.ts';

const noteKind = 'retention';
const dayMilliseconds = 24 * 60 * 60_000;
/** Key of the account's own rule; those of conversations are their peers. */
const ownKey = '';

/** How long messages are kept: a number of days, at least 1, or for ever. */
export type Retention = number | 'for-ever';

/** The rule of a conversation, undefined when it follows the account's; without `peer` that of the account. */
export function retentionOf({ notes }: AccountStore, peer?: string): Retention | undefined {
  const rule = notes.get(noteKind, peer ?? ownKey);
  if (rule === 'for-ever' || typeof rule === 'number') return rule;
  return peer === undefined ? 'for-ever' : undefined;
}

/**
 * Takes effect with the next `applyRetention`.
 * @param rule undefined takes it away again
 * @throws RangeError for a number that is none of days
 */
export function setRetention({ notes }: AccountStore, rule: Retention | undefined, peer?: string): void {
  if (rule === undefined) {
    notes.delete(noteKind, peer ?? ownKey);
    return;
  }
  if (rule !== 'for-ever' && (!Number.isInteger(rule) || rule < 1 || rule > limits.retentionDays)) {
    throw new RangeError(`messages are kept for 1 to ${limits.retentionDays} days, or for ever`);
  }
  notes.set(noteKind, peer ?? ownKey, rule);
}

/** Removes what is older than its rule allows, but nothing that is queued. @returns how many messages went */
export function applyRetention(account: AccountStore, now: number): number {
  if (account.notes.list(noteKind).length === 0) return 0;
  const own = retentionOf(account);
  let removed = 0;
  for (const { peer } of account.messages.conversations()) {
    const rule = retentionOf(account, peer) ?? own;
    if (typeof rule === 'number') removed += account.messages.removeOlderThan(now - rule * dayMilliseconds, peer);
  }
  return removed;
}

/** Applies the rules of all accounts now and every day. @returns what stops it */
export function keepRetention(
  store: Store,
  { clock, log = silentLogger }: { readonly clock: Clock; readonly log?: Logger },
): () => void {
  let cancel = (): void => undefined;
  const apply = (): void => {
    cancel = clock.after(dayMilliseconds, apply);
    try {
      const removed = store.transaction(() =>
        store.accounts().reduce((sum, id) => sum + applyRetention(store.account(id), clock.now()), 0),
      );
      if (removed > 0) log.log('info', 'store.retention', { removed });
    } catch (error) {
      // What could not be removed today is removed tomorrow; sending and receiving meet the same failure themselves.
      if (!(error instanceof StoreError)) throw error;
      log.log('warn', 'store.retention-failed', { code: error.code });
    }
  };
  apply();
  return () => cancel();
}
