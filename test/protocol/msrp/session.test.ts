import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  bytesSource,
  decodeFrames,
  type IncomingDescription,
  type MessageSource,
  type MsrpSessionOptions,
  type OutgoingRequest,
} from '../../../src/protocol/msrp/index.ts';
import { alicePath, bobPath, exchange, Machine } from './support.ts';

const request = (messageId: string, bytes: Uint8Array, more: Partial<OutgoingRequest> = {}): OutgoingRequest => ({
  messageId,
  contentType: 'text/plain',
  source: bytesSource(bytes),
  ...more,
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function pair(bobOptions: Partial<MsrpSessionOptions> = {}): [Machine, Machine] {
  const alice = new Machine();
  const bob = new Machine({ localPath: bobPath, remotePath: [alicePath], role: 'passive', ...bobOptions });
  alice.handle({ type: 'connected' });
  bob.handle({ type: 'connected' });
  return [alice, bob];
}

const sendHead = (transactionId: string, ...more: string[]): string[] => [
  `MSRP ${transactionId} SEND`,
  `To-Path: ${alicePath}`,
  `From-Path: ${bobPath}`,
  ...more,
];

function openAlice(options: Partial<MsrpSessionOptions> = {}): Machine {
  const alice = new Machine({ role: 'passive', ...options });
  alice.handle({ type: 'connected' });
  return alice;
}

describe('two MSRP sessions', () => {
  it('bind by an empty SEND of the active side', () => {
    const [alice, bob] = pair();
    const [binding] = decodeFrames(concatBytes(...alice.nextOutput(0)!));
    expect(binding).toMatchObject({
      head: {
        method: 'SEND',
        headers: { toPath: [bobPath], fromPath: [alicePath], byteRange: { start: 1, end: 0, total: 0 } },
      },
      flag: '$',
    });
    expect(binding!.body).toBeUndefined();
    const [again, passive] = pair();
    exchange(again, passive);
    expect(passive.actionsOf('bound')).toHaveLength(1);
    expect(again.actionsOf('bound')).toHaveLength(1);
    expect(passive.actionsOf('message')).toEqual([]);
    expect(bob.actionsOf('bound')).toEqual([]);
  });

  it('bind by the first message when there is one', () => {
    const [alice, bob] = pair();
    alice.handle({ type: 'send', request: request('m-1000', utf8('first')) });
    expect(alice.says()).toEqual(['SEND']);
    const [other, passive] = pair();
    other.handle({ type: 'send', request: request('m-1000', utf8('first')) });
    exchange(other, passive);
    expect(passive.texts()).toEqual(['first']);
    expect(bob.texts()).toEqual([]);
  });

  it('deliver messages of every size both ways, unchanged', () => {
    const [alice, bob] = pair();
    const sizes = [0, 1, 2047, 2048, 2049, 65_536, 65_537, 500_000];
    for (const size of sizes) {
      const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 0xff);
      alice.handle({ type: 'send', request: request(`from-alice-${size}`, bytes) });
      bob.handle({ type: 'send', request: request(`from-bob-${size}`, bytes) });
    }
    exchange(alice, bob);
    for (const machine of [alice, bob]) {
      const received = machine.actionsOf('message').map(({ message }) => message.bytes);
      expect(received.map((bytes) => bytes.length).sort((a, b) => a - b)).toEqual(sizes);
      for (const bytes of received) expect(bytes.every((octet, index) => octet === ((index * 31) & 0xff))).toBe(true);
      expect(machine.actionsOf('outcome').map(({ result }) => result.outcome)).toEqual(sizes.map(() => 'delivered'));
    }
  });

  it('take turns, so that a short message is not kept waiting by a long one', () => {
    const [alice, bob] = pair();
    alice.handle({ type: 'send', request: request('long', new Uint8Array(900_000)) });
    alice.handle({ type: 'send', request: request('short', utf8('quick')) });
    exchange(alice, bob);
    expect(bob.actionsOf('message').map(({ message }) => message.messageId)).toEqual(['short', 'long']);
  });

  it('mark chunks above 2048 octets interruptible and say the range of smaller ones', () => {
    const [alice] = pair();
    alice.handle({ type: 'send', request: request('small', new Uint8Array(3000)) });
    alice.handle({ type: 'send', request: request('bulk', new Uint8Array(100_000)) });
    expect(alice.frames().map(({ head, flag }) => [head.headers.byteRange, flag])).toEqual([
      [{ start: 1, end: 2048, total: 3000 }, '+'],
      [{ start: 1, total: 100_000 }, '+'],
      [{ start: 2049, end: 3000, total: 3000 }, '$'],
      [{ start: 65_537, total: 100_000 }, '$'],
    ]);
  });

  it('report success over the whole message when asked', () => {
    const [alice, bob] = pair();
    alice.handle({ type: 'send', request: request('wanted', new Uint8Array(5000), { successReport: true }) });
    const chunks = alice.output();
    for (const bytes of chunks) bob.handle({ type: 'received', bytes });
    const answers = bob.output();
    expect(answers.map((bytes) => fromUtf8(bytes).split('\r\n')[0])).toEqual([
      ...chunks.map(() => expect.stringMatching(/ 200 OK$/) as string),
      expect.stringMatching(/ REPORT$/) as string,
    ]);
    for (const bytes of answers.slice(0, -1)) alice.handle({ type: 'received', bytes });
    expect(alice.actionsOf('outcome')).toEqual([]);
    alice.handle({ type: 'received', bytes: answers.at(-1)! });
    expect(alice.actionsOf('outcome')).toMatchObject([{ messageId: 'wanted', result: { outcome: 'delivered' } }]);
    expect(alice.output()).toEqual([]);
  });

  it('say only that it was written when no answer was wanted', () => {
    const [alice, bob] = pair();
    alice.handle({ type: 'send', request: request('silent', utf8('psst'), { failureReport: 'no' }) });
    exchange(alice, bob);
    expect(bob.texts()).toEqual(['psst']);
    expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'written' } }]);
  });

  it('stop a message that the receiver finds too large, and go on with others', () => {
    const [alice, bob] = pair({ maxMessageOctets: 10_000 });
    alice.handle({ type: 'send', request: request('huge', new Uint8Array(20_000_000)) });
    exchange(alice, bob);
    alice.handle({ type: 'send', request: request('fine', utf8('still here')) });
    exchange(alice, bob);
    expect(alice.actionsOf('outcome')).toMatchObject([
      { messageId: 'huge', result: { outcome: 'failed', status: 413, failure: 'rejected' } },
      { messageId: 'fine', result: { outcome: 'delivered' } },
    ]);
    expect(bob.texts()).toEqual(['still here']);
  });

  it('let a few words pass while as much of a file is unanswered as may be', () => {
    const alice = openAlice();
    const source: MessageSource = { total: undefined, take: (max) => ({ bytes: new Uint8Array(max), last: false }) };
    alice.handle({ type: 'send', request: { messageId: 'file', contentType: 'image/png', source } });
    expect(sum(alice.frames().map(({ body }) => body?.length ?? 0))).toBe(3 * 1024 * 1024);
    alice.handle({ type: 'send', request: request('words', utf8('meanwhile')) });
    expect(alice.frames().map(({ body }) => fromUtf8(body!))).toEqual(['meanwhile']);
  });

  it('carry a stream of unknown length without keeping it', () => {
    const decide = (incoming: IncomingDescription): 'stream' => {
      expect(incoming).toMatchObject({ messageId: 'file', contentType: 'image/png' });
      return 'stream';
    };
    const [alice, bob] = pair({ decide });
    let left = 5;
    const taken: number[] = [];
    const source: MessageSource = {
      total: undefined,
      take: (max) => {
        taken.push(max);
        return { bytes: new Uint8Array(max).fill(left), last: --left === 0 };
      },
    };
    const wanted = { messageId: 'file', contentType: 'image/png', source, successReport: true };
    alice.handle({ type: 'send', request: wanted });
    exchange(alice, bob);
    const data = bob.actionsOf('data');
    expect(data.map(({ position, bytes }) => [position, bytes.length, bytes[0]])).toEqual(
      taken.map((octets, index) => [sum(taken.slice(0, index)), octets, 5 - index]),
    );
    expect(taken).toHaveLength(5);
    expect(bob.actionsOf('data-end')).toEqual([{ type: 'data-end', messageId: 'file', octets: sum(taken) }]);
    // Only who took the octets knows whether they are safe.
    expect(alice.actionsOf('outcome')).toEqual([]);
    bob.handle({ type: 'stored', messageId: 'file', status: 200 });
    exchange(alice, bob);
    expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'delivered' } }]);
  });

  it('tell the sender when a stream could not be kept', () => {
    const [alice, bob] = pair({ decide: () => 'stream' });
    alice.handle({ type: 'send', request: request('file-1', new Uint8Array(300_000)) });
    const [first] = alice.output();
    bob.handle({ type: 'received', bytes: first! });
    bob.handle({ type: 'stored', messageId: 'file-1', status: 413 });
    exchange(alice, bob);
    expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'failed', status: 413 } }]);
    expect(bob.actionsOf('data-aborted')).toHaveLength(1);
  });

  it('give up a cancelled message on both sides', () => {
    const [alice, bob] = pair({ decide: () => 'stream' });
    let pieces = 0;
    const source: MessageSource = {
      total: undefined,
      take: (max) => (pieces++ < 2 ? { bytes: new Uint8Array(max), last: false } : 'wait'),
    };
    alice.handle({ type: 'send', request: { messageId: 'gone', contentType: 'a/b', source } });
    exchange(alice, bob);
    alice.handle({ type: 'cancel', messageId: 'gone' });
    exchange(alice, bob);
    expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'failed', failure: 'cancelled' } }]);
    expect(bob.actionsOf('data-aborted')).toEqual([{ type: 'data-aborted', messageId: 'gone' }]);
  });
});

describe('an MSRP session as receiver', () => {
  it('holds its tongue before the first request on an unauthenticated connection', () => {
    const alice = openAlice({ isPeerAuthenticated: false });
    alice.handle({ type: 'send', request: request('msg-1', utf8('secret')) });
    expect(alice.output()).toEqual([]);
    alice.receive(...sendHead('wrong1', 'Message-ID: x123').with(1, `To-Path: ${bobPath}`), '-------wrong1$');
    expect(alice.says()).toEqual([481]);
    alice.receive(...sendHead('right1', 'Message-ID: x123'), '-------right1$');
    expect(alice.says()).toEqual([200, 'SEND']);
  });

  it('answers along the way the request came', () => {
    const alice = openAlice();
    const relay = 'msrps://relay.example:1/x;tcp';
    alice.receive(...sendHead('abcd1', 'Message-ID: x123').with(2, `From-Path: ${relay} ${bobPath}`), '-------abcd1$');
    expect(alice.frames()[0]!.head).toMatchObject({
      kind: 'response',
      transactionId: 'abcd1',
      status: 200,
      headers: { toPath: [relay], fromPath: [alicePath] },
    });
  });

  const other = 'msrps://alice.example:7394/another;tcp';
  const chunk = ['Message-ID: m123', 'Content-Type: text/plain', '', 'hi', '-------tid1$'];
  it.each<[string, Partial<MsrpSessionOptions>, string[], (number | string)[]]>([
    ['a good SEND', {}, sendHead('tid1', ...chunk), [200]],
    [
      'a path with the other scheme',
      {},
      sendHead('tid1', ...chunk).with(1, `To-Path: ${alicePath.replace('msrps', 'msrp')}`),
      [200],
    ],
    ['another session', {}, sendHead('tid1', ...chunk).with(1, `To-Path: ${other}`), [481]],
    ['a path that goes on', {}, sendHead('tid1', ...chunk).with(1, `To-Path: ${alicePath} ${other}`), [481]],
    ['a session bound elsewhere', { isBoundElsewhere: true }, sendHead('tid1', ...chunk), [506]],
    ['another method', {}, sendHead('tid1', ...chunk).with(0, 'MSRP tid1 AUTH'), [501]],
    ['no Message-ID', {}, sendHead('tid1', ...chunk.slice(1)), [400]],
    ['a body without type', {}, sendHead('tid1', 'Message-ID: m123', '', 'hi', '-------tid1$'), [400]],
    ['a type without body', {}, sendHead('tid1', 'Message-ID: m123', 'Content-Type: a/b', '-------tid1$'), [400]],
    ['an impossible range', {}, sendHead('tid1', 'Byte-Range: 1-9/5', ...chunk), [400]],
    ['a range that runs backwards', {}, sendHead('tid1', 'Byte-Range: 9-5/9', ...chunk), [400]],
    ['a type we do not take', { acceptTypes: ['message/cpim', 'image/*'] }, sendHead('tid1', ...chunk), [415]],
    ['a type we take by its family', { acceptTypes: ['TEXT/*'] }, sendHead('tid1', ...chunk), [200]],
    ['a claim of too much', { maxMessageOctets: 100 }, sendHead('tid1', 'Byte-Range: 1-2/101', ...chunk), [413]],
    ['a position too far', { maxMessageOctets: 100 }, sendHead('tid1', 'Byte-Range: 100-101/*', ...chunk), [413]],
    ['our own refusal', { decide: () => ({ refuse: 403 }) }, sendHead('tid1', ...chunk), [403]],
    ['Failure-Report: no', {}, sendHead('tid1', 'Failure-Report: no', ...chunk), []],
    [
      'Failure-Report: no, wrong',
      {},
      sendHead('tid1', 'Failure-Report: no', ...chunk).with(1, `To-Path: ${other}`),
      [],
    ],
    ['Failure-Report: partial', {}, sendHead('tid1', 'Failure-Report: partial', ...chunk), []],
    [
      'Failure-Report: partial, wrong',
      { acceptTypes: [] },
      sendHead('tid1', 'Failure-Report: partial', ...chunk),
      [415],
    ],
    ['Success-Report: yes', {}, sendHead('tid1', 'Success-Report: yes', ...chunk), [200, 'REPORT']],
    [
      'a REPORT',
      {},
      sendHead('tid1', 'Message-ID: m123', 'Status: 000 200', '-------tid1$').with(0, 'MSRP tid1 REPORT'),
      [],
    ],
    [
      'a REPORT for another session',
      {},
      sendHead('tid1', 'Message-ID: m123', 'Status: 000 200', '-------tid1$')
        .with(0, 'MSRP tid1 REPORT')
        .with(1, `To-Path: ${other}`),
      [],
    ],
    ['a response to nothing', {}, sendHead('tid1', '-------tid1$').with(0, 'MSRP tid1 200 OK'), []],
  ])('answers %s', (_, options, lines, expected) => {
    const alice = openAlice(options);
    alice.receive(...lines);
    expect(alice.says()).toEqual(expected);
    expect(alice.actionsOf('closed')).toEqual([]);
    expect(alice.actionsOf('message')).toHaveLength(expected[0] === 200 || /report: (no|partial)$/i.test(_) ? 1 : 0);
  });

  it('refuses before the body has come, so that the sender can stop', () => {
    const alice = openAlice({ acceptTypes: ['text/plain'] });
    alice.receive(...sendHead('tid1', 'Message-ID: m123', 'Content-Type: video/mp4', '', 'beginning'));
    expect(alice.says()).toEqual([415]);
    alice.receive('the rest', '-------tid1+');
    expect(alice.says()).toEqual([]);
  });

  const chunkOf = (id: string, range: string, body: string, flag = '+'): string[] =>
    sendHead(
      id,
      'Message-ID: m123',
      `Byte-Range: ${range}`,
      'Content-Type: text/plain',
      '',
      body,
      `-------${id}${flag}`,
    );

  it('joins chunks in any order; the later one wins where they overlap', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid3', '9-12/12', 'IJKL', '$'));
    alice.receive(...chunkOf('tid1', '1-6/12', 'ABxxxx'));
    expect(alice.actionsOf('message')).toEqual([]);
    alice.receive(...chunkOf('tid2', '3-8/12', 'CDEFGH'));
    expect(alice.texts()).toEqual(['ABCDEFGHIJKL']);
    expect(alice.says()).toEqual([200, 200, 200]);
  });

  it('believes the octets, not the range: an interrupted chunk is as long as it is', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid1', '1-100/8', 'ABCD').with(4, 'Byte-Range: 1-8/8'));
    alice.receive(...chunkOf('tid2', '5-8/8', 'EFGH', '$'));
    expect(alice.texts()).toEqual(['ABCDEFGH']);
  });

  it('takes the end of the message from its last chunk, whatever total was claimed', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid1', '1-*/900000', 'short', '$'));
    expect(alice.texts()).toEqual(['short']);
  });

  it('waits for a gap to be filled for ever, without showing anything', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid1', '3-4/4', 'cd', '$'));
    expect(alice.actionsOf('message')).toEqual([]);
    expect(alice.says()).toEqual([200]);
  });

  it('refuses octets beyond an end that was fixed', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid1', '5-8/*', 'EFGH'));
    alice.receive(...chunkOf('tid2', '1-2/2', 'AB', '$'));
    expect(alice.says()).toEqual([200, 400]);
    expect(alice.actionsOf('message')).toEqual([]);
  });

  it('bounds the number of pieces and of unfinished messages', () => {
    const alice = openAlice({ maxIncoming: 3 });
    for (let piece = 0; piece < 400; piece++) alice.receive(...chunkOf(`p${piece}id`, `${2 * piece + 2}-*/*`, 'x'));
    expect(alice.says().filter((status) => status !== 200)).toContain(400);
    for (let message = 0; message < 6; message++) {
      const lines = chunkOf(`q${message}id`, '1-*/*', 'x').with(3, `Message-ID: other${message}`);
      alice.receive(...lines);
    }
    expect(alice.says()).toEqual([200, 200, 200, 413, 413, 413]);
  });

  it('shows a repeated message once, and still acknowledges it', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid1', '1-2/2', 'hi', '$'));
    alice.receive(...chunkOf('tid2', '1-2/2', 'hi', '$'));
    expect(alice.says()).toEqual([200, 200]);
    expect(alice.texts()).toEqual(['hi']);
  });

  it('drops what the sender gave up', () => {
    const alice = openAlice();
    alice.receive(...chunkOf('tid1', '1-2/4', 'ab'));
    alice.receive(...chunkOf('tid2', '3-*/4', '', '#'));
    alice.receive(...chunkOf('tid3', '3-4/4', 'cd', '$'));
    expect(alice.actionsOf('message')).toEqual([]);
  });

  it('answers a broken frame with 400 when it knows the transaction, and ends with field and offset', () => {
    const alice = openAlice();
    alice.receive(...sendHead('tid1', 'Byte-Range: nonsense'));
    expect(alice.says()).toEqual([400]);
    const [closed] = alice.actionsOf('closed');
    expect(closed?.error).toBeInstanceOf(ProtocolError);
    expect(closed?.error).toMatchObject({ kind: 'malformed', field: 'msrp.Byte-Range' });
    expect(closed?.error?.offset).toBe(sendHead('tid1').join('\r\n').length + 2 + 'Byte-Range:'.length);
    alice.receive(...chunkOf('tid2', '1-2/2', 'hi', '$'));
    expect(alice.says()).toEqual([]);
  });

  it.each([
    ['no transaction is known', ['nonsense']],
    ['it was a response', ['MSRP tid1 200 OK', 'nonsense']],
    ['it was a REPORT', ['MSRP tid1 REPORT', 'nonsense']],
    ['no failure report was wanted', ['MSRP tid1 SEND', 'Failure-Report: no', 'nonsense']],
  ])('ends without an answer when %s', (_, lines) => {
    const alice = openAlice();
    alice.receive(...lines);
    expect(alice.says()).toEqual([]);
    expect(alice.actionsOf('closed')).toHaveLength(1);
  });

  it('says when a peer sends without reading', () => {
    const alice = openAlice();
    for (let count = 0; count < 300; count++) alice.receive(...chunkOf(`t${count}id`, '1-2/2', 'hi', '$'));
    expect(alice.session.isOutputCongested).toBe(true);
    expect(alice.says()).toHaveLength(300);
    expect(alice.session.isOutputCongested).toBe(false);
  });
});

describe('an MSRP session under changed octets', () => {
  it('never throws, and ends with a typed error or goes on', () => {
    const [alice, bob] = pair();
    alice.handle({ type: 'send', request: request('msg-1', utf8('x'.repeat(5000)), { successReport: true }) });
    bob.handle({ type: 'send', request: request('msg-2', utf8('reply')) });
    const good = concatBytes(...alice.output());
    const change = fc.record({ at: fc.nat(good.length - 1), octet: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 10 }), fc.nat(good.length), (changes, cut) => {
        const bytes = Uint8Array.from(good);
        for (const { at, octet } of changes) bytes[at] = octet;
        const [, receiver] = pair();
        receiver.handle({ type: 'received', bytes: bytes.subarray(0, cut) });
        receiver.handle({ type: 'received', bytes: bytes.subarray(cut) });
        receiver.output();
        const closed = receiver.actionsOf('closed');
        expect(closed.every(({ error }) => error instanceof ProtocolError && error.field.startsWith('msrp.'))).toBe(
          true,
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('an MSRP session as sender', () => {
  const answerTo = (frame: Uint8Array, status: number): string[] => {
    const [{ head } = { head: undefined }] = decodeFrames(frame);
    const id = head!.transactionId;
    return [`MSRP ${id} ${status}`, `To-Path: ${alicePath}`, `From-Path: ${bobPath}`, `-------${id}$`];
  };

  it('waits 30 s for an answer, then fails the message with 408', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('hello')) });
    alice.output();
    expect(alice.session.deadline).toBe(alice.now + 30_000);
    alice.now += 29_999;
    alice.handle({ type: 'tick' });
    expect(alice.actionsOf('outcome')).toEqual([]);
    alice.now += 1;
    alice.handle({ type: 'tick' });
    expect(alice.actionsOf('outcome')).toMatchObject([
      { result: { outcome: 'failed', status: 408, failure: 'timeout' } },
    ]);
    expect(alice.actionsOf('closed')).toEqual([]);
    expect(alice.session.deadline).toBeUndefined();
  });

  it('asks for a sign of life by an empty SEND, and ends the session when none comes within 30 s', () => {
    const alice = openAlice();
    alice.handle({ type: 'keep-alive' });
    const [asked] = decodeFrames(concatBytes(...alice.nextOutput(alice.now)!));
    expect(asked).toMatchObject({ head: { method: 'SEND', headers: { byteRange: { start: 1, end: 0, total: 0 } } } });
    expect(asked!.body).toBeUndefined();
    alice.now += 29_999;
    alice.handle({ type: 'tick' });
    expect(alice.actionsOf('closed')).toEqual([]);
    alice.now += 1;
    alice.handle({ type: 'tick' });
    expect(alice.actionsOf('closed')).toMatchObject([{ error: { kind: 'expired' } }]);
  });

  it('stays when the sign of life comes, and asks nothing before it may speak', () => {
    const alice = openAlice();
    alice.handle({ type: 'keep-alive' });
    alice.receive(...answerTo(concatBytes(...alice.nextOutput(alice.now)!), 200));
    alice.now += 60_000;
    alice.handle({ type: 'tick' });
    expect(alice.actionsOf('closed')).toEqual([]);
    const bob = new Machine({ role: 'passive', isPeerAuthenticated: false });
    bob.handle({ type: 'connected' });
    bob.handle({ type: 'keep-alive' });
    expect(bob.nextOutput(bob.now)).toBeUndefined();
  });

  it('ends the session when nobody answers the binding SEND', () => {
    const alice = new Machine({ role: 'active' });
    alice.handle({ type: 'connected' });
    alice.output();
    alice.now += 30_000;
    alice.handle({ type: 'tick' });
    expect(alice.actionsOf('closed')).toMatchObject([{ error: { kind: 'expired' } }]);
  });

  it('sends nothing more of a message that was refused with 413, and gives up others with #', () => {
    for (const [status, flags] of [
      [413, []],
      [403, ['#']],
    ] as const) {
      const alice = openAlice({ maxUnanswered: 1 });
      alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(300_000)) });
      const [first] = alice.output();
      alice.receive(...answerTo(first!, status));
      expect(alice.frames().map(({ flag }) => flag)).toEqual(flags);
      expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'failed', status } }]);
    }
  });

  it.each([481, 506])('ends the session on %i', (status) => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('one')) });
    alice.handle({ type: 'send', request: request('msg-2', utf8('two')) });
    const [first] = alice.output();
    alice.receive(...answerTo(first!, status));
    expect(alice.actionsOf('outcome').map(({ result }) => result)).toMatchObject([
      { outcome: 'failed', status, failure: 'rejected' },
      { outcome: 'failed', status: 481, failure: 'closed' },
    ]);
    expect(alice.actionsOf('closed')[0]?.error?.message).toContain(String(status));
  });

  it('waits when too many chunks are unanswered', () => {
    const alice = openAlice({ maxUnanswered: 4 });
    alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(1_000_000)) });
    const written = alice.output();
    expect(written).toHaveLength(4);
    alice.receive(...answerTo(written[0]!, 200));
    expect(alice.output()).toHaveLength(1);
  });

  it('hears failure reports as it hears answers', () => {
    const alice = openAlice();
    alice.handle({
      type: 'send',
      request: request('msg-1', utf8('one'), { failureReport: 'no', successReport: true }),
    });
    alice.output();
    const lines = sendHead('rep1', 'Message-ID: msg-1', 'Byte-Range: 1-3/3', 'Status: 000 403 No', '-------rep1$');
    alice.receive(...lines.with(0, 'MSRP rep1 REPORT'));
    expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'failed', status: 403 } }]);
  });

  it('fails everything unfinished when the connection goes', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('one')) });
    alice.handle({ type: 'disconnected' });
    expect(alice.actionsOf('outcome')).toMatchObject([{ result: { outcome: 'failed', failure: 'connection-lost' } }]);
    expect(alice.actionsOf('closed')).toHaveLength(1);
    expect(alice.handle({ type: 'tick' })).toEqual([]);
  });

  it('refuses a message id that is in use or no identifier', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('one')) });
    expect(() => alice.handle({ type: 'send', request: request('msg-1', utf8('two')) })).toThrow(/already being sent/);
    expect(() => alice.handle({ type: 'send', request: request('a b', utf8('two')) })).toThrow(/Message-ID/);
  });
});
