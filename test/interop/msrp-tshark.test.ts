import { execFileSync, spawnSync } from 'node:child_process';
import { createConnection, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { MsrpChannel, type OutgoingContent } from '../../src/engine/msrp/msrp-channel.ts';
import { NodeMsrpConnection } from '../../src/node/msrp/connection.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { PeerProcess } from './support/peer-process.ts';
import { PcapWriter } from './support/pcap-writer.ts';
import { lackOfProgram, needing, type Lack } from '../support/needs/needs.ts';

const lackOfTshark = lackOfProgram(['tshark'], 'tshark', 'dumpcap');
const alicePath = 'msrp://127.0.0.1:2855/alice;tcp';
const bobPath = 'msrp://127.0.0.1:2856/bob;tcp';
/** Goes in chunks of 2048 octets. */
const smallOctets = 20 * 1024;
/** Goes in chunks of 64 KiB. */
const largeOctets = 300 * 1024;

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

interface OpenPort {
  readonly port: number;
  connect(): Promise<Pair>;
}

async function openPort(): Promise<OpenPort> {
  const server = createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return {
    port,
    async connect() {
      const accepted = once(server, 'connection') as Promise<[Socket]>;
      const near = createConnection({ host: '127.0.0.1', port, noDelay: true });
      const [[far]] = await Promise.all([accepted, once(near, 'connect')]);
      server.close();
      return { near, far };
    },
  };
}

/**
 * Octets of every value, with what looks like an end-line among them. Always the same: in octets of chance tshark finds
 * one of its other protocols now and then, and that one malformed.
 */
function fileOf(octets: number): OutgoingContent {
  const file = Uint8Array.from({ length: octets }, (_, index) => (index * 167 + (index >> 8) * 13) & 0xff);
  file.set(utf8('\r\n-------abcd1234$\r\nMSRP abcd1234 SEND\r\n'), 1000);
  const stream = (async function* () {
    yield await Promise.resolve(file);
  })();
  return { contentType: 'application/octet-stream', successReport: true, octets, stream };
}

/** Everything a session says: the binding SEND, messages both ways, REPORTs, files in several chunks, a refusal. */
async function talk({ near, far }: Pair): Promise<void> {
  const common = { clock: systemClock, random: secureRandom } as const;
  const connection = (socket: Socket): NodeMsrpConnection =>
    new NodeMsrpConnection(socket, 'plain', undefined, systemClock);
  let stored = 0;
  const bob = new MsrpChannel({
    ...common,
    connection: connection(far),
    localPath: [bobPath],
    remotePath: [alicePath],
    active: false,
    acceptTypes: ['text/plain', 'application/octet-stream'],
    openSink: ({ contentType }) =>
      contentType === 'text/plain'
        ? undefined
        : { write: (_, bytes) => void (stored += bytes.length), finish: () => undefined, abort: () => undefined },
  });
  const alice = new MsrpChannel({
    ...common,
    connection: connection(near),
    localPath: [alicePath],
    remotePath: [bobPath],
    active: true,
  });
  const delivered = { outcome: 'delivered', status: 200 };
  const text = (words: string) => ({ contentType: 'text/plain', bytes: utf8(words), successReport: true });
  expect(await alice.send(text('hello'))).toEqual(delivered);
  expect(await bob.send(text('grüße'))).toEqual(delivered);
  const outcomes = await Promise.all([
    alice.send(fileOf(smallOctets)),
    alice.send(fileOf(largeOctets)),
    alice.send(text('meanwhile')),
  ]);
  expect([...outcomes, stored]).toEqual([delivered, delivered, delivered, smallOctets + largeOctets]);
  const refused = await alice.send({ contentType: 'application/x-unknown', bytes: utf8('what is this?') });
  expect(refused).toMatchObject({ outcome: 'failed', status: 415 });
  const closed = new Promise<void>((resolve) => bob.events.on('closed', () => resolve()));
  alice.close();
  await closed;
}

function tshark(capture: string, port: number, ...more: string[]): string {
  const parameters = ['-n', '-r', capture, '-d', `tcp.port==${port},msrp`, ...more];
  return execFileSync('tshark', parameters, {
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 * 1024 * 1024,
  }).toString();
}

function values(capture: string, port: number, field: string): string[] {
  return tshark(capture, port, '-Y', field, '-T', 'fields', '-e', field)
    .split(/[\n,]/)
    .filter((value) => value !== '');
}

const malformed = '_ws.malformed or _ws.expert.group == "Malformed" or msrp.status.code.invalid';

/** Gives whole frames out of octets that come in any pieces; knows of MSRP only where a frame begins and ends. */
function frameCutter(onFrame: (frame: Buffer) => void): (bytes: Buffer) => void {
  let waiting = Buffer.alloc(0);
  return (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (;;) {
      const [, id] = /^MSRP (\S+) /.exec(waiting.toString('latin1', 0, 64)) ?? [];
      const endLine = id === undefined ? -1 : waiting.indexOf(`-------${id}`);
      const end = endLine + `-------${id}$\r\n`.length;
      if (endLine < 0 || waiting.length < end) return;
      onFrame(waiting.subarray(0, end));
      waiting = waiting.subarray(end);
    }
  };
}

/** Undefined where this machine lets us capture. */
function lackOfCapture(): Lack | undefined {
  if (lackOfTshark !== undefined) return lackOfTshark;
  const { status, stderr } = spawnSync('dumpcap', ['-i', 'lo', '-L'], { encoding: 'utf8' });
  return status === 0 ? undefined : { reason: `dumpcap may not capture: ${stderr.trim()}`, packages: [] };
}

describe("tshark's MSRP dissector", needing(lackOfTshark), () => {
  it('reads the octets that we recorded at the sockets, and finds nothing malformed', async () => {
    const { port, connect } = await openPort();
    const pair = await connect();
    const capture = join(temporaryFolder('tshark'), 'recorded.pcap');
    const writer = new PcapWriter(capture, port);
    // The dissector looks at the first frame of a segment alone, so each frame gets segments of its own.
    pair.far.on(
      'data',
      frameCutter((frame) => writer.write('to-server', frame)),
    );
    pair.near.on(
      'data',
      frameCutter((frame) => writer.write('to-client', frame)),
    );
    await talk(pair);
    writer.close();
    expect(tshark(capture, port, '-Y', malformed)).toBe('');
    const of = (field: string): string[] => values(capture, port, `msrp.${field}`);
    expect(new Set(of('method'))).toEqual(new Set(['SEND', 'REPORT']));
    expect(of('method').filter((method) => method === 'REPORT')).toHaveLength(5);
    expect(new Set(of('status.code'))).toEqual(new Set(['200', '415']));
    expect(of('status')).toEqual(Array.from({ length: 5 }, () => '000 200'));
    expect(new Set(of('cnt.flg'))).toEqual(new Set(['$', '+']));
    expect(new Set([...of('to.path'), ...of('from.path')])).toEqual(new Set([alicePath, bobPath]));
    expect(new Set(of('content.type'))).toEqual(
      new Set(['text/plain', 'application/octet-stream', 'application/x-unknown']),
    );
    const ranges = of('byte.range');
    for (let start = 1; start < smallOctets; start += 2048) {
      expect(ranges).toContain(`${start}-${start + 2047}/${smallOctets}`);
    }
    for (let start = 1; start < largeOctets; start += 64 * 1024) expect(ranges).toContain(`${start}-*/${largeOctets}`);
  });

  const captured = { timeout: 120_000, ...needing(lackOfCapture()) };

  it('reads a capture of the loopback interface', captured, async () => {
    const { port, connect } = await openPort();
    const capture = join(temporaryFolder('tshark'), 'live.pcapng');
    const dumpcap = new PeerProcess('dumpcap', ['-i', 'lo', '-f', `tcp port ${port}`, '-B', '32', '-w', capture]);
    try {
      // Told when the interface is open, the filter set and the file made.
      await dumpcap.waitFor(/File: /, 60_000);
      await talk(await connect());
      // The kernel hands packets over in blocks: what came last is there when both ends were seen to close.
      await expect
        .poll(() => tshark(capture, port, '-Y', 'tcp.flags.fin == 1', '-T', 'fields', '-e', 'tcp.srcport'), {
          timeout: 60_000,
          interval: 500,
        })
        .toMatch(/^\d+\n\d+\n/);
      expect(tshark(capture, port, '-Y', malformed)).toBe('');
      expect(values(capture, port, 'msrp.method')).toContain('SEND');
      expect(values(capture, port, 'msrp.status.code')).toContain('200');
      expect(new Set(values(capture, port, 'msrp.to.path'))).toEqual(new Set([alicePath, bobPath]));
    } finally {
      dumpcap.stop();
    }
  });
});
