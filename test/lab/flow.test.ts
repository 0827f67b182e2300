import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Flow } from '../../src/lab/edge/flow.ts';
import { Timers } from '../../src/lab/timers.ts';
import { WireRecorder } from '../../src/lab/wire-recorder.ts';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { serialiseSipMessage, SipMessage } from '../../src/protocol/sip/message.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A flow whose wire keeps what it is given. */
function stage(latency: { value: number } = { value: 0 }) {
  const recorder = new WireRecorder();
  const timers = new Timers();
  const sent: string[] = [];
  const received: string[] = [];
  const flow = new Flow({
    id: 'tcp-1',
    transport: 'tcp',
    local: { host: '127.0.0.1', port: 5060 },
    remote: { host: '127.0.0.1', port: 40_000 },
    edge: 0,
    tracks: { fromUe: recorder.open('accessLeg', 'from'), toUe: recorder.open('accessLeg', 'to') },
    inside: recorder.open('insideEdge', 'inside'),
    handlers: {
      message: (_flow, message) => received.push(message.headers.get('Call-ID') ?? ''),
      malformed: () => undefined,
      closed: () => undefined,
    },
    latency: () => latency.value,
    after: (milliseconds, action) => timers.after(milliseconds, action),
  });
  flow.attach({
    queuedOctets: 0,
    send: (bytes) => sent.push(/Call-ID: (\S+)/.exec(fromUtf8(bytes))?.[1] ?? ''),
    end: () => undefined,
    destroy: () => undefined,
  });
  return { flow, sent, received, latency };
}

function message(callId: string): SipMessage {
  const request = SipMessage.request('OPTIONS', 'sip:lab.test');
  request.headers
    .add('Via', 'SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1')
    .add('From', '<sip:a@lab.test>;tag=1')
    .add('To', '<sip:b@lab.test>')
    .add('Call-ID', callId)
    .add('CSeq', '1 OPTIONS');
  return request;
}

describe('a flow that must be heard', () => {
  test('is closed when nothing comes for longer than its Flow-Timer and the grace', () => {
    const { flow } = stage();
    flow.expectSignsOfLife(30);
    vi.advanceTimersByTime(44_000);
    expect(flow.isOpen).toBe(true);
    vi.advanceTimersByTime(2_000);
    expect(flow.isOpen).toBe(false);
  });

  test('stays as long as keep-alives come', () => {
    const { flow } = stage();
    flow.expectSignsOfLife(30);
    for (let round = 0; round < 10; round++) {
      vi.advanceTimersByTime(29_000);
      flow.touch();
    }
    expect(flow.isOpen).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(flow.isOpen).toBe(false);
  });
});

describe('a slow link', () => {
  test('takes its time both ways and keeps the order, also when it gets faster', () => {
    const { flow, sent, received, latency } = stage({ value: 500 });
    flow.send(message('one'));
    flow.receive(serialiseSipMessage(message('in')));
    latency.value = 100;
    flow.send(message('two'));
    expect([sent, received]).toEqual([[], []]);
    vi.advanceTimersByTime(100);
    expect(sent).toEqual(['one']);
    vi.advanceTimersByTime(400);
    expect([sent, received]).toEqual([['one', 'two'], ['in']]);
    latency.value = 0;
    flow.send(message('three'));
    expect(sent).toEqual(['one', 'two', 'three']);
  });

  test('a flow that is closed delivers nothing more', () => {
    const { flow, sent } = stage({ value: 500 });
    flow.send(message('one'));
    flow.close();
    vi.advanceTimersByTime(1000);
    expect(sent).toEqual([]);
  });
});
