import { networkInterfaces } from 'node:os';
import type { CancelTimer, Clock } from '../base/clock.ts';
import type { NetworkChange, NetworkWatch } from '../engine/ports.ts';

export interface NetworkWatchOptions {
  /** Wall time, and the timers. */
  readonly clock: Clock;
  /** Milliseconds of a clock that nobody sets, and that on most systems stands still while the machine sleeps. */
  readonly monotonic?: () => number;
  /** Addresses that this machine has now. */
  readonly addresses?: () => readonly string[];
}

export const networkWatchLimits = {
  pollMilliseconds: 2_000,
  /** What a loaded machine may be late, and a clock may be set by, without having slept. */
  sleepMilliseconds: 15_000,
} as const;

/**
 * Looks at the addresses of this machine, and at the clocks, at a fixed interval while somebody listens. A machine that slept shows it by
 * wall time that went on without the monotonic clock, or by a look that came far too late where that clock goes on too.
 */
export function createNetworkWatch({
  clock,
  monotonic = () => performance.now(),
  addresses = machineAddresses,
}: NetworkWatchOptions): NetworkWatch {
  const listeners = new Set<(change: NetworkChange) => void>();
  let cancel: CancelTimer = () => undefined;
  let last = { wall: 0, monotonic: 0, addresses: '' };
  const look = () => ({ wall: clock.now(), monotonic: monotonic(), addresses: signature(addresses()) });
  const tell = (change: NetworkChange): void => {
    for (const listener of [...listeners]) listener(change);
  };
  const poll = (): void => {
    cancel = clock.after(networkWatchLimits.pollMilliseconds, () => {
      const before = last;
      last = look();
      const slept = sleptMilliseconds(before, last);
      poll();
      if (slept > 0) tell({ kind: 'woke', sleptMilliseconds: slept });
      if (last.addresses !== before.addresses)
        tell({ kind: 'addresses', present: last.addresses === '' ? [] : last.addresses.split(' ') });
    });
  };
  return {
    onChange(listener) {
      // Of its own, so that one listener that comes twice is told twice and leaves twice.
      const own = (change: NetworkChange): void => listener(change);
      listeners.add(own);
      if (listeners.size === 1) {
        last = look();
        poll();
      }
      return () => {
        if (listeners.delete(own) && listeners.size === 0) cancel();
      };
    },
  };
}

interface Look {
  readonly wall: number;
  readonly monotonic: number;
}

function sleptMilliseconds(before: Look, now: Look): number {
  const wall = now.wall - before.wall;
  const passed = now.monotonic - before.monotonic;
  const slept = Math.max(wall - passed, passed - networkWatchLimits.pollMilliseconds);
  return slept > networkWatchLimits.sleepMilliseconds ? Math.round(slept) : 0;
}

function signature(addresses: readonly string[]): string {
  return [...new Set(addresses)].sort().join(' ');
}

/** Without those that only reach the next link, which a SIP server is never at. */
function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^fe[89ab]/i.test(address));
}
