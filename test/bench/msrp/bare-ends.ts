import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startDigest } from '../../../src/crypto/digest.ts';
import { hashOf } from '../../../src/node/files/file-source.ts';
import { memoryPieces } from './memory-pieces.ts';
import { messageOctets, percentile, type Figures, type ScenarioEnds, type ScenarioSettings } from './scenario.ts';
import type { Wire } from './wire.ts';

const answer = Buffer.alloc(messageOctets / 2, 'b');
const message = Buffer.alloc(messageOctets, 'a');
const done = Buffer.from('done');
/** As much as the engine's source reads at once. */
const readOctets = 256 * 1024;
const restMilliseconds = 2;

type Settings<Kind extends ScenarioSettings['kind']> = Extract<ScenarioSettings, { kind: Kind }>;

/** The same work over the sockets alone: no frames, no ids, no reports. Both ends know what comes. */
export function bareEnds(settings: ScenarioSettings): ScenarioEnds {
  return {
    async receive(wires) {
      for (const { socket } of wires) {
        if (settings.kind === 'transfer') takeTransfers(socket, settings);
        else answerMessages(socket);
        // It was paused when it was accepted.
        socket.resume();
      }
      return Promise.resolve();
    },
    send(wires) {
      const sockets = wires.map(({ socket }: Wire) => socket);
      const [first] = sockets;
      if (first === undefined) throw new Error('no connection');
      if (settings.kind === 'transfer') return (share) => sendTransfer(first, settings, share);
      if (settings.kind === 'messages') return (share) => sendMessages(sockets, settings, share);
      return (share) => sampleLatency(first, settings, share);
    },
  };
}

/** The length goes ahead in eight octets; `done` comes back when all is there, stored and hashed where it is a file. */
function takeTransfers(socket: Socket, { file }: Settings<'transfer'>): void {
  let left = 0;
  let store: ReturnType<typeof storeIn> | undefined;
  const take = (bytes: Buffer): void => {
    let content = bytes;
    if (left === 0) {
      left = Number(bytes.readBigUInt64BE());
      content = bytes.subarray(8);
      store = file === undefined ? undefined : storeIn(join(file.folder, 'bare'), file.sha256, socket);
    }
    left -= content.length;
    store?.write(content);
    if (left > 0) return;
    if (store === undefined) socket.write(done);
    else store.finish(() => socket.write(done));
  };
  socket.on('data', take);
}

function storeIn(
  path: string,
  sha256: string,
  socket: Socket,
): { write(bytes: Buffer): void; finish(then: () => void): void } {
  const digest = startDigest('sha256');
  const stream = createWriteStream(path, { flush: true, highWaterMark: 8 * 1024 * 1024 });
  return {
    write(bytes) {
      digest.update(bytes);
      if (stream.write(bytes)) return;
      socket.pause();
      stream.once('drain', () => socket.resume());
    },
    finish(then) {
      if (hashOf('sha-256', digest.finish()).value !== sha256) throw new Error('another file arrived');
      stream.end();
      stream.once('close', () => void rm(path).then(then));
    },
  };
}

async function sendTransfer(socket: Socket, settings: Settings<'transfer'>, share: number): Promise<Figures> {
  const { file } = settings;
  const octets = file === undefined ? Math.max(1, Math.floor(settings.octets * share)) : (await stat(file.path)).size;
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(octets));
  const pieces: AsyncIterable<Uint8Array> =
    file === undefined ? memoryPieces(octets) : createReadStream(file.path, { highWaterMark: readOctets });
  const finished = once(socket, 'data');
  socket.write(length);
  for await (const bytes of pieces) if (!socket.write(bytes)) await once(socket, 'drain');
  await finished;
  return { octets };
}

/** An answer for each message; those to messages that came together leave together. */
function answerMessages(socket: Socket): void {
  let waiting = 0;
  socket.on('data', (bytes: Buffer) => {
    waiting += bytes.length;
    const answers = Math.floor(waiting / messageOctets);
    waiting -= answers * messageOctets;
    if (answers > 0) socket.write(Buffer.alloc(answers * answer.length, answer));
  });
}

async function sendMessages(
  sockets: readonly Socket[],
  { count, sessions, window }: Settings<'messages'>,
  share: number,
): Promise<Figures> {
  const total = Math.ceil(count * share);
  const each = Math.ceil(total / sockets.length);
  const outstanding = Math.ceil((sessions * window) / sockets.length);
  await Promise.all(sockets.map((socket) => pipeline(socket, each, outstanding)));
  return { count: each * sockets.length };
}

/** Keeps `outstanding` messages unanswered until `count` were answered. */
function pipeline(socket: Socket, count: number, outstanding: number): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    let answeredOctets = 0;
    const fill = (): void => {
      const answered = Math.floor(answeredOctets / answer.length);
      socket.cork();
      for (; sent < count && sent - answered < outstanding; sent++) socket.write(message);
      socket.uncork();
      if (answered < count) return;
      socket.off('data', take);
      resolve();
    };
    const take = (bytes: Buffer): void => {
      answeredOctets += bytes.length;
      fill();
    };
    socket.on('data', take);
    fill();
  });
}

async function sampleLatency(socket: Socket, settings: Settings<'latency'>, share: number): Promise<Figures> {
  const samples: number[] = [];
  for (let count = Math.ceil(settings.samples * share); count > 0; count--) {
    await new Promise((resolve) => setTimeout(resolve, restMilliseconds));
    const start = performance.now();
    await pipeline(socket, 1, 1);
    samples.push(performance.now() - start);
  }
  samples.sort((a, b) => a - b);
  return { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) };
}
