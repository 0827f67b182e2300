import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import type { MsrpSecurity, MsrpSockets } from '../../src/engine/ports.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';
import { profile } from '../../src/protocol/profile.ts';
import { buildBoringSslPeer } from './support/boringssl.ts';
import { connectWhenReady, converse } from './support/msrp-conversation.ts';
import { freePort, PeerProcess } from './support/peer-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { lackOfGnutls, lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing, type Lack } from '../support/needs/needs.ts';

const boring = buildBoringSslPeer();

const identity = '01020304.01';
const key = secureRandom.bytes(32);

const ianaNames: Readonly<Record<string, string>> = {
  'ECDHE-PSK-CHACHA20-POLY1305': 'TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256',
  'ECDHE-PSK-AES128-CBC-SHA': 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA',
  'PSK-AES128-CBC-SHA': 'TLS_PSK_WITH_AES_128_CBC_SHA',
  'ECDHE-PSK-AES256-CBC-SHA': 'TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA',
  'PSK-AES256-CBC-SHA': 'TLS_PSK_WITH_AES_256_CBC_SHA',
};

/** A TLS program of somebody else, on one suite. */
interface Stack {
  readonly name: string;
  readonly lack: Lack | undefined;
  client(port: number, suite: string, keyHex: string): PeerProcess;
  server(port: number, suite: string, keyHex: string): PeerProcess;
}

const openssl: Stack = {
  name: 'OpenSSL',
  lack: lackOfOpenssl,
  client: (port, suite, keyHex) =>
    new PeerProcess('openssl', [
      ...['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-cipher', `${suite}:@SECLEVEL=0`],
      ...['-psk', keyHex, '-psk_identity', identity],
    ]),
  server: (port, suite, keyHex) =>
    new PeerProcess('openssl', [
      ...['s_server', '-quiet', '-accept', `127.0.0.1:${port}`, '-tls1_2', '-cipher', `${suite}:@SECLEVEL=0`],
      ...['-psk', keyHex, '-nocert'],
    ]),
};

const boringssl: Stack = {
  name: 'BoringSSL',
  lack: 'lack' in boring ? boring.lack : undefined,
  client: (port, suite, keyHex) => boringPeer('client', String(port), suite, keyHex, identity),
  server: (port, suite, keyHex) => boringPeer('server', String(port), suite, keyHex),
};

function boringPeer(...parameters: string[]): PeerProcess {
  return new PeerProcess('program' in boring ? boring.program : '', parameters);
}

const gnutls: Stack = {
  name: 'GnuTLS',
  lack: lackOfGnutls,
  client: (port, suite, keyHex) =>
    new PeerProcess('gnutls-cli', [
      ...['--priority', gnutlsPriority(suite), '--pskusername', identity, '--pskkey', keyHex],
      ...['--no-ca-verification', '--port', String(port), '127.0.0.1'],
    ]),
  // gnutls-serv joins nothing to its standard input; it can only echo, and is not asked to converse.
  server: (port, suite, keyHex) => {
    const file = join(temporaryFolder('gnutls-psk'), 'keys');
    writeFileSync(file, `${identity}:${keyHex}\n`);
    const parameters = ['--echo', '--priority', gnutlsPriority(suite), '--pskpasswd', file, '--port', String(port)];
    return new PeerProcess('gnutls-serv', parameters);
  },
};

function gnutlsPriority(suite: string): string {
  const exchange = suite.startsWith('ECDHE-') ? '+ECDHE-PSK' : '+PSK';
  const bits = suite.includes('AES256') ? 256 : 128;
  const cipher = suite.includes('CHACHA20') ? '+CHACHA20-POLY1305:+AEAD' : `+AES-${bits}-CBC:+SHA1`;
  return `NONE:+VERS-TLS1.2:+COMP-NULL:+GROUP-ALL:+SIGN-ALL:${exchange}:${cipher}`;
}

let sockets: MsrpSockets;
const open: { close(): void }[] = [];
const security = (octets: Uint8Array = key): MsrpSecurity => ({
  mode: 'psk',
  psk: new SecretBytes(octets),
  pskIdentity: identity,
});

function keep(peer: PeerProcess): PeerProcess {
  open.push({ close: () => peer.stop() });
  return peer;
}

beforeAll(async () => {
  sockets = await createNodeMsrpSockets();
});
afterEach(() => {
  for (const item of open.splice(0)) item.close();
});

describe.each([openssl, boringssl, gnutls])('PSK-TLS with $name', (stack) => {
  describe.each([...profile.msrpTls.pskSuites])('on %s', needing(stack.lack), (suite) => {
    it('takes it as client', async () => {
      const listener = await sockets.listen();
      open.push(listener);
      const accepting = listener.accept(security(), 15_000);
      const peer = keep(stack.client(listener.address.port, suite, toHex(key)));
      const connection = await accepting;
      expect(connection.tls).toEqual({ version: 'TLSv1.2', suite: ianaNames[suite] });
      await converse(connection, false, peer);
    });

    it('reaches it as server', async () => {
      const port = await freePort();
      const peer = keep(stack.server(port, suite, toHex(key)));
      const connection = await connectWhenReady(sockets, { host: '127.0.0.1', port }, security());
      open.push(connection);
      expect(connection.tls).toEqual({ version: 'TLSv1.2', suite: ianaNames[suite] });
      if (stack === gnutls) await echoed(connection);
      else await converse(connection, true, peer);
    });

    it('refuses it with another key', async () => {
      const listener = await sockets.listen();
      open.push(listener);
      const accepting = listener.accept(security(), 700);
      keep(stack.client(listener.address.port, suite, '00'.repeat(32)));
      await expect(accepting).rejects.toMatchObject({ kind: 'peer-misbehaved', field: 'tls.psk' });

      const port = await freePort();
      keep(stack.server(port, suite, '00'.repeat(32)));
      await expect(connectWhenReady(sockets, { host: '127.0.0.1', port }, security())).rejects.toMatchObject({
        kind: 'peer-misbehaved',
        field: 'tls.psk',
      });
    });
  });
});

async function echoed(connection: Awaited<ReturnType<MsrpSockets['connect']>>): Promise<void> {
  const text = 'MSRP there and back\n';
  let received = '';
  connection.onData((bytes) => (received += Buffer.from(bytes).toString()));
  connection.write(Buffer.from(text));
  await expect.poll(() => received).toBe(text);
}

describe('PSK-TLS with OpenSSL on something weaker', needing(lackOfOpenssl), () => {
  it.each(['PSK-NULL-SHA256', 'DHE-PSK-AES128-CBC-SHA', 'ECDHE-ECDSA-AES128-GCM-SHA256'])(
    'does not take %s',
    async (suite) => {
      const listener = await sockets.listen();
      open.push(listener);
      const accepting = listener.accept(security(), 700);
      keep(openssl.client(listener.address.port, suite, toHex(key)));
      await expect(accepting).rejects.toMatchObject({ field: 'tls.psk' });
    },
  );
});
