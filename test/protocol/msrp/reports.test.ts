import { describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import {
  bytesSource,
  decodeFrames,
  type MessageSource,
  type MsrpSessionOptions,
  type OutgoingRequest,
} from '../../../src/protocol/msrp/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { alicePath, bobPath, exchange, Machine } from './support.ts';

const request = (messageId: string, bytes: Uint8Array, more: Partial<OutgoingRequest> = {}): OutgoingRequest => ({
  messageId,
  contentType: 'text/plain',
  source: bytesSource(bytes),
  ...more,
});

/** On a connection whose other end is proven, so that it speaks at once and owes no binding. */
function openAlice(options: Partial<MsrpSessionOptions> = {}): Machine {
  const alice = new Machine({ role: 'passive', ...options });
  alice.handle({ type: 'connected' });
  return alice;
}

function pair(bobOptions: Partial<MsrpSessionOptions> = {}): [Machine, Machine] {
  const alice = new Machine();
  const bob = new Machine({ localPath: bobPath, remotePath: [alicePath], role: 'passive', ...bobOptions });
  alice.handle({ type: 'connected' });
  bob.handle({ type: 'connected' });
  return [alice, bob];
}

const paths = [`To-Path: ${alicePath}`, `From-Path: ${bobPath}`];
const idOf = (frame: Uint8Array): string => decodeFrames(frame)[0]!.head.transactionId;
const answerTo = (frame: Uint8Array, status: number, from = bobPath): string[] => {
  const id = idOf(frame);
  return [`MSRP ${id} ${status}`, `To-Path: ${alicePath}`, `From-Path: ${from}`, `-------${id}$`];
};
const reportOf = (messageId: string, status: string, range?: string): string[] => [
  'MSRP rep1 REPORT',
  ...paths,
  `Message-ID: ${messageId}`,
  ...(range === undefined ? [] : [`Byte-Range: ${range}`]),
  `Status: ${status}`,
  '-------rep1$',
];
const send = (id: string, ...more: string[]): string[] => [`MSRP ${id} SEND`, ...paths, ...more];
const outcomes = (machine: Machine) => machine.actionsOf('outcome').map(({ result }) => result);

describe('who may speak in an MSRP session', () => {
  const stranger = 'msrps://mallory.example:1/mallory-session;tcp';
  const chunk = ['Message-ID: m123', 'Content-Type: text/plain', '', 'hi', '-------tid1$'];

  it('is refused with 481 when the request comes from another path than the peer gave', () => {
    const alice = openAlice();
    alice.receive(...send('tid1', ...chunk).with(2, `From-Path: ${stranger}`));
    alice.receive(...send('tid1', ...chunk).with(2, `From-Path: ${bobPath} ${stranger}`));
    expect(alice.says()).toEqual([481, 481]);
    expect([alice.texts(), alice.actionsOf('bound'), alice.actionsOf('closed')]).toEqual([[], [], []]);
  });

  it('is the peer, whatever relays stand before it and whatever scheme its path has', () => {
    const alice = openAlice();
    const relay = 'msrps://relay.example:1/x;tcp';
    alice.receive(...send('tid1', ...chunk).with(2, `From-Path: ${relay} ${bobPath.replace('msrps', 'msrp')}`));
    expect([alice.says(), alice.texts()]).toEqual([[200], ['hi']]);
  });

  it('has no REPORT of a stranger heard, and no answer to it', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('one')) });
    alice.output();
    alice.receive(...reportOf('msg-1', '000 403').with(2, `From-Path: ${stranger}`));
    expect([outcomes(alice), alice.says()]).toEqual([[], []]);
  });

  it('has no response of a stranger believed, but one of the next hop or of the peer', () => {
    const relay = 'msrps://relay.example:1/x;tcp';
    const alice = openAlice({ remotePath: [relay, bobPath] });
    for (const id of ['one1', 'two2', 'three3']) alice.handle({ type: 'send', request: request(id, utf8(id)) });
    const [first, second, third] = alice.output();
    alice.receive(...answerTo(first!, 200, stranger));
    expect(outcomes(alice)).toEqual([]);
    alice.receive(...answerTo(second!, 200, relay));
    alice.receive(...answerTo(third!, 200, bobPath));
    expect(alice.actionsOf('outcome').map(({ messageId }) => messageId)).toEqual(['two2', 'three3']);
  });
});

describe('success reports', () => {
  it('over parts count together, in any order, overlapping or twice', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(5000), { successReport: true }) });
    for (const frame of alice.output()) alice.receive(...answerTo(frame, 200));
    for (const range of ['3000-5000/5000', '1-1000/5000', '1-1000/5000', '900-2000/5000', '4000-9999/*']) {
      alice.receive(...reportOf('msg-1', '000 200 OK', range));
      expect(outcomes(alice)).toEqual([]);
    }
    alice.receive(...reportOf('msg-1', '000 200 OK', '2001-2999/5000'));
    expect(outcomes(alice)).toEqual([{ outcome: 'delivered', status: 200 }]);
    expect(alice.says()).toEqual([]);
  });

  it('without a range speak of the whole message, and with an open end of all that was sent', () => {
    for (const range of [undefined, '1-*/*']) {
      const alice = openAlice();
      const wish = { successReport: true, failureReport: 'no' } as const;
      alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), wish) });
      alice.output();
      expect(outcomes(alice)).toEqual([]);
      alice.receive(...reportOf('msg-1', '000 200', range));
      expect(outcomes(alice)).toEqual([{ outcome: 'delivered', status: 200 }]);
    }
  });

  it('of another namespace, for unknown messages or without a status change nothing', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), { successReport: true }) });
    for (const frame of alice.output()) alice.receive(...answerTo(frame, 200));
    alice.receive(...reportOf('msg-1', '001 200', '1-5/5'));
    alice.receive(...reportOf('msg-1', '001 481', '1-5/5'));
    alice.receive(...reportOf('msg-2', '000 200', '1-5/5'));
    alice.receive(...reportOf('msg-1', '000 200', '1-5/5').filter((line) => !line.startsWith('Status')));
    expect([outcomes(alice), alice.says(), alice.actionsOf('closed')]).toEqual([[], [], []]);
  });

  it('that never come are waited for two minutes, and the end of the session is told', () => {
    const late = openAlice();
    const ended = openAlice();
    for (const alice of [late, ended]) {
      alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), { successReport: true }) });
      for (const frame of alice.output()) alice.receive(...answerTo(frame, 200));
    }
    late.now += 119_999;
    late.handle({ type: 'tick' });
    expect(outcomes(late)).toEqual([]);
    late.now += 1;
    late.handle({ type: 'tick' });
    expect(outcomes(late)).toEqual([{ outcome: 'failed', status: 408, failure: 'timeout' }]);
    ended.handle({ type: 'close' });
    expect(outcomes(ended)).toEqual([{ outcome: 'failed', status: 481, failure: 'closed' }]);
  });

  it('over ever more separate octets do not fill memory: what is past the bound is passed over', () => {
    const alice = openAlice({ maxUnanswered: 100 });
    alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(60_000), { successReport: true }) });
    for (const frame of alice.output()) alice.receive(...answerTo(frame, 200));
    for (let at = 1; at < 2000; at += 2) alice.receive(...reportOf('msg-1', '000 200', `${at}-${at}/60000`));
    alice.receive(...reportOf('msg-1', '000 200', '1-60000/60000'));
    expect(outcomes(alice)).toEqual([]);
    alice.now += 120_000;
    alice.handle({ type: 'tick' });
    expect(outcomes(alice)).toEqual([{ outcome: 'failed', status: 408, failure: 'timeout' }]);
  });

  it('are sent only when asked for, once, over all of the message, along the path it came', () => {
    const relay = 'msrps://relay.example:1/x;tcp';
    const alice = openAlice();
    const of = (id: string, range: string, flag: string, text: string): string[] => [
      ...send(
        id,
        'Message-ID: m123',
        'Success-Report: yes',
        `Byte-Range: ${range}`,
        'Content-Type: text/plain',
        '',
        text,
      ),
      `-------${id}${flag}`,
    ];
    alice.receive(...of('tid1', '1-2/4', '+', 'ab').with(2, `From-Path: ${relay} ${bobPath}`));
    expect(alice.says()).toEqual([200]);
    alice.receive(...of('tid2', '3-4/4', '$', 'cd').with(2, `From-Path: ${relay} ${bobPath}`));
    const [answer, report, ...more] = alice.frames();
    expect([answer?.head, more]).toMatchObject([{ status: 200 }, []]);
    expect(report).toMatchObject({
      flag: '$',
      head: {
        method: 'REPORT',
        headers: {
          toPath: [relay, bobPath],
          fromPath: [alicePath],
          messageId: 'm123',
          byteRange: { start: 1, end: 4, total: 4 },
          status: { namespace: '000', code: 200 },
        },
      },
    });
    expect(report?.head.headers).not.toHaveProperty('successReport');
    expect(report?.head.headers).not.toHaveProperty('failureReport');
    alice.receive(
      ...send('tid3', 'Message-ID: m124', 'Success-Report: no', 'Content-Type: text/plain', '', 'x', '-------tid3$'),
    );
    expect(alice.says()).toEqual([200]);
  });

  it('may be wanted alone: Failure-Report no and Success-Report yes', () => {
    const [alice, bob] = pair();
    const wish = { successReport: true, failureReport: 'no' } as const;
    alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), wish) });
    exchange(alice, bob);
    expect([bob.texts(), outcomes(alice)]).toEqual([['hello'], [{ outcome: 'delivered', status: 200 }]]);
    expect(alice.session.deadline).toBeUndefined();
  });
});

describe('failure reports', () => {
  it.each([
    [403, []],
    [413, []],
    [415, []],
    [423, []],
    [408, [408]],
    [481, [481]],
    [506, [506]],
    [599, [599]],
  ])('of %i end the message, and the session when octets were lost', (status, ends) => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', utf8('one'), { successReport: true }) });
    alice.output();
    alice.receive(...reportOf('msg-1', `000 ${status} No`, '1-3/3'));
    const failure = status === 408 ? 'timeout' : 'rejected';
    expect(outcomes(alice)).toEqual([{ outcome: 'failed', status, failure }]);
    expect(alice.actionsOf('closed')).toHaveLength(ends.length);
    expect(alice.says()).toEqual([]);
  });

  it('stop a message that is being sent: 413 at once, others with an end of #', () => {
    for (const [status, flags] of [
      [413, []],
      [403, ['#']],
    ] as const) {
      const alice = openAlice({ maxUnanswered: 1 });
      alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(300_000)) });
      alice.output();
      alice.receive(...reportOf('msg-1', `000 ${status}`, '1-10/300000'));
      expect(alice.frames().map(({ flag }) => flag)).toEqual(flags);
    }
  });

  it('by us say which octets they speak of, and are not sent to who wants none', () => {
    for (const [wish, expected] of [
      ['yes', ['REPORT']],
      ['partial', ['REPORT']],
      ['no', []],
    ] as const) {
      const [alice, bob] = pair({ decide: () => 'stream' });
      alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), { failureReport: wish }) });
      exchange(alice, bob);
      bob.handle({ type: 'stored', messageId: 'msg-1', status: 413 });
      const frames = bob.frames();
      expect(frames.map(({ head }) => (head.kind === 'request' ? head.method : head.status))).toEqual(expected);
      for (const { head } of frames) {
        expect(head.headers).toMatchObject({ byteRange: { start: 1, end: 5 }, status: { code: 413 } });
      }
    }
  });
});

describe('Failure-Report: partial', () => {
  const partial = { failureReport: 'partial' } as const;

  it('runs no timer and counts as written when all is with the connection', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(5000), partial) });
    const frames = alice.output();
    alice.handle({ type: 'tick' });
    expect(frames.map((frame) => decodeFrames(frame)[0]!.head.headers.failureReport)).toEqual(Array(3).fill('partial'));
    expect(outcomes(alice)).toEqual([{ outcome: 'written' }]);
    expect(alice.session.deadline).toBeUndefined();
  });

  it('still hears a refusal: as a response or as a report, once for the message', () => {
    for (const told of ['response', 'report'] as const) {
      const alice = openAlice();
      alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(5000), partial) });
      const frames = alice.output();
      alice.handle({ type: 'tick' });
      for (const frame of frames) {
        alice.receive(...(told === 'report' ? reportOf('msg-1', '000 403', '1-9/9') : answerTo(frame, 403)));
      }
      expect(alice.actionsOf('late-failure')).toEqual([{ type: 'late-failure', messageId: 'msg-1', status: 403 }]);
      expect(alice.actionsOf('closed')).toEqual([]);
    }
  });

  it('stops a message that is refused while it is being sent', () => {
    const alice = openAlice();
    alice.handle({ type: 'send', request: request('msg-1', new Uint8Array(300_000), partial) });
    const first = concatBytes(...alice.nextOutput()!);
    alice.receive(...answerTo(first, 413));
    expect(outcomes(alice)).toEqual([{ outcome: 'failed', status: 413, failure: 'rejected' }]);
    expect(alice.output()).toEqual([]);
  });

  it('remembers a bounded number: of the oldest a refusal is not heard any more', () => {
    const alice = openAlice({ random: seededRandom('partial') });
    const frames: Uint8Array[] = [];
    for (let count = 0; count < 1000; count++) {
      alice.handle({ type: 'send', request: request(`msg-${count}`, utf8('x'), partial) });
      frames.push(...alice.output());
    }
    for (const frame of frames) alice.receive(...answerTo(frame, 403));
    const told = alice.actionsOf('late-failure').map(({ messageId }) => messageId);
    expect(told).toEqual(Array.from({ length: 256 }, (_, index) => `msg-${744 + index}`));
  });

  it('gets no 200 from us, but a refusal', () => {
    const [alice, bob] = pair({ acceptTypes: ['text/plain'] });
    alice.handle({ type: 'send', request: request('good', utf8('x'), partial) });
    alice.handle({ type: 'send', request: request('bad1', utf8('x'), { ...partial, contentType: 'video/mp4' }) });
    exchange(alice, bob);
    expect(bob.texts()).toEqual(['x']);
    expect(alice.actionsOf('late-failure')).toMatchObject([{ messageId: 'bad1', status: 415 }]);
  });
});

describe('what the peer said that it takes', () => {
  it.each<[string, Partial<MsrpSessionOptions>, Partial<OutgoingRequest>, number]>([
    ['a type that it does not list', { peerAcceptTypes: ['text/plain', 'image/*'] }, { contentType: 'video/mp4' }, 415],
    ['more than its max-size', { peerMaxOctets: 4 }, {}, 413],
  ])('forbids %s: nothing is sent', (_, options, more, status) => {
    const alice = openAlice(options);
    alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), more) });
    alice.handle({ type: 'tick' });
    expect(outcomes(alice)).toEqual([{ outcome: 'failed', status, failure: 'not-accepted' }]);
    expect(alice.output()).toEqual([]);
  });

  it('allows what is listed, by name, by family and with parameters', () => {
    const alice = openAlice({ peerAcceptTypes: ['text/plain;charset=utf-8', 'image/*'], peerMaxOctets: 5 });
    for (const [id, contentType] of [
      ['msg-1', 'Text/Plain; charset=utf-8'],
      ['msg-2', 'image/png'],
    ] as const) {
      alice.handle({ type: 'send', request: request(id, utf8('hello'), { contentType }) });
    }
    expect(alice.says()).toEqual(['SEND', 'SEND']);
  });

  it('ends a message of unknown length with # before it exceeds the max-size', () => {
    const alice = openAlice({ peerMaxOctets: 3000 });
    const source: MessageSource = {
      total: undefined,
      take: (max) => ({ bytes: new Uint8Array(Math.min(max, 1024)), last: false }),
    };
    alice.handle({ type: 'send', request: request('msg-1', utf8(''), { source }) });
    const frames = alice.frames();
    alice.handle({ type: 'tick' });
    expect(frames.map(({ flag, body }) => [flag, body?.length])).toEqual([
      ['+', 1024],
      ['+', 1024],
      ['#', 0],
    ]);
    expect(outcomes(alice)).toEqual([{ outcome: 'failed', status: 413, failure: 'not-accepted' }]);
  });

  it('is learnt from a 415 for the rest of the session, except of containers', () => {
    const alice = openAlice();
    const tell = (id: string, contentType: string): number => {
      alice.handle({ type: 'send', request: request(id, utf8('x'), { contentType }) });
      const frames = alice.output();
      for (const frame of frames) alice.receive(...answerTo(frame, 415));
      return frames.length;
    };
    expect(tell('msg-1', 'image/png')).toBe(1);
    expect(tell('msg-2', 'IMAGE/PNG; q=1')).toBe(0);
    expect(tell('msg-3', 'image/gif')).toBe(1);
    expect(tell('msg-4', 'message/cpim')).toBe(1);
    expect(tell('msg-5', 'message/cpim')).toBe(1);
  });
});

describe('extensions of MSRP', () => {
  it('unknown methods are answered 501 along the full path, unless no answer is wanted', () => {
    const relay = 'msrps://relay.example:1/x;tcp';
    const alice = openAlice();
    const strange = ['MSRP tid1 WAVE', paths[0]!, `From-Path: ${relay} ${bobPath}`];
    alice.receive(...strange, 'Message-ID: m123', 'Content-Type: a/b', '', 'body', '-------tid1$');
    expect(alice.frames()).toMatchObject([{ head: { status: 501, headers: { toPath: [relay, bobPath] } } }]);
    alice.receive(...strange, 'Failure-Report: no', '-------tid1$');
    expect([alice.says(), alice.actionsOf('message'), alice.actionsOf('closed')]).toEqual([[], [], []]);
  });

  it('unknown header fields are passed over in requests, reports and responses', () => {
    const [alice, bob] = pair();
    const other = [{ name: 'X-Colour', value: 'blue' }];
    alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), { other }) });
    exchange(alice, bob);
    expect([bob.texts(), outcomes(alice)]).toEqual([['hello'], [{ outcome: 'delivered', status: 200 }]]);
    const sender = openAlice();
    sender.handle({ type: 'send', request: request('msg-1', utf8('one'), { successReport: true }) });
    const [frame] = sender.output();
    sender.receive(...answerTo(frame!, 200).toSpliced(3, 0, 'X-Colour: blue'));
    sender.receive(...reportOf('msg-1', '000 200', '1-3/3').toSpliced(3, 0, 'X-Colour: blue'));
    expect(outcomes(sender)).toEqual([{ outcome: 'delivered', status: 200 }]);
  });

  it('URI parameters after the transport change nothing', () => {
    const alice = openAlice();
    alice.receive(
      ...send('tid1', 'Message-ID: m123', 'Content-Type: text/plain', '', 'hi', '-------tid1$')
        .with(1, `To-Path: ${alicePath};colour=blue`)
        .with(2, `From-Path: ${bobPath};colour=red`),
    );
    expect([alice.says(), alice.texts()]).toEqual([[200], ['hi']]);
  });
});

describe('what we write', () => {
  it('has transaction ids of 128 random bits, never the same twice, and none that stands in the body', () => {
    const alice = openAlice({ random: seededRandom('ids'), maxUnanswered: 1000 });
    for (let count = 0; count < 500; count++) {
      alice.handle({ type: 'send', request: request(`msg-${count}`, utf8('x')) });
    }
    const ids = alice.frames().map(({ head }) => head.transactionId);
    expect(ids).toHaveLength(500);
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    // The same randomness again: the first id stands in the body now.
    const again = openAlice({ random: seededRandom('ids') });
    again.handle({ type: 'send', request: request('msg-1', utf8(`-------${ids[0]}$`)) });
    expect(again.frames().map(({ head }) => head.transactionId)).toEqual([ids[1]]);
  });

  it('has its header fields in order, Content-Type last, and a body set off by a line of its own', () => {
    const alice = openAlice();
    const other = [{ name: 'Content-Disposition', value: 'render' }];
    const wish = { other, successReport: true, failureReport: 'partial' } as const;
    alice.handle({ type: 'send', request: request('msg-1', utf8('hello'), wish) });
    const lines = fromUtf8(concatBytes(...alice.output())).split('\r\n');
    expect(lines.map((line) => line.replace(/[0-9a-f]{32}/, 'ID'))).toEqual([
      'MSRP ID SEND',
      `To-Path: ${bobPath}`,
      `From-Path: ${alicePath}`,
      'Message-ID: msg-1',
      'Success-Report: yes',
      'Failure-Report: partial',
      'Byte-Range: 1-5/5',
      'Content-Disposition: render',
      'Content-Type: text/plain',
      '',
      'hello',
      '-------ID$',
      '',
    ]);
  });
});
