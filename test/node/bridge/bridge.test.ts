import { describe, expect, it, vi } from 'vitest';
import type { EventEnvelope, ReplyEnvelope } from '../../../src/contract/index.ts';
import { createBridge } from '../../../src/node/bridge/bridge.ts';
import { ScriptedHost } from '../../support/scripted-host.ts';

const peer = 'sip:bob@lab.test';

function setUp() {
  const host = new ScriptedHost();
  const log = { log: vi.fn() };
  const bridge = createBridge({ host, log });
  const heard: EventEnvelope[] = [];
  bridge.subscribe((event) => heard.push(event));
  const call = (name: string, input: unknown): Promise<ReplyEnvelope> => bridge.handle({ id: 7, call: name, input });
  return { host, log, bridge, heard, call };
}

describe('bridge', () => {
  it('answers a call under its id', async () => {
    const { call } = setUp();
    const reply = await call('sendMessage', { accountId: 'alice', to: peer, text: 'hi', way: 'message' });
    expect(reply).toMatchObject({ id: 7, ok: true, output: { outcome: 'sent', message: { level: 'e2e' } } });
  });

  it.each([
    ['not an object', 'hello', null, 'invalid-envelope'],
    ['a list', [], null, 'invalid-envelope'],
    ['an unknown field', { id: 1, call: 'getSnapshot', input: {}, extra: 1 }, null, 'invalid-envelope'],
    ['an unknown call', { id: 1, call: 'readSecret', input: {} }, 1, 'unknown-call'],
    ['an inherited name', { id: 1, call: 'constructor', input: {} }, 1, 'unknown-call'],
    ['a missing input', { id: 1, call: 'register', input: {} }, 1, 'invalid-input'],
    ['a wrong account', { id: 1, call: 'register', input: { accountId: 'eve' } }, 1, 'no-such-account'],
    [
      'a wrong conversation',
      { id: 1, call: 'markRead', input: { accountId: 'alice', peer } },
      1,
      'no-such-conversation',
    ],
  ])('refuses %s with a typed error', async (_, envelope, id, code) => {
    const { bridge } = setUp();
    expect(await bridge.handle(envelope)).toMatchObject({ id, ok: false, error: { code } });
  });

  it('names the field of a bad input and never repeats its content', async () => {
    const { call } = setUp();
    const reply = await call('sendMessage', { accountId: 'alice', to: peer, text: 'secret text', way: 'pigeon' });
    expect(JSON.stringify(reply)).toContain('way: ');
    expect(JSON.stringify(reply)).not.toMatch(/secret text|pigeon/);
  });

  it('turns a fault of the host into "internal" and tells nothing of it', async () => {
    const { host, call, log } = setUp();
    host.register = () => Promise.reject(new Error('ENOENT /home/alice/secret'));
    const reply = await call('register', { accountId: 'alice' });
    expect(reply).toMatchObject({ ok: false, error: { code: 'internal' } });
    expect(JSON.stringify(reply)).not.toContain('ENOENT');
    expect(log.log).toHaveBeenCalledWith('error', 'bridge.call-failed', expect.anything());
  });

  it('cuts what a view does not name', async () => {
    const { host, call } = setUp();
    host.account = { ...host.account, password: 'hunter2' } as never;
    expect(JSON.stringify(await call('getSnapshot', {}))).not.toContain('hunter2');
  });

  it('numbers events without a gap and tells the number in the snapshot', async () => {
    const { host, call, heard } = setUp();
    host.receive(peer, 'one', 'e2e');
    const reply = await call('getSnapshot', {});
    host.receive(peer, 'two', 'e2e');
    const versions = heard.map((event) => event.payload.version);
    expect(versions).toEqual(versions.map((_, index) => index + 1));
    expect(reply).toMatchObject({ ok: true, output: { version: 2 } });
  });

  it('drops an event that breaks the contract, leaving a gap that screens notice', () => {
    const { host, heard, log } = setUp();
    host.receive(peer, 'bad', 'e2e', { at: 'yesterday' as never });
    host.receive(peer, 'good', 'e2e');
    expect(log.log).toHaveBeenCalled();
    expect(heard.map((event) => event.payload.version)).toEqual([3, 4]);
  });

  it('is silent after close', () => {
    const { host, bridge, heard } = setUp();
    bridge.close();
    host.receive(peer, 'late', 'e2e');
    expect(heard).toEqual([]);
  });
});
