import type { Clock } from '../../base/clock.ts';
import { silentLogger, type Logger } from '../../base/log.ts';
import { limits } from '../limits.ts';
import type { Note } from './note-store.ts';
import { StoreError, type AccountStore, type Store } from './store.ts';

const noteKind = 'retention';
const dayMilliseconds = 24 * 60 * 60_000;
/** The clock may have moved so far since the last run; by more it was set forward, or nobody was here for long. */
const unsuspiciousMilliseconds = 3 * dayMilliseconds;
/** A clock in doubt is believed when it went on for a day, and not much further at once. */
const confirmedAfterMilliseconds = dayMilliseconds;
const longestAbsenceMilliseconds = 100 * dayMilliseconds;
/** Key of a note of the whole store. */
const clockKey = 'clock';
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

interface KnownTime {
  /** When rules were last applied. */
  readonly believed: number;
  /** Later by more than can be believed at once. */
  readonly doubted?: number;
}

/**
 * Whether rules may be applied at this time. A clock that was set forward by a year would remove everything at once, and nothing brings
 * that back: what jumps is believed a day later, when it is still there.
 */
function isBelieved({ notes }: Store, now: number): boolean {
  const known = readKnownTime(notes.get(noteKind, clockKey));
  const isUnsuspicious = known === undefined || now - known.believed <= unsuspiciousMilliseconds;
  const since = known?.doubted === undefined ? -1 : now - known.doubted;
  if (isUnsuspicious || (since >= confirmedAfterMilliseconds && since <= longestAbsenceMilliseconds)) {
    notes.set(noteKind, clockKey, { believed: now });
    return true;
  }
  if (since < 0 || since > longestAbsenceMilliseconds) {
    notes.set(noteKind, clockKey, { believed: known.believed, doubted: now });
  }
  return false;
}

function readKnownTime(note: Note | undefined): KnownTime | undefined {
  if (typeof note !== 'object' || note === null || !('believed' in note)) return undefined;
  const { believed, doubted } = note;
  if (typeof believed !== 'number') return undefined;
  return typeof doubted === 'number' ? { believed, doubted } : { believed };
}

/** @returns how many messages went, undefined when the clock is in doubt */
function applyAll(store: Store, now: number): number | undefined {
  const accounts = store.accounts().map((id) => store.account(id));
  if (accounts.every(({ notes }) => notes.list(noteKind).length === 0)) return 0;
  if (!isBelieved(store, now)) return undefined;
  return accounts.reduce((sum, account) => sum + applyRetention(account, now), 0);
}

/** Applies the rules of all accounts now and every day, by a clock that did not jump. @returns what stops it */
export function keepRetention(
  store: Store,
  { clock, log = silentLogger }: { readonly clock: Clock; readonly log?: Logger },
): () => void {
  let cancel = (): void => undefined;
  const apply = (): void => {
    cancel = clock.after(dayMilliseconds, apply);
    try {
      const removed = store.transaction(() => applyAll(store, clock.now()));
      if (removed === undefined) log.log('warn', 'store.retention-clock-doubted');
      else if (removed > 0) log.log('info', 'store.retention', { removed });
    } catch (error) {
      // What could not be removed today is removed tomorrow; sending and receiving meet the same failure themselves.
      if (!(error instanceof StoreError)) throw error;
      log.log('warn', 'store.retention-failed', { code: error.code });
    }
  };
  apply();
  return () => cancel();
}
