import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDeviceCertificate } from '../../src/crypto/certificate.ts';
import type { DeviceCertificate, MsrpSecurity, MsrpSockets } from '../../src/engine/ports.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';
import { createForeignCertificate, type ForeignCertificate } from './support/foreign-certificate.ts';
import { connectWhenReady, converse } from './support/msrp-conversation.ts';
import { freePort, PeerProcess } from './support/peer-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

let sockets: MsrpSockets;
let own: DeviceCertificate;
let foreign: Readonly<Record<'EC' | 'RSA', ForeignCertificate>>;
const open: { close(): void }[] = [];

beforeAll(async () => {
  sockets = await createNodeMsrpSockets();
  own = await createDeviceCertificate({ commonName: 'alice', now: Date.now() });
  if (lackOfOpenssl !== undefined) return;
  foreign = { EC: createForeignCertificate('EC'), RSA: createForeignCertificate('RSA') };
});
afterEach(() => {
  for (const item of open.splice(0)) item.close();
});

const security = (...fingerprints: string[]): MsrpSecurity => ({
  mode: 'fingerprint',
  certificate: own,
  peerFingerprints: fingerprints.map((value) => ({ hash: 'sha-256', value })),
});

function openssl(command: string, ...parameters: string[]): PeerProcess {
  const peer = new PeerProcess('openssl', [command, '-quiet', ...parameters]);
  open.push({ close: () => peer.stop() });
  return peer;
}

async function reach(version: string, kind: 'EC' | 'RSA', fingerprint: string): ReturnType<MsrpSockets['connect']> {
  const port = await freePort();
  const { certificate, key } = foreign[kind];
  const parameters = ['-accept', `127.0.0.1:${port}`, '-cert', certificate, '-key', key, '-Verify', '1', version];
  lastServer = openssl('s_server', ...parameters);
  const connection = await connectWhenReady(sockets, { host: '127.0.0.1', port }, security(fingerprint));
  open.push(connection);
  return connection;
}
let lastServer: PeerProcess | undefined;

describe.each([
  ['EC', '-tls1_3', 'TLSv1.3'],
  ['EC', '-tls1_2', 'TLSv1.2'],
  ['RSA', '-tls1_3', 'TLSv1.3'],
  ['RSA', '-tls1_2', 'TLSv1.2'],
] as const)('TLS by fingerprint with OpenSSL, %s certificate, %s', needing(lackOfOpenssl), (kind, option, version) => {
  it('takes it as client', async () => {
    const { certificate, key, fingerprint } = foreign[kind];
    const listener = await sockets.listen();
    open.push(listener);
    const accepting = listener.accept(security('AA:BB', fingerprint), 10_000);
    const parameters = ['-connect', `127.0.0.1:${listener.address.port}`, '-cert', certificate, '-key', key, option];
    const peer = openssl('s_client', ...parameters);
    const connection = await accepting;
    expect(connection.tls).toMatchObject({ version, peerCertificate: { sha256: fingerprint, subject: 'CN=peer' } });
    await converse(connection, false, peer);
  });

  it('reaches it as server', async () => {
    const connection = await reach(option, kind, foreign[kind].fingerprint);
    expect(connection.tls).toMatchObject({ version, peerCertificate: { sha256: foreign[kind].fingerprint } });
    await converse(connection, true, lastServer!);
  });

  it('refuses another certificate, and none', async () => {
    const { certificate, key } = foreign[kind];
    for (const identity of [['-cert', certificate, '-key', key], []]) {
      const listener = await sockets.listen();
      open.push(listener);
      const accepting = listener.accept(security(own.sha256), 700);
      openssl('s_client', '-connect', `127.0.0.1:${listener.address.port}`, ...identity, option);
      await expect(accepting).rejects.toMatchObject({ kind: 'peer-misbehaved', field: 'tls.fingerprint' });
    }
    await expect(reach(option, kind, own.sha256)).rejects.toMatchObject({
      kind: 'peer-misbehaved',
      field: 'tls.fingerprint',
    });
  });
});

describe('TLS by fingerprint with OpenSSL', needing(lackOfOpenssl), () => {
  it.each(['-tls1_1', '-tls1'])('does not go below TLS 1.2 (%s)', async (option) => {
    const { certificate, key, fingerprint } = foreign.EC;
    const listener = await sockets.listen();
    open.push(listener);
    const accepting = listener.accept(security(fingerprint), 700);
    const old = [option, '-cipher', 'ALL:@SECLEVEL=0'];
    openssl('s_client', '-connect', `127.0.0.1:${listener.address.port}`, '-cert', certificate, '-key', key, ...old);
    await expect(accepting).rejects.toMatchObject({ field: 'tls.handshake' });
  });

  it.each(['-tls1_2', '-tls1_3'])('lets no session be resumed (%s)', async (option) => {
    const { certificate, key, fingerprint } = foreign.EC;
    const file = join(temporaryFolder('session'), 'session.pem');
    for (const [parameter, last] of [
      ['-sess_out', false],
      ['-sess_in', true],
    ] as const) {
      const listener = await sockets.listen();
      open.push(listener);
      const accepting = listener.accept(security(fingerprint), 10_000);
      const identity = ['-cert', certificate, '-key', key, option, parameter, file];
      const peer = new PeerProcess('openssl', [
        's_client',
        '-connect',
        `127.0.0.1:${listener.address.port}`,
        ...identity,
      ]);
      open.push({ close: () => peer.stop() });
      const connection = await accepting.catch((error: unknown) => error);
      // Without a ticket there is nothing to write down, so the second run may find no file at all.
      if (last && connection instanceof Error) expect(peer.errors).toMatch(/session/i);
      else await peer.waitFor(/New, TLS/);
      expect(peer.output).not.toContain('Reused');
    }
  });

  it('refuses to renegotiate when asked to', async () => {
    const { certificate, key, fingerprint } = foreign.EC;
    const listener = await sockets.listen();
    open.push(listener);
    const accepting = listener.accept(security(fingerprint), 30_000);
    const identity = ['-cert', certificate, '-key', key, '-tls1_2'];
    const peer = new PeerProcess('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${listener.address.port}`,
      ...identity,
    ]);
    open.push({ close: () => peer.stop() });
    open.push(await accepting);
    await peer.waitFor(/New, TLSv1\.2/, 30_000);
    peer.write(Buffer.from('R\n'));
    await peer.waitFor(/RENEGOTIATING/, 30_000);
    expect((await peer.waitFor(/no renegotiation/i, 30_000))[0]).toBeDefined();
  });
});
