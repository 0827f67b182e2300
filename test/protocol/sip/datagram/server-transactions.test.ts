import { describe, expect, it } from 'vitest';
import { parseSipMessage } from '../../../../src/protocol/sip/message.ts';
import { machine, request, response, sendTimes } from './support.ts';

const start = 1_000_000;

describe('a request other than INVITE', () => {
  it('is told once, and answered from memory for 32 s after its answer (timer J)', () => {
    const subject = machine();
    const message = request('MESSAGE');
    const receive = (at: number) => subject.handle({ kind: 'receive', message }, start + at);
    expect(receive(0)).toEqual([{ kind: 'deliver', message }]);
    expect(receive(500)).toEqual([]);
    const [sent] = subject.handle({ kind: 'send', message: response(message, 200) }, start + 1_000);
    expect(receive(1_500)).toEqual([sent]);
    expect(receive(32_999)).toEqual([sent]);
    expect(receive(33_000)).toEqual([{ kind: 'deliver', message }]);
  });

  it('has its answer not repeated by itself', () => {
    const subject = machine();
    const message = request('MESSAGE');
    subject.handle({ kind: 'receive', message }, start);
    subject.handle({ kind: 'send', message: response(message, 200) }, start);
    expect(sendTimes(subject, start)).toEqual([]);
    expect(subject.size).toBe(0);
  });
});

describe('INVITE', () => {
  it('has its last provisional answer repeated when it comes again', () => {
    const subject = machine();
    const message = request('INVITE');
    subject.handle({ kind: 'receive', message }, start);
    subject.handle({ kind: 'send', message: response(message, 100) }, start);
    const [ringing] = subject.handle({ kind: 'send', message: response(message, 180) }, start + 10);
    expect(subject.handle({ kind: 'receive', message }, start + 500)).toEqual([ringing]);
  });

  it('has its refusal repeated by timer G, at T1 doubling up to T2, until timer H', () => {
    const subject = machine();
    const message = request('INVITE');
    subject.handle({ kind: 'receive', message }, start);
    subject.handle({ kind: 'send', message: response(message, 486) }, start);
    expect(sendTimes(subject, start)).toEqual([
      500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ]);
    expect(subject.size).toBe(0);
  });

  it('has its refusal repeated until the ACK, whose copies are kept back for T4 (timer I)', () => {
    const subject = machine();
    const message = request('INVITE');
    subject.handle({ kind: 'receive', message }, start);
    subject.handle({ kind: 'send', message: response(message, 486) }, start);
    const ack = request('ACK');
    expect(subject.handle({ kind: 'receive', message: ack }, start + 600)).toEqual([{ kind: 'deliver', message: ack }]);
    expect(subject.handle({ kind: 'receive', message: ack }, start + 5_599)).toEqual([]);
    expect(subject.handle({ kind: 'receive', message }, start + 1_000)).toEqual([]);
    expect(sendTimes(subject, start)).toEqual([]);
  });

  it('leaves the repetition of a 2xx to whoever sent it, and keeps copies of the request back (timer L)', () => {
    const subject = machine();
    const message = request('INVITE');
    subject.handle({ kind: 'receive', message }, start);
    subject.handle({ kind: 'send', message: response(message, 200) }, start);
    expect(subject.handle({ kind: 'receive', message }, start + 31_999)).toEqual([]);
    const ack = request('ACK', 'z9hG4bKack');
    expect(subject.handle({ kind: 'receive', message: ack }, start + 100)).toEqual([{ kind: 'deliver', message: ack }]);
    expect(sendTimes(subject, start)).toEqual([]);
  });
});

describe('what belongs together', () => {
  it.each([
    ['another branch', { branch: 'z9hG4bK2' }],
    ['another sender', { host: '192.0.2.2' }],
    ['another method', { method: 'OPTIONS' }],
  ])('is told apart by %s', (_, { branch = 'z9hG4bK1', host = '192.0.2.1', method = 'MESSAGE' }: Differing) => {
    const subject = machine();
    subject.handle({ kind: 'receive', message: request('MESSAGE') }, start);
    const other = request(method, branch);
    other.headers.set('Via', `SIP/2.0/UDP ${host}:5060;branch=${branch}`);
    expect(subject.handle({ kind: 'receive', message: other }, start)).toHaveLength(1);
  });

  it('is found without the magic cookie, as RFC 2543 says', () => {
    const subject = machine();
    const receive = (number: number) =>
      subject.handle({ kind: 'receive', message: request('MESSAGE', 'old', number) }, start).length;
    expect([receive(1), receive(1), receive(2)]).toEqual([1, 0, 1]);
  });
});

interface Differing {
  readonly branch?: string;
  readonly host?: string;
  readonly method?: string;
}

describe('a flood', () => {
  it('is answered 503 without growth once the memory is full', () => {
    const subject = machine({ serverMemory: { transactions: 10, octets: 100_000 } });
    for (let count = 0; count < 10; count++) {
      subject.handle({ kind: 'receive', message: request('MESSAGE', `z9hG4bK${count}`) }, start);
    }
    for (let count = 10; count < 1_000; count++) {
      const [action] = subject.handle({ kind: 'receive', message: request('MESSAGE', `z9hG4bK${count}`) }, start);
      const answer = action?.kind === 'send' ? parseSipMessage(action.bytes) : undefined;
      expect(answer?.status).toBe(503);
      expect(answer?.headers.get('Retry-After')).toBe('10');
    }
    expect(subject.size).toBe(10);
  });

  it('is bounded by octets too', () => {
    const subject = machine({ serverMemory: { transactions: 10_000, octets: 2_000 } });
    const statuses: string[] = [];
    for (let count = 0; count < 20; count++) {
      const message = request('MESSAGE', `z9hG4bK${count}`);
      const [action] = subject.handle({ kind: 'receive', message }, start);
      statuses.push(action?.kind ?? '');
      if (action?.kind === 'deliver') subject.handle({ kind: 'send', message: response(message, 200) }, start);
    }
    expect(statuses.filter((kind) => kind === 'deliver').length).toBeLessThan(20);
    expect(subject.size).toBeLessThan(20);
  });

  it('leaves no trace of what was answered 503', () => {
    const subject = machine();
    for (let count = 0; count < 500; count++) {
      const message = request('MESSAGE', `z9hG4bK${count}`);
      expect(subject.handle({ kind: 'receive', message }, start)[0]?.kind).toBe('deliver');
      subject.handle({ kind: 'send', message: response(message, 503) }, start);
    }
    expect(subject.size).toBe(0);
  });
});
