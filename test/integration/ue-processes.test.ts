import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { UeProcess } from './support/ue-process.ts';

let lab: Lab;
let alice: UeProcess;
let bob: UeProcess;

beforeEach(async () => {
  lab = await startLab();
  [alice, bob] = await Promise.all([UeProcess.start(lab.ueConfig('alice')), UeProcess.start(lab.ueConfig('bob'))]);
  for (const ue of [alice, bob]) expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
});

afterEach(async () => {
  for (const ue of [alice, bob]) ue.child.kill('SIGKILL');
  await lab.stop();
});

test('all four ways, both directions, then a clean end', { timeout: 60_000 }, async () => {
  for (const [from, to, uri] of [
    [alice, bob, 'sip:bob@lab.test'],
    [bob, alice, 'sip:alice@lab.test'],
  ] as const) {
    for (const way of ['message', 'msrp']) {
      for (const [policy, level] of [
        ['require-e2ae', 'e2ae'],
        ['require-e2e', 'e2e'],
      ]) {
        const text = `eagle by ${way} under ${policy}`;
        const sent = await from.call('message.send', { to: uri, text, way, policy });
        expect(sent).toMatchObject({ result: { outcome: 'sent', level } });
        const received = await to.line(
          ({ method, params }) => method === 'message.received' && params?.['text'] === text,
          text,
        );
        expect(received.params).toMatchObject({ way, level, state: 'received', evidence: {} });
      }
    }
  }
  expect(`${alice.stderr}${bob.stderr}`).not.toContain('eagle');
  expect(await alice.call('shutdown')).toMatchObject({ result: {} });
  expect(await alice.exited).toBe(0);
  bob.child.stdin!.end();
  expect(await bob.exited).toBe(0);
  expect(lab.load()).toMatchObject({ flows: 0, dialogs: 0 });
});

test('the other process is killed: what is written then waits, no hang', { timeout: 240_000 }, async () => {
  const to = 'sip:bob@lab.test';
  await alice.call('session.open', { to, policy: 'require-e2e' });
  bob.child.kill('SIGKILL');
  await alice.line(({ method, params }) => method === 'session' && params?.['change'] === 'closed', 'the end');
  for (const policy of ['require-e2e', 'require-e2ae']) {
    const answer = await alice.call('message.send', { to, text: 'x', way: 'msrp', policy }, 200_000);
    expect(answer).toMatchObject({ result: { outcome: 'waiting' } });
  }
});

test('bad lines are answered, SIGTERM ends it clean', { timeout: 60_000 }, async () => {
  alice.write('{');
  alice.write('x'.repeat(2 * 1024 * 1024));
  expect(await alice.call('no.such.method')).toMatchObject({ error: { data: { code: 'unknown-method' } } });
  expect(await alice.call('message.send', { to: 7 })).toMatchObject({ error: { data: { code: 'invalid-params' } } });
  const codes = alice.lines.flatMap(({ id, error }) => (id === null ? [error?.['data']] : []));
  expect(codes).toEqual([{ code: 'parse-error' }, { code: 'line-too-long' }]);
  alice.child.kill('SIGTERM');
  expect(await alice.exited).toBe(0);
  expect(lab.load().flows).toBe(1);
});

test('requests given at once, then the end of stdin: all are answered', { timeout: 60_000 }, async () => {
  const carol = await UeProcess.start(lab.ueConfig('carol'));
  const request = (id: number, method: string, params: object = {}): void =>
    carol.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  request(1, 'register');
  request(2, 'message.send', { to: 'sip:bob@lab.test', text: 'hello', way: 'message', policy: 'require-e2e' });
  carol.child.stdin!.end();
  expect(await carol.exited).toBe(0);
  expect(carol.lines.find(({ id }) => id === 2)).toMatchObject({ result: { outcome: 'sent', level: 'e2e' } });
});

test('key tickets outlive the process, sealed, until it signs out', { timeout: 120_000 }, async () => {
  const state = { stateDirectory: 'state', statePassphrase: 'correct horse battery staple' };
  const folder = temporaryFolder('ue-state');
  const start = async (): Promise<UeProcess> => {
    const carol = await UeProcess.start(lab.ueConfig('carol', state), folder);
    expect(await carol.call('register')).toMatchObject({ result: { state: 'registered' } });
    return carol;
  };
  const send = (from: UeProcess) =>
    from.call('message.send', { to: 'sip:bob@lab.test', text: 'hello', way: 'message', policy: 'require-e2e' });
  const end = async (carol: UeProcess): Promise<void> => {
    await carol.call('shutdown');
    expect(await carol.exited).toBe(0);
  };
  const first = await start();
  expect(await send(first)).toMatchObject({ result: { outcome: 'sent', level: 'e2e' } });
  expect(await first.call('status')).toMatchObject({ result: { tickets: { kept: 'sealed' } } });
  await end(first);

  lab.faults.kmsAway = true;
  const second = await start();
  expect(await send(second)).toMatchObject({ result: { outcome: 'sent', level: 'e2e' } });
  await second.call('unregister');
  await second.call('register');
  expect(await send(second)).toMatchObject({ result: { outcome: 'waiting' } });
  await end(second);
  expect(`${first.stderr}${second.stderr}`).not.toContain(state.statePassphrase);
});

test('a configuration that cannot be used', { timeout: 60_000 }, async () => {
  const wrong = await UeProcess.start({ ...lab.ueConfig('alice'), policy: 'whatever' });
  expect(await wrong.exited).toBe(1);
  expect(wrong.stderr).toContain('policy: ');
});
