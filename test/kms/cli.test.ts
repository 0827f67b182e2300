import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { createHttpsKeyManagement } from '../../src/node/key-management.ts';
import { hand, party, receive, request, resolving } from '../protocol/mikey/parties.ts';

const program = fileURLToPath(new URL('../../src/cli/kms.ts', import.meta.url));
const alice = party('alice');
const bob = party('bob');
let folder = '';
let trustedCa = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-kms-'));
  const authority = await createCertificateAuthority({ commonName: 'Test CA', now: Date.now() });
  trustedCa = authority.certificatePem;
  const { certificatePem, privateKeyPem } = await authority.issue({ dnsNames: [], ipAddresses: ['127.0.0.1'] });
  await writeFile(join(folder, 'server.pem'), certificatePem);
  await writeFile(join(folder, 'server.key'), privateKeyPem, { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));

async function writeConfig(changes: object = {}): Promise<string> {
  const path = join(folder, 'kms.json');
  const users = [alice, bob].map(({ name, psk }) => ({
    identities: [`sip:${name}@lab.test`],
    pskId: `${name}-key`,
    psk: psk.use(toHex),
  }));
  const config = {
    identity: 'sip:kms.lab.test',
    listen: { port: 0 },
    tls: { certificateFile: 'server.pem', privateKeyFile: 'server.key' },
    tpkFile: 'tpk.json',
    users,
    ...changes,
  };
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

const run = (...args: readonly string[]): ChildProcess => spawn(process.execPath, [program, ...args]);

async function outputOf(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...text };
}

async function listening(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const [, url] = /listens on (https:\S+)$/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('it ended without listening');
}

describe('npm run kms', () => {
  it('serves, and after a restart still resolves the tickets that it gave before', async () => {
    const config = await writeConfig();
    const keyManagement = createHttpsKeyManagement();
    const first = run('--config', config, '--quiet');
    const asked = request(alice, { now: Date.now() });
    const firstAddress = { url: await listening(first), trustedCa, bodyEncoding: 'base64' } as const;
    const granted = await keyManagement.exchange('ticketrequest', firstAddress, asked.message);
    const ticket = asked.accept(granted.message!, Date.now());
    first.kill('SIGTERM');
    expect(await once(first, 'close')).toEqual([0, null]);

    const second = run('--config', config, '--quiet');
    const secondAddress = { ...firstAddress, url: await listening(second) };
    const transfer = hand(ticket, alice, bob.identity, Date.now());
    const resolve = resolving(receive(transfer.message, bob, Date.now()), bob, Date.now());
    const answer = await keyManagement.exchange('ticketresolve', secondAddress, resolve.message);
    expect(resolve.accept(answer.message!, Date.now()).originProven).toBe(true);
    second.kill('SIGINT');
    expect(await once(second, 'close')).toEqual([0, null]);
  });

  it('explains itself', async () => {
    expect(await outputOf(run('--help'))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--config FILE') as string,
    });
    expect(await outputOf(run())).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--config FILE is missing') as string,
    });
  });

  it('names what is wrong in its configuration, and no key', async () => {
    const psk = alice.psk.use(toHex);
    const users = [{ identities: ['sip:a@lab.test'], pskId: 'a', psk: `${psk}00` }];
    const wrong = await outputOf(run('--config', await writeConfig({ users })));
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('kms.config.users.0.psk') as string });
    expect(wrong.stderr).not.toContain(psk);
    const missing = await outputOf(run('--config', join(folder, 'none.json')));
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') as string });
  });
});
