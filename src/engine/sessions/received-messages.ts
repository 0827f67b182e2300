import { toHex } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/digest.ts';
import { limits } from '../limits.ts';

export interface IdentifiedMessage {
  readonly messageId: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/**
 * What each contact has sent already, over all of its sessions: a message that is sent again after a lost connection is
 * shown once. A copy has the Message-ID and the very content of the first, so that nobody can keep a message from being
 * shown by using its Message-ID before. Bounded: the oldest are forgotten.
 */
export class ReceivedMessages {
  readonly #byPeer = new Map<string, Set<string>>();

  /** Whether this came from `peer` before; it is remembered from now on. */
  isCopy(peer: string, { messageId, contentType, bytes }: IdentifiedMessage): boolean {
    const known = this.#byPeer.get(peer) ?? new Set<string>();
    // Map order is the order of last use.
    this.#byPeer.delete(peer);
    this.#byPeer.set(peer, known);
    const key = `${messageId} ${contentType} ${toHex(sha256(bytes))}`;
    if (known.has(key)) return true;
    known.add(key);
    if (known.size > limits.rememberedMessages) forgetOldest(known);
    if (this.#byPeer.size > limits.rememberedContacts) forgetOldest(this.#byPeer);
    return false;
  }
}

function forgetOldest(collection: Set<string> | Map<string, unknown>): void {
  const [oldest] = collection.keys();
  if (oldest !== undefined) collection.delete(oldest);
}
