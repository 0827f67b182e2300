import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createDeviceCertificate } from '../../src/crypto/certificate.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { MsrpChannel } from '../../src/engine/msrp/msrp-channel.ts';
import type { DeviceCertificate, MsrpSecurity, MsrpSockets } from '../../src/engine/ports.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import type { BenchRow } from './bench-row.ts';

const mebibyte = 1024 * 1024;
const rounds = 8;
const piece = secureRandom.bytes(64 * 1024);
const key = Buffer.from(secureRandom.bytes(32));
const alicePath = ['msrps://127.0.0.1:1/alice;tcp'];
const bobPath = ['msrps://127.0.0.1:2/bob;tcp'];

type Mode = MsrpSecurity['mode'];

async function* pieces(octets: number): AsyncGenerator<Uint8Array> {
  for (let left = octets; left > 0; left -= piece.length) yield piece;
}

/** Seconds for `octets` through two channels over loopback, until the sender knows that all has arrived. */
async function throughChannels(
  sockets: MsrpSockets,
  active: MsrpSecurity,
  passive: MsrpSecurity,
  octets: number,
  sample: () => void = () => undefined,
): Promise<number> {
  const listener = await sockets.listen();
  const accepting = listener.accept(passive, 10_000);
  const common = { clock: systemClock, random: secureRandom };
  const alice = new MsrpChannel({
    ...common,
    connection: await sockets.connect(listener.address, active, 10_000),
    localPath: alicePath,
    remotePath: bobPath,
    active: true,
  });
  let received = 0;
  const bob = new MsrpChannel({
    ...common,
    connection: await accepting,
    localPath: bobPath,
    remotePath: alicePath,
    active: false,
    openSink: () => ({
      write: (_position, bytes) => {
        received += bytes.length;
        sample();
      },
      finish: () => undefined,
      abort: () => undefined,
    }),
  });
  const before = performance.now();
  const outcome = await alice.send({ contentType: 'application/octet-stream', stream: pieces(octets), octets });
  const seconds = (performance.now() - before) / 1000;
  if (outcome.outcome !== 'delivered' || received !== octets) throw new Error(`only ${received} octets arrived`);
  alice.close();
  bob.close();
  listener.close();
  return seconds;
}

interface SocketPair {
  readonly near: Socket;
  readonly far: Socket;
}

async function rawPair(): Promise<SocketPair> {
  const server = createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const near = connectTcp({
    host: '127.0.0.1',
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    noDelay: true,
  });
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  return { near, far };
}

/** The same protection from node:tls alone. */
async function barePair(mode: Mode, certificate: DeviceCertificate): Promise<SocketPair> {
  const raw = await rawPair();
  if (mode === 'plain') return raw;
  const { certificatePem: cert, privateKeyPem } = certificate;
  const identity = { cert, key: privateKeyPem.use((pem) => Buffer.from(pem)), ciphers: 'TLS_AES_128_GCM_SHA256' };
  const isPsk = mode === 'psk';
  const secureContext = createSecureContext(
    isPsk ? { ciphers: 'ECDHE-PSK-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' } : { ...identity, minVersion: 'TLSv1.3' },
  );
  const near = connectTls({
    socket: raw.near,
    secureContext,
    rejectUnauthorized: isPsk,
    checkServerIdentity: () => undefined,
    ...(isPsk ? { pskCallback: () => ({ psk: key, identity: 'bench' }) } : {}),
  });
  const options = isPsk ? { pskCallback: () => key } : { requestCert: true, rejectUnauthorized: false };
  const far = new TLSSocket(raw.far, { isServer: true, secureContext, ...options });
  await Promise.all([once(near, 'secureConnect'), once(far, 'secure')]);
  return { near, far };
}

/** Seconds for the same octets through a bare pair of sockets, with the same pieces and honest back-pressure. */
async function throughBareSockets(mode: Mode, certificate: DeviceCertificate, octets: number): Promise<number> {
  const { near, far } = await barePair(mode, certificate);
  let received = 0;
  const before = performance.now();
  const done = new Promise<void>((resolve) => {
    far.on('data', (bytes: Buffer) => {
      received += bytes.length;
      if (received >= octets) far.write('done');
    });
    near.once('data', () => resolve());
  });
  for await (const bytes of pieces(octets)) if (!near.write(bytes)) await once(near, 'drain');
  await done;
  const seconds = (performance.now() - before) / 1000;
  near.destroy();
  far.destroy();
  return seconds;
}

async function best(run: () => Promise<number>): Promise<number> {
  let seconds = Infinity;
  for (let round = 0; round < rounds; round++) seconds = Math.min(seconds, await run());
  return seconds;
}

/** The best of some rounds of each. Not in turns: what one leaves to the garbage collector would slow the other down. */
async function compare(
  octets: number,
  ours: () => Promise<number>,
  bare: () => Promise<number>,
): Promise<{ readonly ours: number; readonly reference: number }> {
  const [oursBest, bareBest] = [await best(ours), await best(bare)];
  return { ours: octets / mebibyte / oursBest, reference: octets / mebibyte / bareBest };
}

/** Most memory that was really in use while `run` went on, above what was before, in MiB. */
async function peakInUse(run: (sample: () => void) => Promise<unknown>): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const inUse = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  inUse();
  // Memory outside the heap is given back a little after it was found unused.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = inUse();
  let peak = before;
  let count = 0;
  await run(() => {
    if (count++ % 512 === 0) peak = Math.max(peak, inUse());
  });
  return (peak - before) / mebibyte;
}

/** MSRP streams of 64 KiB chunks over loopback against the same octets through sockets without MSRP. */
export async function benchMsrp(): Promise<BenchRow[]> {
  const sockets = await createNodeMsrpSockets();
  const alice = await createDeviceCertificate({ commonName: 'alice', now: Date.now() });
  const bob = await createDeviceCertificate({ commonName: 'bob', now: Date.now() });
  const trust = (own: DeviceCertificate, peer: DeviceCertificate): MsrpSecurity => ({
    mode: 'fingerprint',
    certificate: own,
    peerFingerprints: [{ hash: 'sha-256', value: peer.sha256 }],
  });
  const psk: MsrpSecurity = { mode: 'psk', psk: new SecretBytes(key), pskIdentity: 'bench' };
  const plain: MsrpSecurity = { mode: 'plain' };
  const octets = 64 * mebibyte;
  const rows: BenchRow[] = [];
  for (const [label, active, passive] of [
    ['TLS by fingerprint', trust(alice, bob), trust(bob, alice)],
    ['TLS by pre-shared key', psk, psk],
    ['plain TCP', plain, plain],
  ] as const) {
    const rates = await compare(
      octets,
      () => throughChannels(sockets, active, passive, octets),
      () => throughBareSockets(active.mode, alice, octets),
    );
    rows.push({ name: `MSRP 64 MiB, ${label}`, ...rates, unit: 'MiB/s', note: 'reference: bare sockets' });
  }
  const inUse = (size: number): Promise<number> =>
    peakInUse((sample) => throughChannels(sockets, trust(alice, bob), trust(bob, alice), size, sample));
  const [small, large] = [await inUse(octets), await inUse(4 * octets)];
  rows.push({
    name: 'MSRP memory in use at peak, 256 MiB message',
    ours: large,
    reference: small,
    unit: 'MiB',
    note: 'reference: 64 MiB message; both ends in this process',
  });
  return rows;
}
