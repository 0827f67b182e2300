import { once } from 'node:events';
import { mkdir, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import type { Agent } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { FakeClock } from '../../../src/base/clock.ts';
import { certificateSha256 } from '../../../src/crypto/certificate.ts';
import { readPemCertificates } from '../../../src/crypto/pem.ts';
import { startKmsServer } from '../../../src/kms/http/kms-server.ts';
import { ServedCertificate, type TlsIdentity } from '../../../src/kms/http/served-certificate.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { authority, identityFor, keptConnection, Log, send, startDomain, stopDomains } from './support/domain.ts';

const folder = temporaryFolder('kms-certificates');
const files = { certificateFile: join(folder, 'kms.pem'), privateKeyFile: join(folder, 'kms.key') };
const certificates: ServedCertificate[] = [];
const agents: Agent[] = [];
afterEach(() => {
  for (const certificate of certificates.splice(0)) certificate.stop();
  for (const agent of agents.splice(0)) agent.destroy();
});
afterAll(stopDomains);

const hour = 3600_000;
const fingerprintOf = ({ certificatePem }: TlsIdentity): string =>
  certificateSha256(readPemCertificates(certificatePem, 'test')[0]!);

async function write({ certificatePem, privateKeyPem }: TlsIdentity, where = files): Promise<void> {
  await writeFile(where.privateKeyFile, privateKeyPem, { mode: 0o600 });
  await writeFile(where.certificateFile, certificatePem);
}

/** A server that presents what the files hold. */
async function serve(where = files) {
  const log = new Log();
  const certificate = await ServedCertificate.load(where, { clock: systemClock, log });
  certificates.push(certificate);
  const { service } = await startDomain({ name: 'a.test', people: [] });
  const server = await startKmsServer({
    service: { ...service, close: async () => undefined },
    listen: { host: '127.0.0.1', port: 0 },
    certificate,
    clock: systemClock,
    log,
  });
  const presented = async (): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: (await authority).certificatePem });
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return certificateSha256(raw);
  };
  return { log, certificate, server, presented };
}

describe('a certificate that is replaced', () => {
  it('is presented to who comes next, and no connection is dropped', async () => {
    const first = await identityFor(['kms.a.test']);
    await write(first);
    const { server, certificate, presented, log } = await serve();
    const agent = keptConnection();
    agents.push(agent);
    const ports = new Set<number | undefined>();
    const askOn = async (): Promise<number> => {
      const { status } = await send(`${server.url}/other`, { agent });
      for (const socket of Object.values(agent.freeSockets).flat()) ports.add(socket?.localPort);
      return status;
    };
    expect(await askOn()).toBe(404);
    expect(await presented()).toBe(fingerprintOf(first));

    const second = await identityFor(['kms.a.test']);
    await write(second);
    expect(await certificate.reload()).toBe('changed');
    expect(await presented()).toBe(fingerprintOf(second));
    expect(await askOn()).toBe(404);
    expect(ports.size).toBe(1);
    expect(log.lines).toContainEqual(expect.objectContaining({ event: 'kms.certificate-loaded', field: 'tls' }));
    expect(await certificate.reload()).toBe('same');
    await server.stop();
  });

  it('is found by watching its files', async () => {
    await write(await identityFor(['kms.a.test']));
    const { server, certificate, presented, log } = await serve();
    certificate.watch();
    certificate.watch();
    const next = await identityFor(['kms.a.test']);
    await write(next);
    await log.next('kms.certificate-loaded');
    expect(await presented()).toBe(fingerprintOf(next));
    await server.stop();
  });

  it('is found behind a link that is exchanged, as Kubernetes does', async () => {
    const linked = { certificateFile: join(folder, 'l', 'kms.pem'), privateKeyFile: join(folder, 'l', 'kms.key') };
    for (const name of ['l', 'one', 'two']) await mkdir(join(folder, name));
    const inside = (name: string) => ({
      certificateFile: join(folder, name, 'kms.pem'),
      privateKeyFile: join(folder, name, 'kms.key'),
    });
    const next = await identityFor(['kms.a.test']);
    await write(await identityFor(['kms.a.test']), inside('one'));
    await write(next, inside('two'));
    await symlink(join(folder, 'one'), join(folder, 'l', '..data'));
    await symlink(join('..data', 'kms.pem'), linked.certificateFile);
    await symlink(join('..data', 'kms.key'), linked.privateKeyFile);
    const { server, certificate, presented, log } = await serve(linked);
    certificate.watch();
    await symlink(join(folder, 'two'), join(folder, 'l', '..data_new'));
    await rename(join(folder, 'l', '..data_new'), join(folder, 'l', '..data'));
    await log.next('kms.certificate-loaded');
    expect(await presented()).toBe(fingerprintOf(next));
    await server.stop();
  });

  it('is found without watching, too, where the system does not watch', async () => {
    const moved = { certificateFile: join(folder, 'm', 'kms.pem'), privateKeyFile: join(folder, 'm', 'kms.key') };
    await mkdir(join(folder, 'm'));
    await write(await identityFor(['kms.a.test']), moved);
    const { server, certificate, presented, log } = await serve(moved);
    await rename(join(folder, 'm'), join(folder, 'gone'));
    certificate.watch();
    await log.next('kms.certificate-watch-failed');
    const next = await identityFor(['kms.a.test']);
    await mkdir(join(folder, 'm'));
    await write(next, moved);
    await log.next('kms.certificate-loaded');
    expect(await presented()).toBe(fingerprintOf(next));
    await server.stop();
  });

  it('by one that is unfit is refused, and the old one stays', async () => {
    const good = await identityFor(['kms.a.test']);
    await write(good);
    const { server, certificate, presented, log } = await serve();
    const now = Date.now();
    const other = await identityFor(['kms.a.test']);
    const expired = await identityFor(['kms.a.test'], { validFrom: now - 2 * hour, validUntil: now - hour });
    const early = await identityFor(['kms.a.test'], { validFrom: now + hour, validUntil: now + 2 * hour });
    const unfit: readonly (readonly [TlsIdentity, string])[] = [
      [{ ...good, certificatePem: 'nonsense' }, 'tls.certificateFile'],
      [{ ...good, certificatePem: `${good.certificatePem.slice(0, 200)}\n-----END CERTIFICATE-----\n` }, 'tls'],
      [{ ...good, privateKeyPem: other.privateKeyPem }, 'tls.privateKeyFile'],
      [{ ...other, privateKeyPem: 'nonsense' }, 'tls.privateKeyFile'],
      [expired, 'expired'],
      [early, 'not valid yet'],
    ];
    for (const [identity, reason] of unfit) {
      const from = log.lines.length;
      await write(identity);
      expect(await certificate.reload()).toBe('refused');
      expect(await log.next('kms.certificate-refused', from)).toMatchObject({
        level: 'error',
        reason: expect.stringContaining(reason) as string,
      });
      expect(await presented()).toBe(fingerprintOf(good));
    }
    await unlink(files.privateKeyFile);
    expect(await certificate.reload()).toBe('refused');
    expect(JSON.stringify(log.lines)).not.toContain(good.privateKeyPem.split('\n')[1]);
    await server.stop();
  });
});

describe('a certificate at the start', () => {
  const options = { clock: new FakeClock(Date.now()), log: new Log() };

  it('must be readable and fit its key', async () => {
    const missing = { ...files, certificateFile: join(folder, 'none.pem') };
    await expect(ServedCertificate.load(missing, { ...options, field: 'kms.config.tls' })).rejects.toMatchObject({
      name: 'ProtocolError',
      kind: 'local',
      field: 'kms.config.tls.certificateFile',
      message: expect.stringContaining('ENOENT') as string,
    });
    const { certificatePem } = await identityFor(['kms.a.test']);
    const { privateKeyPem } = await identityFor(['kms.a.test']);
    expect(() => new ServedCertificate({ certificatePem, privateKeyPem }, options)).toThrow(
      expect.objectContaining({ kind: 'local', field: 'tls.privateKeyFile' }),
    );
  });

  it('may have expired: that is for the readiness to tell', async () => {
    const now = Date.now();
    const old = await identityFor(['kms.a.test'], { validFrom: now - 2 * hour, validUntil: now - hour });
    expect(new ServedCertificate(old, options).validUntil).toBeLessThan(now);
  });

  it('that came from no file is neither watched nor read again', async () => {
    const certificate = new ServedCertificate(await identityFor(['kms.a.test']), options);
    certificate.watch();
    expect(await certificate.reload()).toBe('same');
    certificate.stop();
  });
});
