import { connect as connectTcp, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { certificateFingerprint, createDeviceCertificate } from '../../src/crypto/certificate.ts';
import type {
  DeviceCertificate,
  MsrpConnection,
  MsrpListener,
  MsrpSecurity,
  MsrpSockets,
} from '../../src/engine/ports.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';

let sockets: MsrpSockets;
let alice: DeviceCertificate;
let bob: DeviceCertificate;
const open: { close(): void }[] = [];

beforeAll(async () => {
  sockets = await createNodeMsrpSockets();
  alice = await createDeviceCertificate({ commonName: 'alice', now: Date.now() });
  bob = await createDeviceCertificate({ commonName: 'bob', now: Date.now() });
});
afterEach(() => {
  for (const item of open.splice(0)) item.close();
});

async function listen(): Promise<MsrpListener> {
  const listener = await sockets.listen();
  open.push(listener);
  return listener;
}

/** A bare TCP connection, like that of a port scanner. */
async function stranger(listener: MsrpListener, ...bytes: string[]): Promise<Socket> {
  const socket = connectTcp(listener.address);
  socket.on('error', () => undefined);
  open.push({ close: () => socket.destroy() });
  await once(socket, 'connect');
  for (const text of bytes) socket.write(text);
  return socket;
}

async function pair(active: MsrpSecurity, passive: MsrpSecurity): Promise<[MsrpConnection, MsrpConnection]> {
  const listener = await listen();
  const both = await Promise.all([sockets.connect(listener.address, active, 5_000), listener.accept(passive, 5_000)]);
  open.push(...both);
  return both;
}

function received(connection: MsrpConnection, octets: number): Promise<Uint8Array> {
  return new Promise((resolve) => {
    let all: Uint8Array = new Uint8Array(0);
    connection.onData((bytes) => {
      all = concatBytes(all, bytes);
      if (all.length >= octets) resolve(all);
    });
  });
}

async function echo([a, b]: [MsrpConnection, MsrpConnection]): Promise<void> {
  a.write(utf8('MSRP there'));
  expect(fromUtf8(await received(b, 10))).toBe('MSRP there');
  b.write(utf8('back'));
  expect(fromUtf8(await received(a, 4))).toBe('back');
}

const fingerprint = (own: DeviceCertificate, ...peers: string[]): MsrpSecurity => ({
  mode: 'fingerprint',
  certificate: own,
  peerFingerprints: peers.map((value) => ({ hash: 'sha-256', value })),
});
const psk = (octet: number, length = 32): MsrpSecurity => ({
  mode: 'psk',
  psk: new SecretBytes(new Uint8Array(length).fill(octet)),
  pskIdentity: '01020304.01',
});

async function failureOf(attempt: Promise<MsrpConnection>): Promise<ProtocolError> {
  const result = await attempt.then(
    (connection) => {
      connection.close();
      return new Error('connected');
    },
    (error: unknown) => error,
  );
  expect(result).toBeInstanceOf(ProtocolError);
  return result as ProtocolError;
}

describe('MSRP sockets', () => {
  it('carry octets in the clear', async () => {
    const both = await pair({ mode: 'plain' }, { mode: 'plain' });
    expect(both.map(({ tls, security }) => [tls, security])).toEqual([
      [undefined, 'plain'],
      [undefined, 'plain'],
    ]);
    expect(both[0].remote).toEqual(both[1].local);
    await echo(both);
  });

  it('carry octets between two certificates that were announced', async () => {
    const both = await pair(fingerprint(alice, bob.sha256), fingerprint(bob, 'AA:BB', alice.sha256.toLowerCase()));
    expect(both[0].tls).toMatchObject({
      version: 'TLSv1.3',
      suite: 'TLS_AES_128_GCM_SHA256',
      peerCertificate: { sha256: bob.sha256, subject: 'CN=bob' },
    });
    expect(both[1].tls?.peerCertificate?.sha256).toBe(alice.sha256);
    await echo(both);
  });

  it.each(['sha-384', 'SHA-512'])('accept a %s fingerprint', async (hash) => {
    const der = Buffer.from(bob.certificatePem.replace(/-----.*-----|\s/g, ''), 'base64');
    const value = certificateFingerprint(hash.toLowerCase() as 'sha-384', der);
    const active = { ...fingerprint(alice), peerFingerprints: [{ hash, value }] } as MsrpSecurity;
    await echo(await pair(active, fingerprint(bob, alice.sha256)));
  });

  it.each([16, 32])('carry octets under a shared key of %i octets', async (length) => {
    expect(sockets.canDoPskTls).toBe(true);
    const both = await pair(psk(7, length), psk(7, length));
    for (const { tls } of both) {
      expect(tls).toEqual({ version: 'TLSv1.2', suite: 'TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256' });
    }
    await echo(both);
  });

  it('refuse the wrong certificate at once where we connect', async () => {
    const listener = await listen();
    const accepting = failureOf(listener.accept(fingerprint(bob, alice.sha256), 500));
    const error = await failureOf(sockets.connect(listener.address, fingerprint(alice, alice.sha256), 5_000));
    expect(error).toMatchObject({ kind: 'peer-misbehaved', field: 'tls.fingerprint' });
    await accepting;
  });

  it('refuse the wrong certificate where we accept, and say so when nobody better came', async () => {
    const listener = await listen();
    const accepting = failureOf(listener.accept(fingerprint(bob, bob.sha256), 400));
    const connecting = await sockets
      .connect(listener.address, fingerprint(alice, bob.sha256), 5_000)
      .catch(() => undefined);
    connecting?.close();
    expect(await accepting).toMatchObject({ kind: 'peer-misbehaved', field: 'tls.fingerprint' });
  });

  it.each([
    ['none', []],
    ['only a weak one', [{ hash: 'sha-1', value: 'AA' }]],
  ])('fail closed when the fingerprints to check against are %s', async (_, peerFingerprints) => {
    const listener = await listen();
    const security: MsrpSecurity = { mode: 'fingerprint', certificate: alice, peerFingerprints };
    expect(await failureOf(sockets.connect(listener.address, security, 1_000))).toMatchObject({
      kind: 'policy-denied',
      field: 'tls.fingerprint',
    });
  });

  it('refuse another key on both sides', async () => {
    const listener = await listen();
    const accepting = failureOf(listener.accept(psk(1), 500));
    const connecting = await failureOf(sockets.connect(listener.address, psk(2), 5_000));
    expect(connecting).toMatchObject({ kind: 'peer-misbehaved', field: 'tls.psk' });
    expect(await accepting).toMatchObject({ kind: 'peer-misbehaved', field: 'tls.psk' });
    expect(connecting.message).not.toMatch(/0202/);
  });

  it.each<[string, () => MsrpSecurity, () => MsrpSecurity]>([
    ['a certificate where a key is due', () => fingerprint(alice, bob.sha256), () => psk(1)],
    ['a key where a certificate is due', () => psk(1), () => fingerprint(bob, alice.sha256)],
    ['plain MSRP where a key is due', () => ({ mode: 'plain' }), () => psk(1)],
  ])('refuse %s', async (_, active, passive) => {
    const listener = await listen();
    const accepting = failureOf(listener.accept(passive(), 400));
    const connecting = sockets.connect(listener.address, active(), 5_000);
    await connecting.then(
      (connection) => {
        open.push(connection);
        connection.write(utf8('MSRP abcd SEND\r\n'));
      },
      () => undefined,
    );
    expect((await accepting).field).toMatch(/^tls\./);
  });

  it('let a peer wait that connects before it is accepted', async () => {
    const listener = await listen();
    const connecting = sockets.connect(listener.address, psk(3), 5_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const both: [MsrpConnection, MsrpConnection] = [await acceptLate(listener), await connecting];
    open.push(...both);
    await echo([both[1], both[0]]);
  });

  const acceptLate = (listener: MsrpListener): Promise<MsrpConnection> => listener.accept(psk(3), 5_000);

  it.each<[string, () => MsrpSecurity, () => MsrpSecurity]>([
    ['plain', () => ({ mode: 'plain' }), () => ({ mode: 'plain' })],
    ['PSK', () => psk(4), () => psk(4)],
    ['fingerprint', () => fingerprint(alice, bob.sha256), () => fingerprint(bob, alice.sha256)],
  ])('find the peer among strangers (%s)', async (_, active, passive) => {
    const listener = await listen();
    (await stranger(listener)).destroy();
    await stranger(listener, 'GET / HTTP/1.0\r\n\r\n');
    const accepting = listener.accept(passive(), 5_000);
    await stranger(listener);
    await stranger(listener, '\x16\x03\x01\x00\x05hello');
    const connection = await sockets.connect(listener.address, active(), 5_000);
    open.push(connection);
    connection.write(utf8('MSRP there'));
    const accepted = await accepting;
    open.push(accepted);
    expect(fromUtf8(await received(accepted, 10))).toBe('MSRP there');
  });

  it('say that nobody came, nobody listens, or nobody answers', async () => {
    const listener = await listen();
    expect(await failureOf(listener.accept(psk(1), 50))).toMatchObject({ kind: 'expired', field: 'msrp.accept' });
    expect(await failureOf(sockets.connect(listener.address, psk(1), 50))).toMatchObject({ kind: 'expired' });
    const accepting = failureOf(listener.accept(psk(1), 5_000));
    listener.close();
    expect(await accepting).toMatchObject({ field: expect.stringMatching(/^(msrp\.accept|tls\.psk)$/) as string });
    expect(await failureOf(sockets.connect(listener.address, psk(1), 1_000))).toMatchObject({ field: 'msrp.connect' });
  });

  it('hold back a fast writer until the reader goes on, and lose nothing', async () => {
    const [writer, reader] = await pair(psk(5), psk(5));
    let octets = 0;
    reader.onData((bytes) => (octets += bytes.length));
    reader.pause();
    const piece = new Uint8Array(256 * 1024);
    let written = 0;
    while (writer.write(piece)) written++;
    written++;
    for (; written < 60; written++) writer.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(octets).toBeLessThan(written * piece.length);
    const drained = new Promise<void>((resolve) => writer.onDrain(resolve));
    reader.resume();
    await drained;
    await expect.poll(() => octets).toBe(written * piece.length);
  });

  it('flush before closing and tell the other side', async () => {
    const [a, b] = await pair(fingerprint(alice, bob.sha256), fingerprint(bob, alice.sha256));
    const closed = new Promise<Error | undefined>((resolve) => b.onClose(resolve));
    const all = received(b, 500_000);
    a.write(new Uint8Array(500_000));
    a.close();
    expect((await all).length).toBe(500_000);
    expect(await closed).toBeUndefined();
    await new Promise<void>((resolve) => a.onClose(() => resolve()));
  });
});
