// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PreloadTransport } from '../../../renderer/bridge/preload-transport.ts';
import { WebSocketTransport } from '../../../renderer/bridge/websocket-transport.ts';
import type { EventEnvelope } from '../../../src/contract/index.ts';

class FakeSocket {
  static readonly OPEN = 1;
  static readonly made: FakeSocket[] = [];
  readyState = 0;
  readonly sent: string[] = [];
  onopen: () => void = () => undefined;
  onclose: () => void = () => undefined;
  onmessage: (event: { data: unknown }) => void = () => undefined;

  constructor() {
    FakeSocket.made.push(this);
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  close() {
    this.readyState = 3;
    this.onclose();
  }
  send(text: string) {
    this.sent.push(text);
  }
  receive(value: unknown) {
    this.onmessage({ data: typeof value === 'string' ? value : JSON.stringify(value) });
  }
}

const removed: EventEnvelope = {
  event: 'messageRemoved',
  payload: { version: 1, accountId: 'a', conversation: 'sip:b@c', messageId: 'm' },
};

describe('WebSocket', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.made.length = 0;
    vi.stubGlobal('WebSocket', FakeSocket);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const last = () => FakeSocket.made.at(-1)!;

  it('matches answers to calls by id, in any order', async () => {
    const transport = new WebSocketTransport('ws://x/bridge');
    last().open();
    const one = transport.call({ id: 1, call: 'getSnapshot', input: {} });
    const two = transport.call({ id: 2, call: 'getSnapshot', input: {} });
    last().receive({ id: 2, ok: true, output: 'two' });
    last().receive({ id: 1, ok: true, output: 'one' });
    expect([await one, await two]).toMatchObject([{ output: 'one' }, { output: 'two' }]);
  });

  it('rejects what is under way when the connection breaks, and connects again, ever more slowly', async () => {
    const links: boolean[] = [];
    const transport = new WebSocketTransport('ws://x/bridge');
    transport.onLink((isUp) => links.push(isUp));
    last().open();
    const call = transport.call({ id: 1, call: 'getSnapshot', input: {} });
    last().close();
    await expect(call).rejects.toThrow('connection lost');
    await expect(transport.call({ id: 2, call: 'getSnapshot', input: {} })).rejects.toThrow('not connected');
    vi.advanceTimersByTime(400);
    expect(FakeSocket.made).toHaveLength(2);
    last().close();
    vi.advanceTimersByTime(400);
    expect(FakeSocket.made).toHaveLength(2);
    vi.advanceTimersByTime(400);
    expect(FakeSocket.made).toHaveLength(3);
    last().open();
    expect(links).toEqual([false, true, false, false, true]);
  });

  it('ignores what is no envelope', () => {
    const heard: unknown[] = [];
    const transport = new WebSocketTransport('ws://x/bridge');
    transport.onEvent((event) => heard.push(event));
    last().open();
    for (const garbage of ['{', '[]', '"x"', { event: 'account', payload: { version: 1 } }, { hello: 1 }]) {
      last().receive(garbage);
    }
    last().receive(removed);
    expect(heard).toEqual([removed]);
  });

  it('stays closed once closed', () => {
    const transport = new WebSocketTransport('ws://x/bridge');
    last().open();
    transport.close();
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.made).toHaveLength(1);
  });
});

describe('preload bridge', () => {
  it('checks what comes from the other side', async () => {
    const heard: unknown[] = [];
    let emit: (event: EventEnvelope) => void = () => undefined;
    const transport = new PreloadTransport({
      call: ({ id }) => Promise.resolve(id === 1 ? { id, ok: true, output: 7 } : ('garbage' as never)),
      pickDropped: () => Promise.resolve(null),
      onEvent: (listener) => {
        emit = listener;
        return () => undefined;
      },
    });
    transport.onEvent((event) => heard.push(event));
    emit({ event: 'nonsense' } as never);
    emit(removed);
    expect(heard).toEqual([removed]);
    expect(await transport.call({ id: 1, call: 'getSnapshot', input: {} })).toMatchObject({ output: 7 });
    await expect(transport.call({ id: 2, call: 'getSnapshot', input: {} })).rejects.toThrow();
  });
});
