import { rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { toHex } from '../../../src/base/bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { MsrpChannel } from '../../../src/engine/msrp/msrp-channel.ts';
import { MsrpLinkDriver } from '../../../src/engine/msrp/msrp-link-driver.ts';
import type { FileTarget } from '../../../src/engine/files/file-storage.ts';
import type { MessageSink } from '../../../src/engine/msrp/sink-writer.ts';
import { openFileSource } from '../../../src/node/files/file-source.ts';
import { openFileTarget } from '../../../src/node/files/file-target.ts';
import { NodeMsrpConnection } from '../../../src/node/msrp/connection.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { memoryPieces } from './memory-pieces.ts';
import {
  messageOctets,
  percentile,
  type Figures,
  type ScenarioEnds,
  type ScenarioSettings,
  type SentFile,
} from './scenario.ts';
import type { Wire } from './wire.ts';

const text = new Uint8Array(messageOctets).fill(0x61);
/** Between two samples of a latency, so that a file that runs meanwhile gets somewhere. */
const restMilliseconds = 2;

const uri = (name: string, session: number): string => `msrps://127.0.0.1:2855/${name}${session};tcp`;

function openChannels(
  wires: readonly Wire[],
  sessions: number,
  active: boolean,
  openSink?: () => MessageSink,
): MsrpChannel[] {
  const drivers = wires.map(
    ({ socket, mode, tls }) =>
      new MsrpLinkDriver({ connection: new NodeMsrpConnection(socket, mode, tls, systemClock), clock: systemClock }),
  );
  return Array.from({ length: sessions }, (_, session) => {
    const [own, peer] = [uri('alice', session), uri('bob', session)];
    const connection = drivers[session % drivers.length];
    if (connection === undefined) throw new Error('no connection');
    return new MsrpChannel({
      connection,
      clock: systemClock,
      random: secureRandom,
      localPath: [active ? own : peer],
      remotePath: [active ? peer : own],
      active,
      openSink: (incoming) => (incoming.contentType === 'text/plain' ? undefined : openSink?.()),
    });
  });
}

/** The two ends of a scenario over MSRP sessions, as the engine holds them. */
export function msrpEnds(settings: ScenarioSettings): ScenarioEnds {
  const sessions = settings.kind === 'messages' ? settings.sessions : 1;
  return {
    async receive(wires) {
      const file = settings.kind === 'transfer' ? settings.file : undefined;
      const sink = file === undefined ? discard() : await fileSink(file, settings as Settings<'transfer'>);
      for (const channel of openChannels(wires, sessions, false, () => sink))
        channel.events.on('message', () => undefined);
    },
    send(wires) {
      const channels = openChannels(wires, sessions, true);
      const [first] = channels;
      if (first === undefined) throw new Error('no session');
      if (settings.kind === 'transfer') return (share) => sendFile(first, settings, share);
      if (settings.kind === 'messages') return (share) => sendMessages(channels, settings, share);
      return (share) => sampleLatency(first, settings, share);
    },
  };
}

type Settings<Kind extends ScenarioSettings['kind']> = Extract<ScenarioSettings, { kind: Kind }>;

async function sendFile(channel: MsrpChannel, settings: Settings<'transfer'>, share: number): Promise<Figures> {
  const source = settings.file === undefined ? undefined : await openFileSource(settings.file.path);
  const octets = source?.size ?? Math.max(1, Math.floor(settings.octets * share));
  const stream = source?.read(0) ?? memoryPieces(octets);
  await arrived(
    channel.send({ contentType: 'application/octet-stream', successReport: source !== undefined, stream, octets }),
  );
  return { octets };
}

async function sendMessages(
  channels: readonly MsrpChannel[],
  { count, window }: Settings<'messages'>,
  share: number,
): Promise<Figures> {
  const total = Math.ceil(count * share);
  let left = total;
  const inTurn = async (channel: MsrpChannel): Promise<void> => {
    while (left-- > 0) await arrived(channel.send({ contentType: 'text/plain', bytes: text }));
  };
  await Promise.all(channels.flatMap((channel) => Array.from({ length: window }, () => inTurn(channel))));
  return { count: total };
}

async function sampleLatency(channel: MsrpChannel, settings: Settings<'latency'>, share: number): Promise<Figures> {
  let isOver = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    while (!isOver) yield* memoryPieces(1024 * 1024);
  }
  const file = settings.isFileRunning
    ? arrived(channel.send({ contentType: 'application/octet-stream', stream: endless() }))
    : undefined;
  const samples: number[] = [];
  for (let count = Math.ceil(settings.samples * share); count > 0; count--) {
    await new Promise((resolve) => setTimeout(resolve, restMilliseconds));
    const start = performance.now();
    await arrived(channel.send({ contentType: 'text/plain', bytes: text }));
    samples.push(performance.now() - start);
  }
  isOver = true;
  await file;
  samples.sort((a, b) => a - b);
  return { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) };
}

async function arrived(sending: ReturnType<MsrpChannel['send']>): Promise<void> {
  const result = await sending;
  if (result.outcome !== 'delivered') throw new Error(`a message did not arrive: ${JSON.stringify(result)}`);
}

function discard(): MessageSink {
  return { write: () => undefined, finish: () => undefined, abort: () => undefined };
}

/** Stores one file after the other, each through the target that the engine uses, and takes it away when it was checked. */
async function fileSink({ folder, sha256 }: SentFile, { octets }: Settings<'transfer'>): Promise<MessageSink> {
  const open = (): Promise<FileTarget> =>
    openFileTarget(folder, {
      key: toHex(secureRandom.bytes(8)),
      name: 'file',
      size: octets,
      continues: false,
      maxOctets: octets,
      hashes: [{ algorithm: 'sha-256', value: sha256 }],
    });
  let target = await open();
  return {
    write: (position, bytes) => target.write(position, bytes),
    finish: async () => {
      const { path, hashChecked } = await target.finish();
      if (!hashChecked) throw new Error('the hash was not checked');
      await rm(path);
      target = await open();
    },
    abort: () => void target.discard(),
  };
}
