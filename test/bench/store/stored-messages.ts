import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { notProtectedBy } from '../../../src/engine/evidence.ts';

const vocabularySize = 30_000;
const syllables = ['ka', 'ne', 'sto', 'mi', 'ra', 'lu', 'ver', 'tin', 'go', 'sha', 'be', 'zu', 'for', 'el', 'ant', 'ö'];
const wordsPerMessage = 12;
const conversationCount = 400;
const startedAt = Date.UTC(2024, 0, 1);

/** Numbers from 0 to below 1, the same for the same seed. */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Words of two to four syllables; the first are the most used ones, as in a language (Zipf). */
export const vocabulary: readonly string[] = Array.from({ length: vocabularySize }, (_, index) => {
  let word = '';
  for (let rest = index + 16; rest > 0; rest = Math.floor(rest / 16)) word += syllables[rest % 16] ?? '';
  return word;
});

/** A word by Zipf's law: of rank r about 1/r as often as the first. */
export const someWord = (random: () => number): string =>
  vocabulary[Math.floor(vocabularySize ** random()) - 1] ?? 'ka';

export const peerOf = (index: number): string => `sip:user${index % conversationCount}@ims.example.org`;

/** Messages as an account has them after years: protected end to end, with their evidence. */
export function* storedMessages(count: number, seed = 1): Iterable<ChatMessage> {
  const random = seededNumbers(seed);
  for (let index = 0; index < count; index++) {
    // A few conversations have most of the messages.
    const peer = peerOf(Math.floor(conversationCount ** random()) - 1);
    const isIncoming = random() < 0.5;
    const at = startedAt + index * 60_000;
    yield {
      id: index.toString(16).padStart(16, '0'),
      conversation: peer,
      direction: isIncoming ? 'in' : 'out',
      from: isIncoming ? peer : 'sip:alice@ims.example.org',
      to: isIncoming ? 'sip:alice@ims.example.org' : peer,
      text: Array.from({ length: wordsPerMessage }, () => someWord(random)).join(' '),
      at,
      sentAt: at,
      way: 'message',
      level: 'e2e',
      state: isIncoming ? 'received' : 'delivered',
      messageId: index.toString(16).padStart(16, '0'),
      evidence: {
        kind: 'message-psk-mime',
        contentEncryption: 'AES-256-GCM',
        kms: 'sip:kms@ims.example.org',
        ticket: { issuedAt: at - 5_000, validUntil: at + 86_400_000 },
        keyId: `${Math.floor(random() * 2 ** 32)
          .toString(16)
          .padStart(8, '0')}.01.00000001`,
        origin: 'proven',
        vouchedBy: 'kms',
        verifiedAt: at,
        notProtected: [...notProtectedBy.endToEnd],
      },
    };
  }
}
