import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  answerWithError,
  bytesIdentity,
  identityText,
  readErrorMessage,
  ReplayCache,
  sameIdentity,
  uriIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { ntpSeconds, ntpTimestamp, timestampMilliseconds } from '../../../src/protocol/mikey/timestamp.ts';

describe('timestamps', () => {
  it('are the ones of RFC 4330: seconds since 1900, a clear top bit after February 2036', () => {
    expect(toHex(ntpTimestamp(0).value)).toBe('83aa7e8000000000');
    expect(toHex(ntpTimestamp(500).value)).toBe('83aa7e8080000000');
    expect(toHex(ntpSeconds(Date.UTC(2036, 1, 7, 6, 28, 16)))).toBe('00000000');
  });

  it('come back to the millisecond, from 1970 to 2100', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }), (now) => {
        expect(timestampMilliseconds(ntpTimestamp(now), 'T')).toBe(now);
        const seconds = { timestampType: 3, value: ntpSeconds(now) };
        expect(timestampMilliseconds(seconds, 'T')).toBe(Math.floor(now / 1000) * 1000);
      }),
      { seed: 4330 },
    );
  });

  it('that count instead of telling the time are refused', () => {
    expect(() => timestampMilliseconds({ timestampType: 2, value: new Uint8Array(4) }, 'T')).toThrow(
      expect.objectContaining({ kind: 'unsupported', hint: { mikey: 1 } }),
    );
  });
});

describe('the replay cache', () => {
  it('knows what it saw, as long as it was told to', () => {
    const cache = new ReplayCache(10);
    expect(cache.add(utf8('a'), 100, 0)).toBe('fresh');
    expect(cache.add(utf8('a'), 100, 50)).toBe('replayed');
    expect(cache.has(utf8('a'), 100)).toBe(true);
    expect(cache.has(utf8('a'), 101)).toBe(false);
    expect(cache.add(utf8('a'), 300, 101)).toBe('fresh');
  });

  it('forgets nothing that lives, rather refuses', () => {
    const cache = new ReplayCache(2);
    cache.add(utf8('a'), 100, 0);
    cache.add(utf8('b'), 200, 0);
    expect(cache.add(utf8('c'), 100, 0)).toBe('full');
    expect(cache.add(utf8('c'), 300, 101)).toBe('fresh');
    expect(cache.add(utf8('b'), 200, 101)).toBe('replayed');
    expect(cache.size).toBe(2);
    expect(() => new ReplayCache(0)).toThrow(ProtocolError);
  });
});

it('identities are equal octet by octet, and show as text where they are text', () => {
  expect(sameIdentity(uriIdentity('sip:a@b'), uriIdentity('sip:a@b'))).toBe(true);
  expect(sameIdentity(uriIdentity('sip:a@b'), uriIdentity('sip:A@b'))).toBe(false);
  expect(sameIdentity(uriIdentity('ab'), bytesIdentity(utf8('ab')))).toBe(false);
  expect(identityText(bytesIdentity(Uint8Array.of(1, 255)))).toBe('01ff');
  expect(identityText({ type: 'uri', data: Uint8Array.of(0xff) })).toBe('ff');
});

describe('answers to what cannot be accepted', () => {
  const failure = new ProtocolError('malformed', 'x', { field: 'y', hint: { mikey: 14 } });
  const message = Uint8Array.of(1, 14, 5, 0x81, 0, 0, 0, 9, 0, 1);

  it('repeat CSB ID and PRF and say the number', () => {
    const answer = answerWithError(message, failure, 0)!;
    expect(readErrorMessage(answer)).toEqual({ csbId: 9, errorNumbers: [14], authenticated: false });
    expect(readErrorMessage(answerWithError(message, new Error('anything'), 0)!).errorNumbers).toEqual([12]);
  });

  it('are not given to an Error, nor to octets without CSB ID', () => {
    expect(answerWithError(Uint8Array.of(1, 6, ...message.subarray(2)), failure, 0)).toBeUndefined();
    expect(answerWithError(message.subarray(0, 9), failure, 0)).toBeUndefined();
  });
});
