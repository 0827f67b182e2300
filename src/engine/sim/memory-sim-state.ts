import type { SimStateStore } from '../ports.ts';

/** Sequence numbers for one run: after it, the network is told where they are by a resynchronisation, or accepts none. */
export function createMemorySimState(): SimStateStore {
  const windows = new Map<string, readonly number[]>();
  return {
    load: (name) => windows.get(name),
    save: (name, window) => void windows.set(name, window),
  };
}
