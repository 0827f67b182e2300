import { expect, test } from 'vitest';
import { parseNameAddress, parseVia } from '../../../src/protocol/sip/headers.ts';

test.each<[string, (text: string) => unknown, string]>([
  ['Via', parseVia, `SIP/2.0/TLS host${' '.repeat(60_000)}x`],
  ['From', parseNameAddress, `a${' '.repeat(60_000)}x`],
])('a %s value of the greatest length takes no longer to read than it should', (_, read, text) => {
  const before = performance.now();
  try {
    read(text);
  } catch {
    // Refused: that is well, if it did not take long.
  }
  expect(performance.now() - before).toBeLessThan(500);
});
