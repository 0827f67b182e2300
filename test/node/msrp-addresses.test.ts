import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { createDeviceCertificate } from '../../src/crypto/certificate.ts';
import type { DeviceCertificate, MsrpConnection, MsrpListener, MsrpSecurity } from '../../src/engine/ports.ts';
import { createNodeMsrpSockets, type NodeMsrpSocketsOptions } from '../../src/node/msrp-sockets.ts';
import { lackOfIpv6 } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

const open: { close(): void }[] = [];
let certificate: DeviceCertificate;
const plain: MsrpSecurity = { mode: 'plain' };

beforeAll(async () => {
  certificate = await createDeviceCertificate({ commonName: 'test', now: Date.now() });
});
afterEach(() => {
  for (const item of open.splice(0)) item.close();
});

async function listenWith(options: NodeMsrpSocketsOptions, address?: string): Promise<MsrpListener> {
  const listener = await (await createNodeMsrpSockets(options)).listen(address);
  open.push(listener);
  return listener;
}

/** What the passive side takes is decided by the first octets, so the active side speaks. */
async function meet(
  connecting: Promise<MsrpConnection>,
  listener: MsrpListener,
  security: MsrpSecurity,
): Promise<{ readonly active: MsrpConnection; readonly passive: MsrpConnection }> {
  const accepting = listener.accept(security, 20_000);
  const active = await connecting;
  open.push(active);
  active.write(utf8('MSRP a786hjs2 SEND\r\n'));
  const passive = await accepting;
  open.push(passive);
  return { active, passive };
}

describe('addresses of MSRP sockets', () => {
  it('listens and connects over IPv6, plain and with fingerprints', needing(lackOfIpv6), async () => {
    const sockets = await createNodeMsrpSockets();
    const security: MsrpSecurity = {
      mode: 'fingerprint',
      certificate,
      peerFingerprints: [{ hash: 'sha-256', value: certificate.sha256 }],
    };
    for (const used of [plain, security]) {
      const listener = await listenWith({}, '::1');
      expect(listener.address.host).toBe('::1');
      const { passive } = await meet(sockets.connect(listener.address, used, 20_000), listener, used);
      expect(passive.remote.host).toBe('::1');
      listener.close();
    }
  });

  it('listens on the address that the session asks for, written as IPv4 where it is one', async () => {
    expect((await listenWith({ host: '127.0.0.1' }, '::ffff:127.0.0.2')).address.host).toBe('127.0.0.2');
  });

  it('listens on the address that the user set, whatever the session asks for', async () => {
    expect((await listenWith({ media: { address: '127.0.0.3' } }, '127.0.0.2')).address.host).toBe('127.0.0.3');
  });

  it('listens within the port range, and says so when it is used up', async () => {
    const port = await heldPort();
    const options = { media: { address: '127.0.0.6', portRange: [port, port] as const } };
    const listener = await listenWith(options);
    expect(listener.address.port).toBe(port);
    await expect(listenWith(options)).rejects.toMatchObject({
      field: 'msrp.listen',
      expected: `a free port on 127.0.0.6, ports ${port} to ${port}`,
    });
  });

  it('connects to whichever address of a name answers', async () => {
    const listener = await listenWith({}, '127.0.0.1');
    const sockets = await createNodeMsrpSockets({
      // Nobody listens on the others; an IPv6 address may not even be reachable.
      resolve: () => Promise.resolve(['127.0.0.9', '::1', '127.0.0.8', '127.0.0.1']),
    });
    const address = { host: 'peer.example.org', port: listener.address.port };
    const { active } = await meet(sockets.connect(address, plain, 20_000), listener, plain);
    expect(active.remote.host).toBe('127.0.0.1');
  });

  it('says why when no address of a name answers, and when there is no such name', async () => {
    const port = await heldPort();
    const nowhere = await createNodeMsrpSockets({ resolve: () => Promise.resolve(['127.0.0.8', '127.0.0.9']) });
    const address = { host: 'peer.example.org', port };
    await expect(nowhere.connect(address, plain, 20_000)).rejects.toMatchObject({ field: 'msrp.connect' });
    const unknown = await createNodeMsrpSockets({ resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    await expect(unknown.connect(address, plain, 20_000)).rejects.toThrow(/ENOTFOUND/);
  });

  it('dials without a word, and secures later', async () => {
    const sockets = await createNodeMsrpSockets();
    const listener = await listenWith({});
    const dialled = await sockets.dial(listener.address, 20_000);
    const { active } = await meet(dialled.secure(plain, 20_000), listener, plain);
    expect(active.remote.port).toBe(listener.address.port);
    await expect(sockets.dial({ host: '127.0.0.6', port: await heldPort() }, 20_000)).rejects.toMatchObject({
      field: 'msrp.connect',
    });
  });
});

/** A port that nobody has on other loopback addresses than the one on which it is held here. */
async function heldPort(): Promise<number> {
  const server: Server = createServer();
  open.push({ close: () => server.close() });
  server.listen(0, '127.0.0.5');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
