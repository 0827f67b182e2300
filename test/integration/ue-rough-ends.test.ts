import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { UeProcess } from './support/ue-process.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ record: false, faults: { dropMessages: true } });
});

afterAll(() => lab.stop());

async function registered(name: string): Promise<UeProcess> {
  const ue = await UeProcess.start(lab.ueConfig(name));
  expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
  return ue;
}

async function exitCode(ue: UeProcess, milliseconds: number): Promise<number | null | 'still running'> {
  const code = await Promise.race([ue.exited, pause(milliseconds, 'still running' as const, { ref: false })]);
  if (code === 'still running') ue.child.kill('SIGKILL');
  return code;
}

const message = { to: 'sip:carol@lab.test', text: 'a secret text', way: 'message', policy: 'require-e2e' };

/** Starts a send that the network does not answer; resolves when it is on its way. */
async function sending(ue: UeProcess): Promise<void> {
  const before = lab.captured.length;
  ue.write(JSON.stringify({ jsonrpc: '2.0', id: 'send', method: 'message.send', params: message }));
  while (lab.captured.length === before) await pause(10);
}

const answered = (ue: UeProcess): unknown => ue.lines.find(({ id }) => id === 'send')?.result;

test('lines that are no request are answered, and the next one works, with or without a reader of the log', async () => {
  const ue = await registered('alice');
  ue.child.stderr!.destroy();
  expect(await ue.call('unregister')).toMatchObject({ result: { state: 'unregistered' } });
  expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
  const stdin = ue.child.stdin!;
  stdin.write(`${'x'.repeat(3_000_000)}\n`);
  stdin.write(Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x0a, 0x00, 0x0a]));
  stdin.write('[]\n{"jsonrpc":"2.0","id":{},"method":"status"}\n{"jsonrpc":"2.0","id":7,"method":"__proto__"}\n');
  expect(await ue.call('status')).toMatchObject({ result: { registration: { state: 'registered' } } });
  const codes = ue.lines.flatMap(({ error }) =>
    error === undefined ? [] : [(error['data'] as { code: string }).code],
  );
  expect(codes).toEqual([
    'line-too-long',
    'parse-error',
    'parse-error',
    'invalid-request',
    'invalid-request',
    'unknown-method',
  ]);
  stdin.end();
  expect(await exitCode(ue, 10_000)).toBe(0);
});

test('SIGTERM during a send: the send is answered and the process ends', async () => {
  const ue = await registered('alice');
  await sending(ue);
  ue.child.kill('SIGTERM');
  expect(await exitCode(ue, 10_000)).toBe(0);
  expect(answered(ue)).toMatchObject({ outcome: 'waiting', message: { state: 'sent' } });
  expect(ue.stderr).not.toContain('a secret text');
  expect(ue.stderr).not.toContain(lab.ueConfig('alice').password);
});

test('shutdown during a send does the same', async () => {
  const ue = await registered('alice');
  await sending(ue);
  expect(await ue.call('shutdown')).toMatchObject({ result: {} });
  expect(await exitCode(ue, 10_000)).toBe(0);
  expect(answered(ue)).toMatchObject({ outcome: 'waiting', message: { state: 'sent' } });
});

test('nobody reads the answers any more: the process unregisters and ends', async () => {
  const ue = await registered('alice');
  ue.child.stdout!.destroy();
  ue.write(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'status' }));
  ue.write(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'status' }));
  expect(await exitCode(ue, 10_000)).toBe(0);
  expect(lab.load().flows).toBe(0);
});
