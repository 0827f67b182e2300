import { describe, expect, it } from 'vitest';
import { parseSipMessage } from '../../../../src/protocol/sip/message.ts';
import { machine, request, response, sendTimes } from './support.ts';

const start = 1_000_000;

describe('a request other than INVITE', () => {
  it('is repeated by timer E, at T1 doubling up to T2, until timer F', () => {
    const subject = machine();
    subject.handle({ kind: 'send', message: request('MESSAGE') }, start);
    expect(sendTimes(subject, start)).toEqual([
      500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ]);
    expect(subject.size).toBe(0);
    expect(subject.nextDue()).toBeUndefined();
  });

  it('is repeated every T2 after a provisional response', () => {
    const subject = machine();
    const message = request('MESSAGE');
    subject.handle({ kind: 'send', message }, start);
    expect(subject.handle({ kind: 'receive', message: response(message, 100) }, start + 10)).toHaveLength(1);
    expect(sendTimes(subject, start)).toEqual([500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]);
  });

  it('is not repeated after its final response, whose copies are kept back for T4 (timer K)', () => {
    const subject = machine();
    const message = request('MESSAGE');
    const answer = response(message, 200);
    subject.handle({ kind: 'send', message }, start);
    expect(subject.handle({ kind: 'receive', message: answer }, start + 100)).toEqual([
      { kind: 'deliver', message: answer },
    ]);
    expect(subject.handle({ kind: 'receive', message: answer }, start + 5_099)).toEqual([]);
    // After K nothing is known of it: the transaction user drops it.
    expect(subject.handle({ kind: 'receive', message: answer }, start + 5_100)).toHaveLength(1);
    expect(sendTimes(subject, start)).toEqual([]);
  });

  it('has a late provisional response kept back', () => {
    const subject = machine();
    const message = request('MESSAGE');
    subject.handle({ kind: 'send', message }, start);
    subject.handle({ kind: 'receive', message: response(message, 200) }, start + 100);
    expect(subject.handle({ kind: 'receive', message: response(message, 100) }, start + 200)).toEqual([]);
  });
});

describe('INVITE', () => {
  it('is repeated by timer A, doubling without end, until timer B', () => {
    const subject = machine();
    subject.handle({ kind: 'send', message: request('INVITE') }, start);
    expect(sendTimes(subject, start)).toEqual([500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expect(subject.size).toBe(0);
  });

  it('is not repeated after a provisional response', () => {
    const subject = machine();
    const message = request('INVITE');
    subject.handle({ kind: 'send', message }, start);
    subject.handle({ kind: 'receive', message: response(message, 180) }, start + 400);
    expect(sendTimes(subject, start)).toEqual([]);
  });

  it('acknowledges each copy of a refusal for 32 s (timer D)', () => {
    const subject = machine();
    const message = request('INVITE');
    const refusal = response(message, 486);
    subject.handle({ kind: 'send', message }, start);
    expect(subject.handle({ kind: 'receive', message: refusal }, start + 100)).toHaveLength(1);
    subject.handle({ kind: 'send', message: request('ACK') }, start + 101);
    const again = subject.handle({ kind: 'receive', message: refusal }, start + 600);
    expect(again).toHaveLength(1);
    const [action] = again;
    expect(action?.kind === 'send' && parseSipMessage(action.bytes).method).toBe('ACK');
    expect(subject.handle({ kind: 'receive', message: refusal }, start + 32_099)[0]?.kind).toBe('send');
    expect(subject.handle({ kind: 'receive', message: refusal }, start + 32_100)[0]?.kind).toBe('deliver');
  });

  it('hands on every 2xx: the transaction user acknowledges them (timer M)', () => {
    const subject = machine();
    const message = request('INVITE');
    const answer = response(message, 200);
    subject.handle({ kind: 'send', message }, start);
    for (const later of [100, 600, 31_000]) {
      expect(subject.handle({ kind: 'receive', message: answer }, start + later)).toEqual([
        { kind: 'deliver', message: answer },
      ]);
    }
    expect(sendTimes(subject, start)).toEqual([]);
  });

  it('and its CANCEL are two transactions', () => {
    const subject = machine();
    const invite = request('INVITE');
    const cancel = request('CANCEL');
    subject.handle({ kind: 'send', message: invite }, start);
    subject.handle({ kind: 'receive', message: response(invite, 180) }, start + 10);
    subject.handle({ kind: 'send', message: cancel }, start + 20);
    subject.handle({ kind: 'receive', message: response(cancel, 200) }, start + 30);
    expect(subject.handle({ kind: 'receive', message: response(invite, 487) }, start + 40)[0]?.kind).toBe('deliver');
  });
});

it('sends once what it has no memory for', () => {
  const subject = machine({ clientTransactions: 1 });
  subject.handle({ kind: 'send', message: request('MESSAGE', 'z9hG4bK1') }, start);
  expect(subject.handle({ kind: 'send', message: request('MESSAGE', 'z9hG4bK2') }, start)).toHaveLength(1);
  expect(subject.size).toBe(1);
  expect(sendTimes(subject, start)).toHaveLength(10);
});

it('refuses what has not what every message must have', () => {
  const message = request('MESSAGE');
  message.headers.remove('Call-ID');
  expect(() => machine().handle({ kind: 'receive', message }, start)).toThrow('sip.Call-ID');
});
