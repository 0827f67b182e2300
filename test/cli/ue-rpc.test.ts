import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProtocolError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { UeRpc, type UeAccount } from '../../src/cli/ue-rpc.ts';
import type { FileView } from '../../src/engine/files/file-view.ts';
import { settle, World, type User } from '../engine/support/world.ts';

interface Answer {
  readonly jsonrpc: string;
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { code: number; message: string; data: { code: string; field?: string } };
}

let world: World;
let alice: User;
let bob: User;
let rpc: UeRpc;
let lines: Answer[];
const onShutdown = vi.fn();

function start(account: UeAccount, acceptServer?: (sha256: string) => Promise<void>): UeRpc {
  lines = [];
  return new UeRpc({
    ...(acceptServer === undefined ? {} : { acceptServer }),
    account,
    log: silentLogger,
    write: (line) => {
      expect(line).not.toContain('\n');
      lines.push(JSON.parse(line) as Answer);
    },
    onShutdown,
  });
}

async function ask(request: unknown): Promise<Answer> {
  rpc.handleLine({ text: typeof request === 'string' ? request : JSON.stringify(request) });
  await rpc.settled();
  return lines.findLast((line) => 'id' in line)!;
}

function call(method: string, params?: object): Promise<Answer> {
  return ask({ jsonrpc: '2.0', id: 1, method, ...(params === undefined ? {} : { params }) });
}

function notifications(method: string): Answer['params'][] {
  return lines.filter((line) => line.method === method).map(({ params }) => params);
}

beforeEach(async () => {
  onShutdown.mockReset();
  world = new World();
  alice = await world.user('alice');
  bob = await world.user('bob');
  rpc = start(alice.account);
});

afterEach(async () => {
  rpc.close();
  await Promise.all([alice.account.stop(), bob.account.stop()]);
});

describe('methods', () => {
  test('message.send offers a text as a file that is too long for a session', async () => {
    const request = { to: 'sip:bob@lab.test', text: 'x'.repeat(300_000), way: 'msrp', policy: 'require-e2e' };
    const file = { direction: 'out', type: 'text/plain', size: 300_000 };
    expect(await call('message.send', request)).toMatchObject({ result: { outcome: 'offered', file } });
  });

  test('message.displayed tells the sender, composing tells the peer, each in the session that stands', async () => {
    await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'hello', way: 'msrp' });
    await settle();
    const [received] = notifications('message.received');
    expect(await call('message.displayed', { id: received!['id'] })).toMatchObject({ result: {} });
    await settle();
    expect(bob.states.at(-1)).toMatchObject({ text: 'hello', state: 'displayed' });
    expect(await call('message.displayed', { id: 'none' })).toMatchObject({
      error: { data: { code: 'no-such-message' } },
    });
    bob.account.composing({ to: 'sip:alice@lab.test', isWriting: true });
    await settle();
    expect(notifications('composing')).toEqual([{ peer: 'sip:bob@lab.test', isWriting: true }]);
    const typing = { to: 'sip:bob@lab.test', isWriting: true };
    expect(await call('composing', typing)).toMatchObject({ result: { told: true } });
    expect(await call('composing', { ...typing, to: 'nobody' })).toMatchObject({ result: { told: false } });
  });

  test('message.group reaches several by the list service, and says in words why it does not', async () => {
    const recipients = ['sip:bob@lab.test', 'sip:carol@lab.test'];
    const request = { recipients, text: 'hello all', policy: 'require-e2e' };
    expect(await call('message.group', request)).toMatchObject({
      result: { outcome: 'refused', refusal: { code: 'peer-incompatible' } },
    });
    const carol = await world.user('carol');
    world.sip.listService = 'sip:lists@lab.test';
    const dora = await world.user('dora', { messages: { listService: 'sip:lists@lab.test' } });
    rpc.close();
    rpc = start(dora.account);
    expect(await call('message.group', request)).toMatchObject({
      result: { outcome: 'sent', level: 'e2e', message: { recipients: recipients.map((address) => ({ address })) } },
    });
    await settle();
    expect(carol.received).toMatchObject([{ text: 'hello all' }]);
    await Promise.all([carol, dora].map(({ account }) => account.stop()));
  });

  test('message.askResend says what came of it', async () => {
    expect(await call('message.askResend', { id: 'none' })).toMatchObject({ result: { outcome: 'not-unreadable' } });
    world.kms.forbidden.add('sip:alice@lab.test');
    await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'hello', way: 'message' });
    await settle();
    const [unread] = notifications('message.received');
    expect(unread).toMatchObject({ state: 'undecryptable' });
    world.kms.forbidden.clear();
    expect(await call('message.askResend', { id: unread?.['id'] })).toMatchObject({ result: { outcome: 'asked' } });
  });

  test('receipts.set holds for a contact until it is taken away', async () => {
    await bob.account.stop();
    bob = await world.user('bob', { receipts: {} });
    const told = async (receipts: object | null): Promise<number> => {
      const contact = 'sip:bob@lab.test';
      expect(await call('receipts.set', { contact, receipts })).toMatchObject({ result: {} });
      const before = world.sip.messages.filter(({ from }) => from === 'sip:alice@lab.test').length;
      await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'hello', way: 'message' });
      await settle();
      await settle();
      return world.sip.messages.filter(({ from }) => from === 'sip:alice@lab.test').length - before;
    };
    expect([await told({ delivery: false }), await told(null)]).toEqual([0, 1]);
    expect(await call('receipts.set', { contact: 'sip:bob@lab.test', receipts: { other: true } })).toMatchObject({
      error: { data: { code: 'invalid-params' } },
    });
  });

  test('register and unregister answer with the state, and tell it', async () => {
    expect(await call('unregister')).toMatchObject({ id: 1, result: { state: 'unregistered' } });
    expect(await call('register')).toMatchObject({ result: { state: 'registered' } });
    expect(notifications('registration').map((params) => params?.['state'])).toEqual(['unregistered', 'registered']);
  });

  test.each(['message', 'msrp'])('message.send by %s says the level reached', async (way) => {
    const answer = await call('message.send', { to: 'sip:bob@lab.test', text: 'hello', way, policy: 'require-e2e' });
    expect(answer.result).toMatchObject({
      outcome: 'sent',
      level: 'e2e',
      message: { way, evidence: { vouchedBy: 'kms' } },
    });
    expect(notifications('message.state').map((params) => params?.['state'])).toEqual([
      'queued',
      'sent',
      way === 'msrp' ? 'delivered' : 'accepted',
    ]);
  });

  test('a refused message is a result', async () => {
    world.kms.fault = 'unauthorised';
    const answer = await call('message.send', { to: 'sip:bob@lab.test', text: 'hello', way: 'message' });
    expect(answer.result).toMatchObject({ outcome: 'refused', refusal: { code: 'consent-required', offered: 'e2ae' } });
    const agreed = await call('message.send', { to: 'sip:bob@lab.test', text: 'hello', way: 'message', consent: true });
    expect(agreed.result).toMatchObject({ outcome: 'sent', level: 'e2ae' });
  });

  test('a message waits for the KMS, and can be taken back', async () => {
    world.kms.fault = 'down';
    const answer = await call('message.send', { to: 'sip:bob@lab.test', text: 'hello', way: 'message' });
    expect(answer.result).toMatchObject({
      outcome: 'waiting',
      message: { state: 'queued', problem: { code: 'kms-unreachable', offered: 'e2ae' } },
    });
    expect(notifications('kms')).toMatchObject([{ state: 'unreachable', nextAttempt: expect.any(Number) as number }]);
    expect(await call('status')).toMatchObject({ result: { kms: { state: 'unreachable' } } });
    const { id } = answer.result?.['message'] as { id: string };
    expect(await call('message.cancel', { id })).toMatchObject({ result: {} });
    expect(notifications('message.cancelled')).toMatchObject([{ id }]);
    expect(await call('message.cancel', { id })).toMatchObject({ error: { data: { code: 'no-such-message' } } });
    world.kms.fault = 'none';
    expect(await call('kms.retry')).toMatchObject({ result: { state: 'ready' } });
    expect(notifications('message.state').map((params) => params?.['state'])).toEqual(['queued', 'queued']);
  });

  test('what was said is paged and searched', async () => {
    for (const text of ['one fine day', 'two', 'another day']) {
      await call('message.send', { to: 'sip:bob@lab.test', text, way: 'message' });
    }
    const page = await call('history.page', { peer: 'sip:bob@lab.test', limit: 2 });
    expect(page.result).toMatchObject({ messages: [{ text: 'two' }, { text: 'another day' }], hasMore: true });
    const [first] = page.result?.['messages'] as { id: string }[];
    const before = await call('history.page', { peer: 'sip:bob@lab.test', limit: 2, before: first?.id });
    expect(before.result).toMatchObject({ messages: [{ text: 'one fine day' }], hasMore: false });
    expect((await call('history.search', { text: 'day' })).result).toMatchObject({
      hits: [
        { message: { text: 'another day' }, matches: [{ start: 8, end: 11 }] },
        { message: { text: 'one fine day' }, matches: [{ start: 9, end: 12 }] },
      ],
    });
    expect((await call('history.search', { text: 'day', peer: 'sip:carol@lab.test' })).result).toEqual({ hits: [] });
    expect(await call('history.page', { peer: 'sip:bob@lab.test', limit: 500 })).toMatchObject({
      error: { data: { code: 'invalid-params', field: 'limit' } },
    });
  });

  test('what waits is listed, tried at once, and taken back', async () => {
    await call('unregister');
    const send = (text: string) =>
      call('message.send', { to: 'sip:bob@lab.test', text, way: 'message', policy: 'any' });
    const ids = [(await send('one')).result, (await send('two')).result].map(
      (result) => (result?.['message'] as { id: string }).id,
    );
    const [one = '', two = ''] = ids;
    expect((await call('outbox.list')).result).toMatchObject({
      entries: [
        { message: { id: one, state: 'queued', problem: { code: 'not-registered' } }, policy: 'any', attempts: 0 },
        { message: { id: two } },
      ],
    });
    expect((await call('outbox.retry', { id: one })).result).toMatchObject({ message: { id: one, state: 'queued' } });
    expect(await call('outbox.cancel', { id: one })).toMatchObject({ result: {} });
    for (const method of ['outbox.cancel', 'outbox.retry']) {
      expect(await call(method, { id: one })).toMatchObject({ error: { data: { code: 'no-such-message' } } });
    }
    await call('register');
    await settle();
    expect(bob.received.map(({ text }) => text)).toEqual(['two']);
    expect((await call('outbox.list')).result).toEqual({ entries: [] });
  });

  test('session.open, status and session.close', async () => {
    const opened = await call('session.open', { to: 'sip:bob@lab.test', policy: 'require-e2e' });
    expect(opened.result).toMatchObject({ outcome: 'opened', level: 'e2e', session: { peer: 'sip:bob@lab.test' } });
    const { id } = opened.result?.['session'] as { id: string };
    expect(await call('status')).toMatchObject({
      result: {
        identity: 'sip:alice@lab.test',
        registration: { state: 'registered' },
        sessions: [{ id, level: 'e2e' }],
      },
    });
    expect(await call('session.close', { id })).toMatchObject({ result: {} });
    expect(await call('session.close', { id })).toMatchObject({ error: { data: { code: 'no-such-session' } } });
    expect(notifications('session').map((params) => params?.['change'])).toEqual(['opened', 'closed']);
  });

  test('shutdown answers, then tells its owner', async () => {
    expect(await call('shutdown')).toMatchObject({ result: {} });
    expect(onShutdown).toHaveBeenCalledOnce();
  });
});

describe('files', () => {
  const view: FileView = {
    id: 'f1',
    peer: 'sip:bob@lab.test',
    direction: 'in',
    name: 'plan.pdf',
    type: 'application/pdf',
    size: 3,
    state: 'offered',
    transferred: 0,
    at: 1,
    level: 'e2e',
    icon: { contentType: 'image/png', bytes: Uint8Array.of(1, 2, 3) },
  };

  test('are told with their preview in base64', () => {
    alice.account.events.emit('file', view);
    expect(notifications('file')).toEqual([{ ...view, icon: { contentType: 'image/png', base64: 'AQID' } }]);
  });

  test('a file that cannot be sent is a refusal', async () => {
    const answer = await call('file.send', { to: 'sip:bob@lab.test', path: '/nowhere', policy: 'require-e2e' });
    expect(answer.result).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-incompatible' } });
  });

  test('a preview that is no picture is named', async () => {
    const icon = Buffer.from('<svg/>').toString('base64');
    const answer = await call('file.send', { to: 'sip:bob@lab.test', path: '/nowhere', icon });
    expect(answer.error?.data).toEqual({ code: 'invalid-params', field: 'icon' });
  });

  test.each(['accept', 'decline', 'pause', 'resume', 'cancel'])('file.%s of a file that is not there', async (what) => {
    expect((await call(`file.${what}`, { id: 'f1' })).error?.data).toEqual({ code: 'no-such-file', field: 'id' });
    expect((await call(`file.${what}`, {})).error?.data.code).toBe('invalid-params');
  });

  test('file.list', async () => {
    expect(await call('file.list')).toMatchObject({ result: { files: [] } });
  });
});

describe('notifications', () => {
  test.each(['message', 'msrp'] as const)('message.received by %s with level and evidence', async (way) => {
    await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'hello', way, policy: 'require-e2e' });
    await settle();
    expect(notifications('message.received')).toMatchObject([
      { from: 'sip:bob@lab.test', text: 'hello', way, level: 'e2e', state: 'received', evidence: { vouchedBy: 'kms' } },
    ]);
  });

  test('message.received comes once more when a kept message could be read', async () => {
    await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'one', way: 'message', policy: 'require-e2e' });
    await settle();
    world.kms.fault = 'down';
    await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'two', way: 'message', policy: 'require-e2e' });
    await settle();
    world.kms.fault = 'none';
    world.clock.advance(4_000);
    await settle();
    const received = notifications('message.received').map((params) => [params?.['state'], params?.['text']]);
    expect(received).toEqual([
      ['received', 'one'],
      ['undecryptable', ''],
      ['received', 'two'],
    ]);
  });

  test('incoming.refused', async () => {
    alice.account.setContactPolicy('sip:bob@lab.test', 'require-e2e');
    await bob.account.sendMessage({ to: 'sip:alice@lab.test', text: 'x', way: 'message', policy: 'any' });
    expect(notifications('incoming.refused')).toMatchObject([
      { way: 'message', peer: 'sip:bob@lab.test', refusal: { code: 'policy-not-met' } },
    ]);
  });
});

describe('bad input is answered, and the next request is served', () => {
  const bad: readonly [string, unknown, number, string][] = [
    ['not JSON', '{"jsonrpc":', -32700, 'parse-error'],
    ['a batch', [{ jsonrpc: '2.0', id: 1, method: 'status' }], -32600, 'invalid-request'],
    ['a number', '7', -32600, 'invalid-request'],
    ['no version', { id: 1, method: 'status' }, -32600, 'invalid-request'],
    ['an object as id', { jsonrpc: '2.0', id: {}, method: 'status' }, -32600, 'invalid-request'],
    ['an unknown method', { jsonrpc: '2.0', id: 1, method: 'toString' }, -32601, 'unknown-method'],
    [
      'a missing parameter',
      { jsonrpc: '2.0', id: 1, method: 'message.send', params: { to: 'x' } },
      -32602,
      'invalid-params',
    ],
    ['an unknown parameter', { jsonrpc: '2.0', id: 1, method: 'status', params: { x: 1 } }, -32602, 'invalid-params'],
    ['parameters by position', { jsonrpc: '2.0', id: 1, method: 'status', params: [] }, -32602, 'invalid-params'],
    [
      'a wrong way',
      { jsonrpc: '2.0', id: 1, method: 'message.send', params: { to: 'sip:b@c', text: 'x', way: 'pigeon' } },
      -32602,
      'invalid-params',
    ],
  ];

  test.each(bad)('%s', async (_name, request, number, code) => {
    const answer = await ask(typeof request === 'string' ? request : JSON.stringify(request));
    expect(answer.error).toMatchObject({ code: number, data: { code } });
    expect(await call('status')).toMatchObject({ id: 1, result: { identity: 'sip:alice@lab.test' } });
  });

  test('a line that is too long', () => {
    rpc.handleLine({ problem: 'too-long' });
    expect(lines).toMatchObject([{ id: null, error: { data: { code: 'line-too-long' } } }]);
  });

  test('a wrong parameter is named, its value is not', async () => {
    const params = { to: 'sip:bob@lab.test', text: 'the eagle lands', way: 'message', policy: 'eagle' };
    const answer = await call('message.send', params);
    expect(answer.error?.data.field).toBe('policy');
    expect(JSON.stringify(answer)).not.toContain('eagle');
  });

  test('a request without id gets no answer', async () => {
    rpc.handleLine({ text: JSON.stringify({ jsonrpc: '2.0', method: 'status' }) });
    rpc.handleLine({ text: JSON.stringify({ jsonrpc: '2.0', method: 'nonsense' }) });
    await rpc.settled();
    expect(lines).toEqual([]);
  });

  test('a fault inside is an error without details, and the log has them', async () => {
    rpc.close();
    const status = (): never => {
      throw new Error('secret detail');
    };
    rpc = start({ events: alice.account.events, status } as unknown as UeAccount);
    expect(await call('status')).toMatchObject({ error: { code: -32603, data: { code: 'internal' } } });
    expect(JSON.stringify(lines)).not.toContain('secret detail');
  });
});

test('status is answered while a message is under way', async () => {
  world.sip.fault = 'silent';
  rpc.handleLine({
    text: JSON.stringify({
      jsonrpc: '2.0',
      id: 'slow',
      method: 'message.send',
      params: { to: 'sip:bob@lab.test', text: 'x', way: 'message', policy: 'any' },
    }),
  });
  rpc.handleLine({ text: JSON.stringify({ jsonrpc: '2.0', id: 'quick', method: 'status' }) });
  await settle();
  expect(lines.flatMap(({ id }) => (id === undefined ? [] : [id]))).toEqual(['quick']);
  world.clock.advance(45_000);
  await rpc.settled();
  expect(lines.at(-1)).toMatchObject({
    id: 'slow',
    result: { outcome: 'waiting', message: { state: 'sent', problem: { code: 'timeout' } } },
  });
});

test('the user accepts the certificate of a server by its fingerprint', async () => {
  const sha256 = Array.from({ length: 32 }, () => '0F').join(':');
  expect(await call('server.accept', { sha256 })).toMatchObject({ error: { data: { code: 'not-remembered' } } });
  rpc.close();
  const accept = vi.fn(() => Promise.resolve());
  rpc = start(alice.account, accept);
  expect(await call('server.accept', { sha256: 'anything' })).toMatchObject({
    error: { data: { code: 'invalid-params' } },
  });
  expect(accept).not.toHaveBeenCalled();
  expect(await call('server.accept', { sha256 })).toMatchObject({ result: {} });
  expect(accept).toHaveBeenCalledWith(sha256);
  accept.mockRejectedValueOnce(new ProtocolError('local', 'not remembered', { field: 'sip.tls.pin' }));
  expect(await call('server.accept', { sha256 })).toMatchObject({ error: { data: { code: 'not-remembered' } } });
});
