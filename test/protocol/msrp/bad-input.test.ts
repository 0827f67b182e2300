import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { MsrpFramer, MsrpLink, MsrpSession, type MsrpSessionOptions } from '../../../src/protocol/msrp/index.ts';
import { EndLineScanner, OctetSearch } from '../../../src/protocol/msrp/end-line.ts';
import { RangeSet } from '../../../src/protocol/msrp/range-set.ts';
import { alicePath, bobPath, countingRandom, cut, Machine, readFrames, wire } from './support.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** Has `note` hear of every call of a method, which keeps nothing of them, until the test ends. */
function watch<Owner extends object>(
  owner: Owner,
  name: keyof Owner,
  note: (self: unknown, given: readonly unknown[]) => void,
): void {
  const method = owner[name] as (...given: unknown[]) => unknown;
  undo.push(() => Object.defineProperty(owner, name, { value: method, configurable: true, writable: true }));
  const watched = function (this: unknown, ...given: unknown[]): unknown {
    note(this, given);
    return Reflect.apply(method, this, given);
  };
  Object.defineProperty(owner, name, { value: watched, configurable: true, writable: true });
}

function openAlice(options: Partial<MsrpSessionOptions> = {}): Machine {
  const alice = new Machine({ role: 'passive', ...options });
  alice.handle({ type: 'connected' });
  return alice;
}

const paths = [`To-Path: ${alicePath}`, `From-Path: ${bobPath}`];

/** Chunk of one message: its range as claimed, its octets as they are. */
const chunk = (id: string, range: string, text: string, flag = '+', messageId = 'm123'): string[] => [
  `MSRP ${id} SEND`,
  ...paths,
  `Message-ID: ${messageId}`,
  `Byte-Range: ${range}`,
  'Content-Type: text/plain',
  '',
  text,
  `-------${id}${flag}`,
];

describe('bodies that look like their own end', () => {
  const end = '-------tid12345';
  it.each([
    ['the end-line in a line', `text ${end}$ text`],
    ['the end-line without a line before it', `x${end}$\r\n`],
    ['another flag', `\r\n${end}!\r\n`],
    ['no flag', `\r\n${end}\r\n`],
    ['two flags', `\r\n${end}+$\r\n`],
    ['a flag and a space', `\r\n${end}$ \r\n`],
    ['a flag and half a line end', `\r\n${end}$\r\r\n`],
    ['a line feed alone', `\n${end}$\n`],
    ['six dashes', `\r\n${end.slice(1)}$\r\n`],
    ['another id', `\r\n-------tid12346$\r\n`],
    ['a longer id', `\r\n${end}6$\r\n`],
    ['the end of other frames', '\r\n-------other$\r\n-------again+\r\n-------third#\r\n'],
    ['a whole frame of another id', fromUtf8(wire(...chunk('other', '1-2/2', 'hi', '$')))],
    ['many beginnings', `\r\n${end}`.repeat(40)],
    ['a beginning at its end', `text\r\n${end}`],
    ['nothing but line ends', '\r\n\r\n\r\n'],
    ['dashes', '-'.repeat(1000)],
  ])('keep %s as content, however they are cut', (_, text) => {
    const bytes = wire(...chunk('tid12345', '1-*/*', text, '$'));
    const body = utf8(text);
    const pieces = [[bytes], Array.from(bytes, (octet) => Uint8Array.of(octet))];
    for (let at = 0; at <= bytes.length; at++) pieces.push(cut(bytes, [at]));
    for (const stream of pieces) {
      const frames = readFrames(stream);
      expect(frames).toHaveLength(1);
      expect([frames[0]!.body, frames[0]!.flag]).toEqual([body, '$']);
    }
  });

  it('end at the first true end-line, and what follows is no part of them', () => {
    const alice = openAlice();
    alice.receive(
      ...chunk(
        'tid1',
        '1-*/*',
        `one\r\n-------tid1$\r\n${fromUtf8(wire(...chunk('tid2', '1-*/*', 'two', '$', 'm2000'))).trimEnd()}`,
        '$',
      ).slice(0, -1),
    );
    expect(alice.texts()).toEqual(['one', 'two']);
  });
});

describe('end-lines split over reads', () => {
  it.each(['$', '+', '#'] as const)('are found with flag %s at each two places of cutting', (flag) => {
    const bytes = concatBytes(
      wire(...chunk('tid1', '1-*/*', 'first\r\n-----', flag)),
      wire(...chunk('tid2', '1-*/*', '', '$', 'm2000')),
    );
    const expected = readFrames([bytes]);
    expect(expected.map((frame) => frame.flag)).toEqual([flag, '$']);
    const from = bytes.length - wire(...chunk('tid2', '1-*/*', '', '$', 'm2000')).length - 30;
    for (let first = from; first <= from + 40; first++) {
      for (let second = first; second <= from + 40; second++) {
        expect(readFrames(cut(bytes, [first, second]))).toEqual(expected);
      }
    }
  });
});

describe('byte ranges that lie', () => {
  it.each<[string, string[][], (number | string)[], string[]]>([
    ['an end before the octets end', [chunk('t001', '1-2/*', 'abcdef', '$')], [200], ['abcdef']],
    ['an end after the octets end', [chunk('t001', '1-500/600', 'abc', '$')], [200], ['abc']],
    ['a total too small', [chunk('t001', '1-2/2', 'ab'), chunk('t002', '3-4/2', 'cd', '$')], [200, 400], []],
    ['a total that changes', [chunk('t001', '1-2/4', 'ab'), chunk('t002', '3-4/9', 'cd', '$')], [200, 200], ['abcd']],
    [
      'a total beyond the limit later on',
      [chunk('t001', '1-2/4', 'ab'), chunk('t002', '999999-*/*', 'c')],
      [200, 413],
      [],
    ],
    ['a start beyond everything', [chunk('t001', '999999999999999-*/*', '', '$')], [413], []],
    [
      'a start beyond everything, later on',
      [chunk('t001', '1-2/*', 'ab'), chunk('t002', '999999999999999-*/*', '', '$')],
      [200, 413],
      [],
    ],
    [
      'an end fixed, then octets beyond it',
      [chunk('t001', '5-6/*', 'ef', '$'), chunk('t002', '7-8/*', 'gh')],
      [200, 400],
      [],
    ],
    ['two ends', [chunk('t001', '5-6/*', 'ef', '$'), chunk('t002', '1-2/*', 'ab', '$')], [200, 400], []],
    ['a range that runs backwards', [chunk('t001', '9-2/9', 'ab', '$')], [400], []],
    ['more than the whole', [chunk('t001', '1-9/5', 'ab', '$')], [400], []],
  ])('do no harm: %s', (_, chunks, answers, texts) => {
    const alice = openAlice({ maxMessageOctets: 1000 });
    for (const lines of chunks) alice.receive(...lines);
    expect(alice.says()).toEqual(answers);
    expect(alice.texts()).toEqual(texts);
    expect(alice.actionsOf('closed')).toEqual([]);
    alice.receive(...chunk('t999', '1-4/4', 'fine', '$', 'm999'));
    expect(alice.texts().at(-1)).toBe('fine');
  });
});

describe('chunks that overlap', () => {
  it('give what came last precedence, whatever their order and number (property)', () => {
    const pieces = fc.array(
      fc.record({ start: fc.nat(60), length: fc.integer({ min: 0, max: 30 }), fill: fc.nat(25) }),
      {
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        const alice = openAlice();
        const expected: string[] = Array<string>(100).fill('.');
        // The end is fixed first; every octet is there in the end.
        const all = [{ start: 0, length: 99, fill: -1 }, ...parts];
        const letterOf = (fill: number): string => (fill < 0 ? '.' : String.fromCharCode(97 + fill));
        for (const [index, { start, length, fill }] of all.entries()) {
          alice.receive(...chunk(`tid${100 + index}`, `${start + 1}-*/*`, letterOf(fill).repeat(length)));
          expected.fill(letterOf(fill), start, start + length);
        }
        alice.receive(...chunk('tid999', '100-100/100', '.', '$'));
        expect(alice.texts()).toEqual([expected.join('')]);
      }),
      { numRuns: 100, seed: 4975 },
    );
  });
});

describe('two senders with one Message-ID', () => {
  it('in two sessions of one connection do not meet', () => {
    const link = new MsrpLink<MsrpSession>();
    const texts: string[] = [];
    const sessions = ['one', 'two'].map((name) => {
      const session = new MsrpSession({
        localPath: `msrps://alice.example:7394/${name};tcp`,
        remotePath: [`msrps://bob.example:8888/${name};tcp`],
        role: 'passive',
        isPeerAuthenticated: true,
        random: countingRandom(),
      });
      link.add(session);
      session.handle({ type: 'connected' }, 0);
      return session;
    });
    const half = (name: string, id: string, range: string, text: string, flag: string): Uint8Array =>
      wire(
        ...chunk(id, range, text, flag)
          .with(1, `To-Path: msrps://alice.example:7394/${name};tcp`)
          .with(2, `From-Path: msrps://bob.example:8888/${name};tcp`),
      );
    link.push(half('one', 'tid1', '1-2/4', 'AB', '+'));
    link.push(half('two', 'tid2', '1-2/4', 'ab', '+'));
    link.push(half('two', 'tid3', '3-4/4', 'cd', '$'));
    link.push(half('one', 'tid4', '3-4/4', 'CD', '$'));
    for (let given = link.next(); given !== undefined; given = link.next()) {
      for (const action of given.party.handle({ type: 'frame', event: given.event }, 0)) {
        if (action.type === 'message') texts.push(`${sessions.indexOf(given.party)} ${fromUtf8(action.message.bytes)}`);
      }
    }
    expect(texts).toEqual(['1 abcd', '0 ABCD']);
  });

  it('in one session: the second is not the peer, and its chunk neither ends nor changes the message', () => {
    const alice = openAlice();
    alice.receive(...chunk('tid1', '1-2/4', 'ab'));
    alice.receive(...chunk('tid2', '3-4/4', 'XX', '$').with(2, 'From-Path: msrps://mallory.example:1/x;tcp'));
    alice.receive(...chunk('tid3', '3-4/4', 'cd', '$'));
    expect([alice.says(), alice.texts()]).toEqual([[200, 481, 200], ['abcd']]);
  });

  it('used again by the same sender, with other content, shows nothing again', () => {
    const alice = openAlice();
    alice.receive(...chunk('tid1', '1-4/4', 'good', '$'));
    alice.receive(...chunk('tid2', '1-4/4', 'evil', '$'));
    expect([alice.says(), alice.texts()]).toEqual([[200, 200], ['good']]);
  });
});

describe('a million tiny chunks', () => {
  it('cost a step each, and no memory but their octets', { timeout: 300_000 }, () => {
    const count = 1_000_000;
    const alice = openAlice({ maxMessageOctets: 2 * count });
    let copied = 0;
    let pieces = 0;
    watch(Uint8Array.prototype, 'set', (_, [from]) => (copied += (from as Uint8Array).length));
    watch(RangeSet.prototype, 'add', (ranges) => (pieces = Math.max(pieces, (ranges as RangeSet).count)));
    let answers = 0;
    for (let at = 0; at < count; at += 1000) {
      let text = '';
      for (let next = at; next < at + 1000; next++) {
        const flag = next === count - 1 ? '$' : '+';
        text += `MSRP tid1 SEND\r\n${paths.join('\r\n')}\r\nMessage-ID: m123\r\nByte-Range: ${next + 1}-${next + 1}/${count}\r\nContent-Type: a/b\r\n\r\nx\r\n-------tid1${flag}\r\n`;
      }
      alice.handle({ type: 'received', bytes: utf8(text) });
      // Each chunk waits for no other: what is owed for these is owed now.
      for (let frame = alice.nextOutput(); frame !== undefined; frame = alice.nextOutput()) answers++;
    }
    expect(answers).toBe(count);
    expect(alice.actionsOf('message')[0]?.message.bytes.length).toBe(count);
    expect(alice.actions).toHaveLength(2);
    expect(pieces).toBe(1);
    // Doubling copies each octet twice at most; the rest is the octet itself.
    expect(copied).toBeLessThanOrEqual(4 * count);
  });

  it('with gaps everywhere are given up after a few hundred', () => {
    const alice = openAlice({ maxMessageOctets: 1_000_000 });
    let sent = 0;
    while (!alice.says().includes(400)) {
      alice.receive(...chunk('tid1', `${2 * sent + 1}-${2 * sent + 1}/*`, 'x'));
      sent++;
      expect(sent).toBeLessThanOrEqual(300);
    }
    alice.receive(...chunk('tid1', '2-2/*', 'x'));
    expect(alice.says()).toEqual([400]);
  });
});

describe('any way of cutting the stream', () => {
  const stream = concatBytes(
    wire(...chunk('tid1', '1-3/6', 'abc')),
    wire(...chunk('tid2', '1-*/*', 'ä\r\n-------tid2\r\n$', '$', 'm2000')),
    wire(...chunk('tid3', '9-2/1', 'bad', '$', 'm3000')),
    wire(...chunk('tid4', '4-6/6', 'def', '$')),
    wire('MSRP tid5 WAVE', ...paths, 'X: y', '-------tid5$'),
    wire(...chunk('tid6', '1-*/*', 'given up', '#', 'm6000')),
    wire('MSRP tid7 REPORT', ...paths, 'Message-ID: m9000', 'Status: 000 200', '-------tid7$'),
    wire(...chunk('tid8', '1-*/*', 'x'.repeat(300), '$', 'big1')),
    wire('MSRP tid9 SEND', 'nonsense'),
  );
  const toldBy = (pieces: readonly Uint8Array[], decide: 'memory' | 'stream') => {
    const alice = openAlice({ decide: () => decide });
    const events: string[] = [];
    const answers: number[] = [];
    for (const bytes of pieces) {
      for (const action of alice.handle({ type: 'received', bytes })) {
        if (action.type === 'data') {
          // Octets of a stream come in pieces of any size.
          const name = `data ${action.messageId} `;
          if (events.at(-1)?.startsWith(name) === true) events.push(`${events.pop() ?? ''}${fromUtf8(action.bytes)}`);
          else events.push(name + fromUtf8(action.bytes));
        } else if (action.type === 'message') {
          events.push(`message ${action.message.messageId} ${fromUtf8(action.message.bytes)}`);
        } else if (action.type === 'closed') events.push(`closed ${action.error?.field} ${action.error?.offset}`);
        else events.push(action.type);
      }
      for (const { head } of alice.frames()) if (head.kind === 'response') answers.push(head.status);
    }
    return { events, answers: answers.sort() };
  };

  it.each(['memory', 'stream'] as const)('gives the same events and answers, taken into %s (property)', (decide) => {
    // Cut where a character is whole, so that parts of a stream can be compared as text.
    const place = fc.nat(stream.length).filter((at) => ((stream[at] ?? 0) & 0xc0) !== 0x80);
    const whole = toldBy([stream], decide);
    expect(whole.answers).toEqual([200, 200, 200, 200, 200, 400, 400, 501]);
    expect(whole.events.at(-1)).toBe(`closed msrp.header ${stream.length - 'nonsense\r\n'.length}`);
    fc.assert(
      fc.property(fc.array(place, { maxLength: 40 }), (cuts) => {
        expect(toldBy(cut(stream, cuts), decide)).toEqual(whole);
      }),
      { numRuns: 200, seed: 4975 },
    );
  });
});

describe('the limits of the framer', () => {
  const head = `MSRP abcd SEND\r\n${paths.join('\r\n')}\r\n`;
  it.each([
    ['an endless start line', '', 512],
    ['an endless header line', head, 16 * 1024],
    ['an endless row of header lines', `${head}A: b\r\n`, 64 * 6],
    ['an endless body of what is no SEND', head.replace('SEND', 'WAVE') + 'Content-Type: a/b\r\n\r\n', 10_240],
  ])('are kept: %s is refused before more than a line beyond them was read', (name, start, limit) => {
    const framer = new MsrpFramer();
    const more = name.includes('row') ? utf8('A: b\r\n') : utf8('x');
    framer.push(utf8(start));
    while (framer.next() !== undefined);
    let read = 0;
    const readOn = (): void => {
      for (; read <= limit + 64; read += more.length) {
        framer.push(more);
        while (framer.next() !== undefined);
      }
    };
    expect(readOn).toThrow(/at most/);
    expect(read).toBeLessThanOrEqual(limit + 2);
    // Nothing more is looked at, however much comes.
    framer.push(new Uint8Array(1000));
    expect(() => framer.next()).toThrow(/at most/);
  });

  it('hold for a message in memory: what is beyond is neither kept nor waited for', () => {
    const alice = openAlice({ maxMessageOctets: 10 });
    alice.receive(...chunk('tid1', '1-*/*', 'x'.repeat(5000)));
    expect(alice.says()).toEqual([413]);
    alice.receive(...chunk('tid2', '5001-*/*', 'x'.repeat(5000), '$'));
    expect([alice.says(), alice.texts()]).toEqual([[413], []]);
  });
});

describe('the search for end-lines', () => {
  /** A view of `bytes` that counts how many octets were looked at. */
  function counting(bytes: Uint8Array): { readonly view: Uint8Array; readonly steps: () => number } {
    let steps = 0;
    const view = new Proxy(bytes, {
      get: (target, name) => {
        if (typeof name === 'string' && /^\d+$/.test(name)) {
          steps++;
          return target[Number(name)];
        }
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          const result: unknown = Reflect.apply(value, target, given);
          if (name === 'indexOf') {
            const end = typeof result === 'number' && result >= 0 ? result + 1 : target.length;
            steps += Math.max(0, end - Number(given[1] ?? 0));
          }
          return result;
        };
      },
    });
    return { view, steps: () => steps };
  }

  const search = (fill: string, octets: number): number => {
    const { view, steps } = counting(utf8(fill.repeat(Math.ceil(octets / fill.length))).subarray(0, octets));
    const scan = new EndLineScanner('abcd', new OctetSearch()).scan(view, 0);
    expect(scan.flag).toBeUndefined();
    return steps();
  };

  it.each([['-'], ['\r\n-------abc'], ['\r\n------'], ['\r'], ['\r\n-------abcd'], ['\r\n-------abcd$\r'], ['x']])(
    'takes steps in proportion to the octets of %j',
    (fill) => {
      const once = search(fill, 20_000);
      expect(once).toBeLessThanOrEqual(4 * 20_000);
      expect(search(fill, 40_000)).toBeLessThanOrEqual(2.1 * once + 1000);
    },
  );
});
