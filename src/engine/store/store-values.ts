import { toHex, utf8 } from '../../base/bytes.ts';
import type { ChatMessage } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { MessagePatch } from './message-store.ts';
import type { Note } from './note-store.ts';
import type { SealedMessage } from './sealed-store.ts';

/** What every store does alike with what it is given. */

export function patched(before: ChatMessage, patch: MessagePatch): ChatMessage {
  const { problem, ...changed } = { ...before, ...patch };
  return problem === undefined ? changed : { ...changed, problem };
}

/** @throws RangeError when it is too long. */
export function noteText(value: Note): string {
  const text = JSON.stringify(value);
  if (text.length > limits.noteOctets || utf8(text).length > limits.noteOctets) {
    throw new RangeError(`a note has more than ${limits.noteOctets} octets`);
  }
  return text;
}

/** @throws RangeError when it is too long. */
export function seenKeyText(key: Uint8Array): string {
  if (key.length > limits.seenKeyOctets) throw new RangeError(`a key has more than ${limits.seenKeyOctets} octets`);
  return toHex(key);
}

/** @throws RangeError when its body is too long. */
export function checkSealed({ body }: SealedMessage): void {
  if (body.length > limits.sealedOctets) {
    throw new RangeError(`a sealed message has more than ${limits.sealedOctets} octets`);
  }
}

/** @throws RangeError when a page has no such number of hits. */
export function checkedHits(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.searchHits) {
    throw new RangeError(`a page of a search has 1 to ${limits.searchHits} hits`);
  }
  return limit;
}
