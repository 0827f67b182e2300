import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { FakeClock } from '../../../src/base/clock.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { readKmsConfig, readKmsStorageConfig } from '../../../src/kms/http/config-file.ts';
import { startConfiguredKms, type ServiceParts } from '../../../src/kms/http/configured-server.ts';
import { defaultLimits } from '../../../src/kms/http/limits.ts';
import { createMemoryKmsService, type KmsService } from '../../../src/kms/kms-service.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { uriIdentity } from '../../../src/protocol/mikey/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { authority, identityFor, Log, send } from './support/domain.ts';

const folder = temporaryFolder('kms-front-config');
const psk = 'ab'.repeat(32);
const peer = { identity: 'sip:kms.b.test', domains: ['b.test'], pskId: 'a and b', psk, url: 'https://kms.b.test:8444' };
const peers = { trustedCaFile: 'ca.pem', kms: [peer] };
const basic = {
  identity: 'sip:kms.a.test',
  listen: { port: 0 },
  tls: { certificateFile: 'kms.pem', privateKeyFile: 'kms.key' },
};

beforeAll(async () => {
  const { certificatePem, privateKeyPem } = await identityFor(['kms.a.test']);
  await writeFile(join(folder, 'kms.pem'), certificatePem);
  await writeFile(join(folder, 'kms.key'), privateKeyPem, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), (await authority).certificatePem);
  await writeFile(join(folder, 'empty.pem'), 'no certificate');
});

async function read(changes: object) {
  const path = join(folder, 'kms.json');
  await writeFile(path, JSON.stringify({ ...basic, ...changes }));
  return (await readKmsConfig(path)).front;
}

describe('the configuration file', () => {
  const path = join(folder, 'whole.json');
  const user = { identities: ['sip:alice@a.test'], pskId: 'alice', psk };

  it('names users and lives of tickets', async () => {
    const users = [user, { ...user, pskId: 'bob', mayRequest: false, allowedResponders: ['sip:alice@a.test'] }];
    await writeFile(path, JSON.stringify({ ...basic, users, rules: { sessionLifetimeSeconds: 60 } }));
    const { kms, rules } = await readKmsConfig(path);
    expect(kms).toMatchObject({
      identity: 'sip:kms.a.test',
      users: users.map(({ psk: _secret, ...rest }) => rest),
      rules: { sessionLifetimeSeconds: 60 },
    });
    expect(rules).toMatchObject({ sessionLifetimeSeconds: 60, messageLifetimeSeconds: 7 * 24 * 3600 });
    expect(JSON.stringify(kms)).not.toContain(psk);
    expect((await readKmsStorageConfig(path)).storage).toMatchObject({ storage: { sqlite: join(folder, 'kms.db') } });
    await writeFile(path, JSON.stringify(basic));
    expect((await readKmsStorageConfig(path)).rules.sessionLifetimeSeconds).toBe(24 * 3600);
  });

  it('must be there, and be JSON', async () => {
    await expect(readKmsConfig(join(folder, 'none.json'))).rejects.toMatchObject({
      field: 'kms.config',
      message: expect.stringContaining('ENOENT') as string,
    });
    await writeFile(path, '{');
    await expect(readKmsConfig(path)).rejects.toMatchObject({ field: 'kms.config', kind: 'local' });
  });
});

describe('a configuration', () => {
  it('that says nothing has limits, no proxies, no peers and no management listener', async () => {
    expect(await read({})).toEqual({
      listen: { host: '127.0.0.1', port: 0 },
      certificateFiles: { certificateFile: join(folder, 'kms.pem'), privateKeyFile: join(folder, 'kms.key') },
      limits: defaultLimits,
      connections: { max: 4096, keepAliveSeconds: 75 },
      trustedProxies: [],
      proxyProtocol: false,
      management: undefined,
      shutdown: { drainSeconds: 0, graceSeconds: 10 },
      peers: undefined,
    });
  });

  it('changes of a limit what it names', async () => {
    const { limits } = await read({ limits: { perUser: { perSecond: 0.5, burst: 7 } } });
    expect(limits).toEqual({ ...defaultLimits, perUser: { perSecond: 0.5, burst: 7 } });
  });

  it('has its management listener on loopback unless it says where', async () => {
    expect((await read({ management: { port: 9464 } })).management).toEqual({ host: '127.0.0.1', port: 9464 });
  });

  it('knows its peers by the host of their identity, or by another name of their certificate', async () => {
    const named = { ...peer, identity: 'sip:kms.c.test', pskId: 'a and c', certificateName: 'KMS-int.c.test' };
    const { peers: read1 } = await read({ peers: { ...peers, kms: [peer, { ...named, numberPrefixes: ['+1555'] }] } });
    const [b, c] = read1!.peers;
    expect([b?.certificateName, c?.certificateName]).toEqual(['kms.b.test', 'kms-int.c.test']);
    const speaksFor = (uri: string) => [b, c].map((one) => one?.speaksFor(uriIdentity(uri)));
    expect(speaksFor('sip:bob@b.test')).toEqual([true, true]);
    expect(speaksFor('tel:+15550100')).toEqual([false, true]);
    expect(speaksFor('tel:+4420')).toEqual([false, false]);
    for (const other of [
      'sip:bob@sub.b.test',
      'sip:b.test',
      'sip:bob@b.test.evil',
      'mailto:bob@b.test',
      'sip:a@b.test@c',
    ]) {
      expect(speaksFor(other)).toEqual([false, false]);
    }
    expect(b?.speaksFor({ type: 'nai', data: uriIdentity('sip:bob@b.test').data })).toBe(false);
  });

  const wrong: readonly (readonly [name: string, changes: object, field: string])[] = [
    ['a rate of nothing', { limits: { perUser: { perSecond: 0, burst: 1 } } }, 'limits.perUser.perSecond'],
    ['a rate without burst', { limits: { perAddress: { perSecond: 1 } } }, 'limits.perAddress.burst'],
    ['a limit that there is not', { limits: { perMoon: 1 } }, 'limits'],
    ['no connections', { connections: { max: 0 } }, 'connections.max'],
    ['a proxy that is no address', { trustedProxies: ['10.0.0.1', 'balancer'] }, 'trustedProxies.1'],
    ['the PROXY protocol from nobody', { proxyProtocol: true }, 'proxyProtocol'],
    ['a port out of range', { management: { port: 70_000 } }, 'management.port'],
    ['no grace', { shutdown: { graceSeconds: 0 } }, 'shutdown.graceSeconds'],
    ['a field that there is not', { metricsPort: 1 }, ''],
    ['peers without an authority', { peers: { kms: [peer] } }, 'peers.trustedCaFile'],
    ['an authority that is not there', { peers: { ...peers, trustedCaFile: 'none.pem' } }, 'peers.trustedCaFile'],
    ['an authority that is none', { peers: { ...peers, trustedCaFile: 'empty.pem' } }, 'peers.trustedCaFile'],
    ['peers that nobody can ask', { peers: { ...peers, kms: [{ ...peer, url: undefined }] } }, 'peers'],
    ['no peer at all', { peers: { ...peers, kms: [] } }, 'peers.kms'],
    ['a short key', { peers: { ...peers, kms: [{ ...peer, psk: 'abcd' }] } }, 'peers.kms.0.psk'],
    ['itself as a peer', { peers: { ...peers, kms: [{ ...peer, identity: 'sip:kms.a.test' }] } }, 'peers.kms.0'],
    ['a peer twice', { peers: { ...peers, kms: [peer, { ...peer, pskId: 'other' }] } }, 'peers.kms.1'],
    ['one key name for two peers', { peers: { ...peers, kms: [peer, { ...peer, identity: 'sip:c' }] } }, 'peers.kms.1'],
    ['a peer for nobody', { peers: { ...peers, kms: [{ ...peer, domains: [] }] } }, 'peers.kms.0.domains'],
    ['a wildcard domain', { peers: { ...peers, kms: [{ ...peer, domains: ['*.test'] }] } }, 'peers.kms.0.domains'],
    [
      'a local number',
      { peers: { ...peers, kms: [{ ...peer, numberPrefixes: ['555'] }] } },
      'peers.kms.0.numberPrefixes',
    ],
    ['plain HTTP', { peers: { ...peers, kms: [{ ...peer, url: 'http://kms.b.test' }] } }, 'peers.kms.0.url'],
    ['an identity that is none', { peers: { ...peers, kms: [{ ...peer, identity: 'a b' }] } }, 'peers.kms.0.identity'],
    [
      'an identity without a DNS name',
      { peers: { ...peers, kms: [{ ...peer, identity: 'urn:uuid:1' }] } },
      'peers.kms.0.certificateName',
    ],
  ];
  it.each(wrong)('is refused with %s, and the field is named', async (_, changes, field) => {
    const error: unknown = await read(changes).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ProtocolError', field: `kms.config${field === '' ? '' : `.${field}`}` });
    expect(String(error)).not.toContain(psk);
  });
});

describe('a server as configured', () => {
  const log = new Log();
  const clock = systemClock;
  const random = secureRandom;
  const rest = { clock, log, random, processMetrics: false };
  const memory = (parts: ServiceParts) =>
    createMemoryKmsService({ config: { identity: basic.identity, users: [] }, clock, random, ...parts });

  it('has every listener that is named, and reads its certificates again', async () => {
    const config = await read({
      management: { port: 0 },
      peers: { ...peers, listen: { port: 0 }, tls: basic.tls },
    });
    let given: ServiceParts | undefined;
    const server = await startConfiguredKms({
      config,
      createService: (parts) => memory((given = parts)),
      clock,
      log,
      random,
      processMetrics: false,
    });
    expect(server.port).toBeGreaterThan(0);
    expect((await send(server.url)).status).toBe(404);
    await expect(send(server.peersUrl!)).rejects.toThrow();
    const { certificatePem: cert, privateKeyPem: key } = await identityFor(['kms.b.test']);
    expect((await send(server.peersUrl!, { cert, key })).status).toBe(404);
    const ready = await fetch(`${server.managementUrl!}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ checks: { certificate: 'ok', 'certificate-peers': 'ok' } });
    const metrics = await (await fetch(`${server.managementUrl!}/metrics`)).text();
    expect(metrics).toContain('tessera_kms_open_connections{listener="peers"}');
    expect(given).toMatchObject({ peers: [{ name: 'sip:kms.b.test' }] });
    const next = await identityFor(['kms.a.test']);
    const from = log.lines.length;
    await writeFile(join(folder, 'kms.key'), next.privateKeyPem);
    await writeFile(join(folder, 'kms.pem'), next.certificatePem);
    await server.reloadCertificates();
    await log.next('kms.certificate-loaded', from);
    await server.stop();
  });

  it('asks peers without being asked', async () => {
    const server = await startConfiguredKms({
      config: await read({ peers }),
      createService: memory,
      ...rest,
    });
    expect(server.peersUrl).toBeUndefined();
    await server.stop();
  });

  it('closes its service when it cannot start', async () => {
    const taken = await startConfiguredKms({ config: await read({}), createService: memory, ...rest });
    const config = await read({
      listen: { port: taken.port },
      management: { port: 0 },
      peers: { ...peers, listen: { port: 0 } },
    });
    let closed = 0;
    const createService = async (parts: ServiceParts): Promise<KmsService> => ({
      ...(await memory(parts)),
      close: async () => {
        closed++;
      },
    });
    await expect(
      startConfiguredKms({ config, createService, ...rest, clock: new FakeClock(Date.now()) }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(closed).toBe(1);
    await taken.stop();
  });
});
