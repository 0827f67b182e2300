/**
 * Keys of what came in, so that no copy is shown twice, over restarts too: Message-IDs and replay keys of tickets. A key is forgotten
 * after its time only, never to make room.
 */
export interface SeenStore {
  /**
   * @param key at most 512 octets
   * @param until milliseconds since 1970
   * @param sender of whose entries it is one
   * @returns `full` when the limit of entries, or that of this sender, is reached: it cannot be told any more what is a copy
   */
  add(key: Uint8Array, until: number, now: number, sender: string): 'fresh' | 'replayed' | 'full';
  has(key: Uint8Array, now: number): boolean;
  /** Whether nothing more of this sender can be told from a copy. */
  isFull(now: number, sender: string): boolean;
}
