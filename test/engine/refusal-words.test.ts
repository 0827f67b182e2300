import { describe, expect, test } from 'vitest';
import { refusal, refusalCodes, type RefusalCode } from '../../src/engine/refusal.ts';

/** What can only be said of something that one sends oneself. */
const outgoingOnly: ReadonlySet<RefusalCode> = new Set([
  'not-registered',
  'consent-required',
  'too-large',
  'invalid-address',
]);

describe('the explanation of a refusal', () => {
  test.each(refusalCodes)('%s tells what happened, what it means and what to do', (code) => {
    expect(refusal(code).explanation).toMatch(/^[A-Z].+\. The message was not sent\. [A-Z].+\.$/);
  });

  test.each(refusalCodes.filter((code) => !outgoingOnly.has(code)))('%s of what came advises no sending', (code) => {
    for (const meaning of ['received', 'invitation'] as const) {
      const { explanation } = refusal(code, meaning);
      expect(explanation).not.toMatch(/(^|\. )(Try again|Send|Use end-to-end)|was not sent|nothing was sent/);
      expect(explanation).toMatch(meaning === 'received' ? /is not shown/ : /was not opened/);
    }
  });

  test('a reader who could not decrypt and a sender who is told so get different advice', () => {
    expect(refusal('decryption-failed', 'received').explanation).toMatch(/Ask the sender/);
    expect(refusal('decryption-failed', 'message').explanation).not.toMatch(/Ask the sender/);
  });
});
