import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { formatNickname, parseNickname, prepareNickname, sameNickname } from '../../../src/protocol/msrp/index.ts';
import { alicePath, bobPath, exchange, Machine } from './support.ts';

function room(onNickname?: (nickname: string) => number): { guest: Machine; focus: Machine } {
  const guest = new Machine();
  const focus = new Machine({
    localPath: bobPath,
    remotePath: [alicePath],
    role: 'passive',
    ...(onNickname === undefined ? {} : { onNickname }),
  });
  for (const machine of [guest, focus]) machine.handle({ type: 'connected' });
  exchange(guest, focus);
  return { guest, focus };
}

describe('NICKNAME (RFC 7701 section 7.1)', () => {
  it('has a Use-Nickname and asks for no reports', () => {
    const { guest } = room();
    guest.handle({ type: 'nickname', nickname: 'Alice "the" \\ great' });
    const [frame] = guest.frames();
    expect(frame?.head).toMatchObject({ kind: 'request', method: 'NICKNAME' });
    expect(frame?.head.headers.other).toEqual([{ name: 'Use-Nickname', value: '"Alice \\"the\\" \\\\ great"' }]);
    expect(frame?.head.headers.toPath).toEqual([bobPath]);
    expect(frame?.head.headers).not.toHaveProperty('successReport');
    expect(frame?.head.headers).not.toHaveProperty('failureReport');
    expect(frame?.body).toBeUndefined();
  });

  test.each([200, 403, 425])('the room answers %i', (status) => {
    const asked: string[] = [];
    const { guest, focus } = room((nickname) => {
      asked.push(nickname);
      return status;
    });
    guest.handle({ type: 'nickname', nickname: 'Ünïcode  name' });
    exchange(guest, focus);
    guest.handle({ type: 'tick' });
    expect(asked).toEqual(['Ünïcode name']);
    expect(guest.actionsOf('nickname-answer')).toEqual([{ type: 'nickname-answer', nickname: 'Ünïcode name', status }]);
  });

  it('a peer that is no room answers 501, and the session goes on', () => {
    const { guest, focus } = room();
    guest.handle({ type: 'nickname', nickname: 'Alice' });
    exchange(guest, focus);
    expect(guest.actionsOf('nickname-answer')).toMatchObject([{ status: 501 }]);
    expect(guest.actionsOf('closed')).toEqual([]);
  });

  test.each([
    ['none', []],
    ['one without quotes', ['Use-Nickname: Alice']],
    ['a broken escape', ['Use-Nickname: "Al\\ice"']],
    ['an open end', ['Use-Nickname: "Alice']],
    ['two', ['Use-Nickname: "Alice"', 'Use-Nickname: "Bob"']],
    ['one that is too long', [`Use-Nickname: "${'a'.repeat(1024)}"`]],
  ])('a request with %s is answered 424', (_name, lines) => {
    const { focus } = room(() => 200);
    focus.receive(
      'MSRP nick1234 NICKNAME',
      `To-Path: ${bobPath}`,
      `From-Path: ${alicePath}`,
      ...lines,
      '-------nick1234$',
    );
    expect(focus.says()).toEqual([424]);
  });

  it('an empty one gives the nickname up (section 7.3)', () => {
    const asked: string[] = [];
    const { guest, focus } = room((nickname) => {
      asked.push(nickname);
      return 200;
    });
    guest.handle({ type: 'nickname', nickname: '' });
    exchange(guest, focus);
    expect(asked).toEqual(['']);
  });

  it('is answered 408 after 30 s without an answer, and 481 when the session ends', () => {
    const { guest } = room();
    guest.handle({ type: 'nickname', nickname: 'One' });
    guest.output();
    guest.now += 30_000;
    expect(guest.session.deadline).toBeLessThanOrEqual(guest.now);
    guest.handle({ type: 'tick' });
    expect(guest.actionsOf('nickname-answer')).toMatchObject([{ nickname: 'One', status: 408 }]);
    guest.handle({ type: 'nickname', nickname: 'Two' });
    guest.handle({ type: 'close' });
    expect(guest.actionsOf('nickname-answer').at(-1)).toMatchObject({ nickname: 'Two', status: 481 });
  });
});

describe('nicknames (RFC 7700)', () => {
  test.each([
    ['  Alice   B.  ', 'Alice B.'],
    ['Alice\u00a0\u3000B', 'Alice B'],
    ['ﬁsh', 'fish'],
    ['', ''],
    ['   ', ''],
  ])('%j is prepared to %j', (text, prepared) => {
    expect(prepareNickname(text)).toBe(prepared);
  });

  test.each(['a\nb', 'a\u0000', 'x'.repeat(1024), 'ü'.repeat(512)])('%j is none', (text) => {
    expect(() => prepareNickname(text)).toThrow(/Use-Nickname/);
  });

  test.each([
    ['Alice', 'ALICE', true],
    ['Ünal', 'ünal', true],
    ['BOY', 'B0Y', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(sameNickname(a, b)).toBe(same);
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        fc.pre(!/\p{Cc}/u.test(text));
        expect(parseNickname(formatNickname(text))).toBe(text);
      }),
      { seed: 7701, numRuns: 500 },
    );
  });

  it('reads or refuses whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        const nickname = parseNickname(text);
        if (nickname !== undefined) expect(formatNickname(nickname)).toBe(text);
      }),
      { seed: 7701, numRuns: 1_000 },
    );
  });
});
