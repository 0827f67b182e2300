import { describe, expect, it } from 'vitest';
import { FakeClock, type Clock } from '../../../src/base/clock.ts';
import {
  createMemoryStore,
  keepRetention,
  retentionOf,
  setRetention,
  StoreError,
  type Store,
} from '../../../src/engine/store/index.ts';
import { bob, chatMessage } from './stored-message.ts';

const day = 24 * 60 * 60_000;
const carol = 'sip:carol@example.org';

function filled(): { readonly store: Store; readonly clock: FakeClock; readonly left: () => readonly string[] } {
  const store = createMemoryStore({ reason: 'This is a test' });
  const clock = new FakeClock();
  for (const [account, peer] of [
    ['a', bob],
    ['a', carol],
    ['b', bob],
  ] as const) {
    for (const age of [100, 20, 5]) {
      const at = clock.now() - age * day;
      store
        .account(account)
        .messages.add(chatMessage(`${account}-${peer[4] ?? ''}-${age}`, { conversation: peer, at }));
    }
  }
  const left = () =>
    ['a', 'b'].flatMap((account) => [...store.account(account).messages.all()].map(({ id }) => id)).sort();
  return { store, clock, left };
}

describe('Messages', () => {
  it('are kept for ever unless the user says otherwise', () => {
    const { store, clock, left } = filled();
    const stop = keepRetention(store, { clock });
    clock.advance(400 * day);
    expect(left()).toHaveLength(9);
    expect(retentionOf(store.account('a'))).toBe('for-ever');
    stop();
    expect(clock.waiting).toBe(0);
  });

  it('go by the rule of the account, and by that of the conversation first', () => {
    const { store, clock, left } = filled();
    setRetention(store.account('a'), 30);
    setRetention(store.account('a'), 'for-ever', carol);
    const stop = keepRetention(store, { clock });
    expect(left()).toEqual(['a-b-20', 'a-b-5', 'a-c-100', 'a-c-20', 'a-c-5', 'b-b-100', 'b-b-20', 'b-b-5']);
    setRetention(store.account('a'), 10, bob);
    setRetention(store.account('a'), undefined, carol);
    expect([retentionOf(store.account('a'), bob), retentionOf(store.account('a'), carol)]).toEqual([10, undefined]);
    clock.advance(day);
    expect(left()).toEqual(['a-b-5', 'a-c-20', 'a-c-5', 'b-b-100', 'b-b-20', 'b-b-5']);
    stop();
  });

  it('go day by day while the program runs, but not while they are queued', () => {
    const { store, clock, left } = filled();
    store.account('a').messages.change('a-b-5', { state: 'queued' });
    setRetention(store.account('a'), 30);
    const stop = keepRetention(store, { clock });
    clock.advance(9 * day);
    expect(left()).toContain('a-c-20');
    clock.advance(20 * day);
    expect(left()).toEqual(['a-b-5', 'b-b-100', 'b-b-20', 'b-b-5']);
    stop();
  });

  describe('after the clock jumped forward by a year', () => {
    /** The clock is set while the program does not run. */
    function jumped() {
      const { store, clock, left } = filled();
      setRetention(store.account('a'), 30);
      keepRetention(store, { clock })();
      let offset = 365 * day;
      const set: Clock = { now: () => clock.now() + offset, after: (...args) => clock.after(...args) };
      const correct = () => (offset = 0);
      return { store, clock, left, set, correct, before: left() };
    }

    it('do not go, and stay when it is corrected', () => {
      const { store, clock, left, set, correct, before } = jumped();
      expect(before).toHaveLength(7);
      keepRetention(store, { clock: set })();
      clock.advance(day / 2);
      const stop = keepRetention(store, { clock: set });
      expect(left()).toEqual(before);
      correct();
      clock.advance(day);
      expect(left()).toEqual(before);
      clock.advance(30 * day);
      expect(left()).toEqual(['b-b-100', 'b-b-20', 'b-b-5']);
      stop();
    });

    it('go a day later when it was right', () => {
      const { store, clock, left, set, before } = jumped();
      const stop = keepRetention(store, { clock: set });
      clock.advance(day - 1);
      expect(left()).toEqual(before);
      clock.advance(1);
      expect(left()).toEqual(['b-b-100', 'b-b-20', 'b-b-5']);
      stop();
    });

    it('go with a later start of the program when it was right', () => {
      const { store, clock, left, set } = jumped();
      keepRetention(store, { clock: set })();
      clock.advance(20 * day);
      keepRetention(store, { clock: set })();
      expect(left()).toEqual(['b-b-100', 'b-b-20', 'b-b-5']);
    });
  });

  it('that cannot be removed today are removed tomorrow', () => {
    const { store, clock, left } = filled();
    setRetention(store.account('a'), 1);
    let isFull = true;
    const failing: Store = {
      ...store,
      transaction: (work) => {
        if (isFull) throw new StoreError('full', 'no room');
        return store.transaction(work);
      },
    };
    const lines: string[] = [];
    const stop = keepRetention(failing, { clock, log: { log: (_level, event) => lines.push(event) } });
    expect([left().length, lines]).toEqual([9, ['store.retention-failed']]);
    isFull = false;
    clock.advance(day);
    expect([left().length, lines]).toEqual([3, ['store.retention-failed', 'store.retention']]);
    stop();
  });

  it.each([0, -1, 1.5, Number.NaN, 1e9])('are not kept for %d days', (days) => {
    const { store } = filled();
    expect(() => setRetention(store.account('a'), days)).toThrow(RangeError);
  });
});
