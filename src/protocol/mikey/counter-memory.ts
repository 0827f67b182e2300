import { toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { MikeyIdentity } from './identity.ts';

/**
 * The highest COUNTER that each sender used. Reading [A29]: RFC 3830 5.4 names no rule, so a count is fresh only when it is higher
 * than every one before it of the same identity. Bounded; a sender that does not fit any more is refused, never forgotten.
 * It must live as long as the senders' keys: who loses it takes no COUNTER under old keys.
 */
export class CounterMemory {
  readonly #capacity: number;
  readonly #highest = new Map<string, number>();

  /** @param capacity most senders. */
  constructor(capacity: number) {
    if (!(capacity > 0)) throw new ProtocolError('local', 'no capacity', { field: 'counterMemory.capacity' });
    this.#capacity = capacity;
  }

  /** True for a count that `advance` would take; changes nothing, so that it may be asked about a message not yet proven. */
  isFresh(sender: MikeyIdentity, count: number): boolean {
    const highest = this.#highest.get(nameOf(sender));
    return highest === undefined ? this.#highest.size < this.#capacity : count > highest;
  }

  /** Takes the count of an authentic message. @returns false when it is not fresh: the message is a replay. */
  advance(sender: MikeyIdentity, count: number): boolean {
    if (!this.isFresh(sender, count)) return false;
    this.#highest.set(nameOf(sender), count);
    return true;
  }
}

const nameOf = ({ type, data }: MikeyIdentity): string => `${type} ${toHex(data)}`;
