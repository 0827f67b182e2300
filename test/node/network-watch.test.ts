import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/base/clock.ts';
import type { NetworkChange } from '../../src/engine/ports.ts';
import { createNetworkWatch, networkWatchLimits } from '../../src/node/network-watch.ts';

const poll = networkWatchLimits.pollMilliseconds;

/** A machine whose clocks and addresses are set by the test. */
function machine() {
  const clock = new FakeClock();
  const state = { monotonic: 0, addresses: ['127.0.0.1', '192.0.2.1'] as readonly string[] };
  const heard: NetworkChange[] = [];
  const watch = createNetworkWatch({ clock, monotonic: () => state.monotonic, addresses: () => state.addresses });
  return {
    clock,
    state,
    heard,
    watch,
    /** Both clocks go on. */
    pass(milliseconds: number) {
      state.monotonic += milliseconds;
      clock.advance(milliseconds);
    },
  };
}

describe('network watch', () => {
  it('says nothing while nothing changes, and of the same addresses in another order', () => {
    const { watch, heard, pass, state } = machine();
    watch.onChange((change) => heard.push(change));
    pass(poll * 3);
    state.addresses = ['192.0.2.1', '127.0.0.1', '127.0.0.1'];
    pass(poll);
    expect(heard).toEqual([]);
  });

  it('tells once of addresses that came or went, and which there are now', () => {
    const { watch, heard, pass, state } = machine();
    watch.onChange((change) => heard.push(change));
    state.addresses = ['127.0.0.1', '198.51.100.7'];
    pass(poll * 2);
    state.addresses = [];
    pass(poll);
    expect(heard).toEqual([
      { kind: 'addresses', present: ['127.0.0.1', '198.51.100.7'] },
      { kind: 'addresses', present: [] },
    ]);
  });

  it('tells of sleep by wall time that went on alone', () => {
    const { watch, heard, state, clock } = machine();
    watch.onChange((change) => heard.push(change));
    // The timer of the next look is due while the machine sleeps; it runs when it wakes.
    state.monotonic += poll;
    clock.advance(poll - 1);
    const sleeping = clock.now();
    clock.now = () => sleeping + 3_600_000;
    clock.advance(1);
    expect(heard).toEqual([{ kind: 'woke', sleptMilliseconds: 3_600_000 - 1 }]);
  });

  it('tells of sleep by a look that came far too late, where the monotonic clock goes on', () => {
    const { watch, heard, state, clock } = machine();
    watch.onChange((change) => heard.push(change));
    const start = clock.now();
    clock.advance(poll - 1);
    state.monotonic = 600_000;
    clock.now = () => start + 600_000;
    clock.advance(1);
    expect(heard).toEqual([{ kind: 'woke', sleptMilliseconds: 600_000 - poll }]);
  });

  it('takes a slow machine, and a clock that is set back, for no sleep', () => {
    const { watch, heard, state, clock } = machine();
    watch.onChange((change) => heard.push(change));
    const start = clock.now();
    clock.advance(poll - 1);
    state.monotonic = poll + networkWatchLimits.sleepMilliseconds;
    clock.now = () => start + state.monotonic;
    clock.advance(1);
    clock.now = () => start - 7_200_000;
    state.monotonic += poll;
    clock.advance(poll);
    expect(heard).toEqual([]);
  });

  it('looks only while somebody listens, and tells each listener', () => {
    const { watch, clock, pass, state } = machine();
    expect(clock.waiting).toBe(0);
    const one: string[] = [];
    const other: string[] = [];
    const stopOne = watch.onChange(({ kind }) => one.push(kind));
    const stopOther = watch.onChange(({ kind }) => other.push(kind));
    expect(clock.waiting).toBe(1);
    state.addresses = ['203.0.113.1'];
    pass(poll);
    stopOne();
    state.addresses = [];
    pass(poll);
    expect([one, other]).toEqual([['addresses'], ['addresses', 'addresses']]);
    stopOther();
    stopOther();
    expect(clock.waiting).toBe(0);
    // A later listener hears of what changes from then on.
    state.addresses = ['192.0.2.9'];
    const late: string[] = [];
    watch.onChange(({ kind }) => late.push(kind))();
    expect([late, clock.waiting]).toEqual([[], 0]);
  });

  it('sees the addresses of this machine', () => {
    const clock = new FakeClock();
    const heard: NetworkChange[] = [];
    const stop = createNetworkWatch({ clock, monotonic: () => clock.now() }).onChange((change) => heard.push(change));
    clock.advance(poll);
    stop();
    expect(heard).toEqual([]);
  });
});
