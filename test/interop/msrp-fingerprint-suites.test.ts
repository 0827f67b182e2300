import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDeviceCertificate } from '../../src/crypto/certificate.ts';
import type { DeviceCertificate, MsrpConnection, MsrpSecurity, MsrpSockets } from '../../src/engine/ports.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';
import { profile } from '../../src/protocol/profile.ts';
import { createForeignCertificate, type ForeignCertificate } from './support/foreign-certificate.ts';
import { connectWhenReady, converse } from './support/msrp-conversation.ts';
import { freePort, PeerProcess } from './support/peer-process.ts';
import { lackOfGnutls, lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

const patience = 30_000;

let sockets: MsrpSockets;
let own: DeviceCertificate;
let foreign: Readonly<Record<'EC' | 'RSA', ForeignCertificate>>;
const open: { close(): void }[] = [];

beforeAll(async () => {
  sockets = await createNodeMsrpSockets();
  own = await createDeviceCertificate({ commonName: 'alice', now: Date.now() });
  if (lackOfOpenssl === undefined)
    foreign = { EC: createForeignCertificate('EC'), RSA: createForeignCertificate('RSA') };
});
afterEach(() => {
  for (const item of open.splice(0)) item.close();
});

const security = (...peerFingerprints: { hash: string; value: string }[]): MsrpSecurity => ({
  mode: 'fingerprint',
  certificate: own,
  peerFingerprints,
});

const sha256Of = (kind: 'EC' | 'RSA'): MsrpSecurity => security({ hash: 'sha-256', value: foreign[kind].fingerprint });

function start(program: string, ...parameters: string[]): PeerProcess {
  const peer = new PeerProcess(program, parameters);
  open.push({ close: () => peer.stop() });
  return peer;
}

/** A connection that the foreign client opens to us. */
async function accepted(
  trust: MsrpSecurity,
  startClient: (port: number) => PeerProcess,
): Promise<{ readonly connection: MsrpConnection; readonly peer: PeerProcess }> {
  const listener = await sockets.listen();
  open.push(listener);
  const accepting = listener.accept(trust, patience);
  const peer = startClient(listener.address.port);
  const connection = await accepting;
  open.push(connection);
  return { connection, peer };
}

const suites = [
  ...profile.msrpTls.fingerprintTls13Suites.map(
    (suite) => ['TLSv1.3', suite, 'EC', ['-tls1_3', '-ciphersuites', suite]] as const,
  ),
  ...profile.msrpTls.fingerprintSuites.map(
    (suite) => ['TLSv1.2', suite, suite.includes('RSA') ? 'RSA' : 'EC', ['-tls1_2', '-cipher', suite]] as const,
  ),
];

describe.each(suites)(
  'TLS by fingerprint with OpenSSL on %s %s',
  needing(lackOfOpenssl),
  (version, suite, keyType, options) => {
    // The certificate of the server decides between ECDSA and RSA suites, and ours is ECDSA: RSA is for their server alone.
    if (keyType === 'EC') it('takes it as client', takesClient);

    async function takesClient(): Promise<void> {
      const { certificate, key } = foreign.EC;
      const { connection, peer } = await accepted(sha256Of('EC'), (port) =>
        start(
          'openssl',
          's_client',
          '-quiet',
          '-connect',
          `127.0.0.1:${port}`,
          '-cert',
          certificate,
          '-key',
          key,
          ...options,
        ),
      );
      expect(connection.tls).toMatchObject({ version, suite: standardName(suite) });
      await converse(connection, false, peer);
    }

    it('reaches it as server', async () => {
      const { certificate, key } = foreign[keyType];
      const port = await freePort();
      const identity = ['-cert', certificate, '-key', key, '-Verify', '1'];
      const peer = start('openssl', 's_server', '-quiet', '-accept', `127.0.0.1:${port}`, ...identity, ...options);
      const connection = await connectWhenReady(sockets, { host: '127.0.0.1', port }, sha256Of(keyType));
      open.push(connection);
      expect(connection.tls).toMatchObject({ version, suite: standardName(suite) });
      await converse(connection, true, peer);
    });
  },
);

/** IANA's name of a suite that OpenSSL names in its own way. */
function standardName(suite: string): string {
  if (suite.startsWith('TLS_')) return suite;
  const [, exchange, key, bits, hash] = /^(ECDHE)-(ECDSA|RSA)-AES(128|256)-GCM-(SHA\d+)$/.exec(suite) ?? [];
  return `TLS_${exchange}_${key}_WITH_AES_${bits}_GCM_${hash}`;
}

describe('A fingerprint of an OpenSSL certificate', needing(lackOfOpenssl), () => {
  const clientOn = (port: number): PeerProcess => {
    const { certificate, key } = foreign.EC;
    return start('openssl', 's_client', '-quiet', '-connect', `127.0.0.1:${port}`, '-cert', certificate, '-key', key);
  };

  it.each([
    ['sha-256', 'sha256'],
    ['sha-384', 'sha384'],
    ['sha-512', 'sha512'],
  ] as const)('is compared by %s', async (hash, name) => {
    const trust = security({ hash, value: foreign.EC.fingerprintWith(name) });
    const { connection, peer } = await accepted(trust, clientOn);
    await converse(connection, false, peer);
  });

  it('counts when one of several hashes is strong', async () => {
    const trust = security(
      { hash: 'sha-1', value: foreign.EC.fingerprintWith('sha1') },
      { hash: 'sha-384', value: foreign.EC.fingerprintWith('sha384') },
    );
    const { connection, peer } = await accepted(trust, clientOn);
    await converse(connection, false, peer);
  });

  it('is refused when SHA-1 is all there is', async () => {
    const port = await freePort();
    const { certificate, key, fingerprintWith } = foreign.EC;
    start('openssl', 's_server', '-quiet', '-accept', `127.0.0.1:${port}`, '-cert', certificate, '-key', key);
    const trust = security({ hash: 'sha-1', value: fingerprintWith('sha1') });
    await expect(connectWhenReady(sockets, { host: '127.0.0.1', port }, trust)).rejects.toMatchObject({
      kind: 'policy-denied',
      field: 'tls.fingerprint',
    });
  });
});

// OpenSSL makes the certificates.
describe.each([
  ['EC', '1.3'],
  ['EC', '1.2'],
  ['RSA', '1.3'],
  ['RSA', '1.2'],
] as const)(
  'TLS by fingerprint with GnuTLS, %s certificate, TLS %s',
  needing(lackOfGnutls, lackOfOpenssl),
  (keyType, version) => {
    const identity = (): string[] => {
      const { certificate, key } = foreign[keyType];
      return [
        '--x509certfile',
        certificate,
        '--x509keyfile',
        key,
        '--priority',
        `NORMAL:-VERS-ALL:+VERS-TLS${version}`,
      ];
    };

    it('takes it as client', async () => {
      const { connection, peer } = await accepted(sha256Of(keyType), (port) =>
        start('gnutls-cli', ...identity(), '--no-ca-verification', '--port', String(port), '127.0.0.1'),
      );
      const { fingerprint } = foreign[keyType];
      expect(connection.tls).toMatchObject({ version: `TLSv${version}`, peerCertificate: { sha256: fingerprint } });
      await converse(connection, false, peer);
    });

    it('reaches it as server', async () => {
      const port = await freePort();
      start('gnutls-serv', ...identity(), '--echo', '--require-client-cert', '--port', String(port));
      const connection = await connectWhenReady(sockets, { host: '127.0.0.1', port }, sha256Of(keyType));
      open.push(connection);
      const { fingerprint } = foreign[keyType];
      expect(connection.tls).toMatchObject({ version: `TLSv${version}`, peerCertificate: { sha256: fingerprint } });
      // It echoes lines and says nothing of its own.
      let echoed = '';
      connection.onData((bytes) => (echoed += Buffer.from(bytes).toString()));
      connection.write(Buffer.from('MSRP there and back\n'));
      await expect.poll(() => echoed, { timeout: patience }).toBe('MSRP there and back\n');
    });
  },
);
