import { describe, expect, test } from 'vitest';
import { replyRefusal } from '../../../src/engine/messages/reply-refusal.ts';
import { meaningOf } from '../../../src/engine/outbox/what-answers-mean.ts';
import { refusalCodes, refuse, type RefusalCode } from '../../../src/engine/refusal.ts';
import { reply } from '../support/memory-sip.ts';

const again = { next: 'again', mayHaveArrived: false };
const unknown = { next: 'again', mayHaveArrived: true };
const final = { next: 'ended', mayHaveArrived: false };

describe('an answer to a MESSAGE', () => {
  test.each([
    [300, final],
    [400, final],
    [403, final],
    [404, final],
    [407, final],
    [408, unknown],
    [413, final],
    [415, final],
    [430, again],
    [480, again],
    [486, again],
    [488, final],
    [491, again],
    [493, final],
    [494, again],
    [499, final],
    [500, unknown],
    [501, final],
    [502, again],
    [503, again],
    [504, unknown],
    [505, final],
    [513, final],
    [580, final],
    [599, unknown],
    [600, again],
    [603, final],
    [604, final],
    [606, final],
    [699, final],
  ])('%i', (status, expected) => {
    expect(meaningOf(replyRefusal(reply(status)))).toMatchObject({ ...expected, waitsFor: 'time' });
  });

  test.each([
    [408, 'timeout'],
    [503, 'connection-lost'],
  ] as const)('%i that nobody sent (%s): it may have arrived', (status, local) => {
    expect(meaningOf(replyRefusal(reply(status, '', local)))).toMatchObject(unknown);
  });

  test.each([
    [408, 'timeout', again],
    [503, 'connection-lost', again],
    [513, 'not-sent', final],
  ] as const)('%i of which no octet left (%s): it has not arrived', (status, local, expected) => {
    const problem = replyRefusal({ ...reply(status), local, unsent: true });
    expect(meaningOf(problem)).toMatchObject(expected);
    expect(problem.meaning).not.toBe('uncertain');
  });

  test.each([
    ['30', 30_000],
    ['18000;duration=3600', 18_000_000],
    ['120 (I am in a meeting)', 120_000],
    ['999999999', 24 * 3_600_000],
    ['soon', undefined],
    ['-5', undefined],
  ])('with Retry-After: %s', (value, expected) => {
    const answer = reply(503, '', undefined, { 'Retry-After': value });
    expect(meaningOf(replyRefusal(answer)).notBeforeMilliseconds).toBe(expected);
  });
});

describe('a reason without an answer', () => {
  const waits: Partial<Record<RefusalCode, string>> = {
    'not-registered': 'registration',
    'policy-not-met': 'registration',
    'no-network-indication': 'registration',
    'kms-unreachable': 'keys',
    timeout: 'time',
    'connection-lost': 'time',
    'peer-unreachable': 'time',
    'relay-unreachable': 'time',
    'storage-failed': 'time',
  };

  test.each(refusalCodes)('%s', (code) => {
    const waitsFor = waits[code];
    expect(meaningOf(refuse(code))).toMatchObject(waitsFor === undefined ? final : { next: 'again', waitsFor });
    expect(meaningOf(refuse(code, 'uncertain')).mayHaveArrived).toBe(true);
  });

  test('a question to the user ends the attempt, whatever answer led to it', () => {
    const asked = refuse('consent-required', 'message', { cause: replyRefusal(reply(503)).cause });
    expect(meaningOf(asked).next).toBe('ended');
  });
});
