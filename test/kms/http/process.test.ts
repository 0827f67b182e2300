import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import { uriIdentity } from '../../../src/protocol/mikey/index.ts';
import { issue, makeKeys, privateKeyPem } from '../../support/pki.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { askFor, authority, identityFor, keptConnection, Log, person, post } from './support/domain.ts';

const program = fileURLToPath(new URL('../../../src/cli/kms.ts', import.meta.url));
const folder = temporaryFolder('kms-process');
const alice = person('alice@a.test');
const bob = person('bob@a.test');
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

async function writeCertificate(): Promise<void> {
  const { certificatePem, privateKeyPem } = await identityFor(['kms.a.test']);
  await writeFile(join(folder, 'kms.key'), privateKeyPem, { mode: 0o600 });
  await writeFile(join(folder, 'kms.pem'), certificatePem);
}

it('npm run kms: a process with every listener, which takes a new certificate on SIGHUP and leaves in order on SIGTERM', async () => {
  await writeCertificate();
  await writeFile(join(folder, 'ca.pem'), (await authority).certificatePem);
  const mikey = await issue({ name: 'kms', keys: await makeKeys(), until: Date.now() + 3_600_000 });
  await writeFile(join(folder, 'mikey.key'), privateKeyPem(mikey.keys), { mode: 0o600 });
  await writeFile(join(folder, 'mikey.pem'), mikey.pem);
  const users = [alice, bob].map(({ uri, pskId, psk }) => ({ identities: [uri], pskId, psk: psk.use(toHex) }));
  const peer = { identity: 'sip:kms.b.test', domains: ['b.test'], pskId: 'a and b', psk: 'ab'.repeat(32) };
  const path = join(folder, 'kms.json');
  const config = {
    identity: 'sip:kms.a.test',
    listen: { port: 0 },
    tls: { certificateFile: 'kms.pem', privateKeyFile: 'kms.key' },
    management: { port: 0 },
    limits: { perUser: { perSecond: 0.001, burst: 2 } },
    peers: { listen: { port: 0 }, trustedCaFile: 'ca.pem', kms: [peer] },
    publicKey: { certificateFiles: ['mikey.pem'], privateKeyFiles: ['mikey.key'], trustAnchorsFile: 'ca.pem' },
    users,
  };
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });

  const child = spawn(process.execPath, [program, '--config', path]);
  children.push(child);
  const log = new Log();
  createInterface({ input: child.stderr }).on('line', (line) => {
    const { event, level, ...fields } = JSON.parse(line) as { event: string; level: string };
    log.log(level, event, fields);
  });
  const urls: Record<string, string> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [, what = '', url = ''] = /^(.*) on (https?:\S+)$/.exec(line) ?? [];
    urls[what] = url;
    if (what.endsWith('listens')) break;
  }
  const { 'health and metrics are': management, 'other KMSs ask': forPeers, 'sip:kms.a.test listens': url } = urls;
  expect((await fetch(`${management!}/readyz`)).status).toBe(200);
  const tls = await identityFor(['kms.b.test']);
  const client = { cert: tls.certificatePem, key: tls.privateKeyPem };
  expect((await post(forPeers!, 'ticketrequest', Uint8Array.of(1), client)).status).toBe(403);

  const agent = keptConnection();
  const ask = () => post(url!, 'ticketrequest', askFor(alice, uriIdentity('sip:kms.a.test'), [bob]).message, { agent });
  expect((await ask()).status).toBe(200);
  await writeCertificate();
  child.kill('SIGHUP');
  await Promise.all([log.next('kms.certificate-loaded'), log.next('kms.public-key-loaded')]);
  expect((await ask()).status).toBe(200);
  expect((await ask()).status).toBe(429);
  expect(await (await fetch(`${management!}/metrics`)).text()).toContain(
    'tessera_kms_exchanges_total{kind="ticketrequest",outcome="answered"} 2',
  );

  const ended = once(child, 'close');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  await log.next('kms.stopped');
  agent.destroy();
}, 120_000);
