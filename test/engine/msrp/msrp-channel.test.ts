import { describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { MsrpChannel, type MsrpChannelOptions, type OutgoingContent } from '../../../src/engine/msrp/msrp-channel.ts';
import type { MessageSink } from '../../../src/engine/msrp/sink-writer.ts';
import type { MsrpOutcome } from '../../../src/protocol/msrp/index.ts';
import { countingRandom } from '../../protocol/msrp/support.ts';
import { carry, connectionPair, type MemoryConnection } from './memory-connection.ts';

interface Ends {
  readonly clock: FakeClock;
  readonly alice: MsrpChannel;
  readonly bob: MsrpChannel;
  readonly wires: [MemoryConnection, MemoryConnection];
}

const alicePath = ['msrps://alice.example:1/a;tcp'];
const bobPath = ['msrps://bob.example:2/b;tcp'];

function ends(options: Partial<MsrpChannelOptions> = {}, security?: MemoryConnection['security']): Ends {
  const clock = new FakeClock();
  const wires = connectionPair(security);
  const common = { clock, random: countingRandom() };
  return {
    clock,
    wires,
    alice: new MsrpChannel({
      ...common,
      connection: wires[0],
      localPath: alicePath,
      remotePath: bobPath,
      active: true,
    }),
    bob: new MsrpChannel({
      ...common,
      connection: wires[1],
      localPath: bobPath,
      remotePath: alicePath,
      active: false,
      ...options,
    }),
  };
}

function texts(channel: MsrpChannel): string[] {
  const list: string[] = [];
  channel.events.on('message', ({ bytes }) => list.push(fromUtf8(bytes)));
  return list;
}

const text = (content: string): OutgoingContent => ({ contentType: 'text/plain', bytes: utf8(content) });

async function* pieces(count: number, octets: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield new Uint8Array(octets).fill(index);
}

class CollectingSink implements MessageSink {
  octets = 0;
  finished: number | undefined;
  aborted = false;
  write(position: number, bytes: Uint8Array): void | Promise<void> {
    expect(position).toBe(this.octets);
    this.octets += bytes.length;
  }
  finish(octets: number): void {
    this.finished = octets;
  }
  abort(): void {
    this.aborted = true;
  }
}

describe('an MSRP channel', () => {
  it('carries messages both ways and tells when they have arrived', async () => {
    const { alice, bob, wires } = ends();
    const sending = [
      alice.send(text('hello')),
      bob.send(text('welcome')),
      alice.send({ ...text('more'), successReport: true }),
    ];
    await carry(...wires);
    expect(await Promise.all(sending)).toEqual(sending.map(() => ({ outcome: 'delivered', status: 200 })));
    // Listening late loses nothing.
    expect(texts(bob)).toEqual(['hello', 'more']);
    expect(texts(alice)).toEqual(['welcome']);
  });

  it('sends nothing on an unproven connection before the other side has spoken', async () => {
    const { alice, bob, wires } = ends({}, 'plain');
    const answer = bob.send(text('secret'));
    expect(wires[1].queued).toBe(0);
    const received = texts(alice);
    await carry(...wires);
    expect(await answer).toMatchObject({ outcome: 'delivered' });
    expect(received).toEqual(['secret']);
  });

  it('fails what is not acknowledged in 30 s, and goes on', async () => {
    const { alice, bob, wires, clock } = ends();
    await carry(...wires);
    wires[1].pause();
    const lost = alice.send(text('lost'));
    clock.advance(30_000);
    expect(await lost).toEqual({ outcome: 'failed', status: 408, failure: 'timeout' });
    wires[1].resume();
    const received = texts(bob);
    const later = alice.send(text('later'));
    await carry(...wires);
    expect(await later).toMatchObject({ outcome: 'delivered' });
    expect(received).toEqual(['lost', 'later']);
  });

  it('fails a message in time also while another waits longer for its report', async () => {
    const { alice, wires, clock } = ends({
      openSink: () => ({ write: never, finish: never, abort: () => undefined }),
    });
    const reported = alice.send({ ...text('long'), successReport: true });
    await carry(...wires);
    clock.advance(10_000);
    wires[1].pause();
    const lost = alice.send(text('lost'));
    clock.advance(30_000);
    expect(await lost).toMatchObject({ outcome: 'failed', status: 408 });
    clock.advance(100_000);
    expect(await reported).toMatchObject({ outcome: 'failed', status: 408 });
  });

  const never = (): Promise<void> => new Promise(() => undefined);

  it('ends both sides once when one closes; what was under way has failed', async () => {
    const { alice, bob, wires } = ends();
    await carry(...wires);
    const closed: unknown[] = [];
    alice.events.on('closed', (event) => closed.push(['alice', event]));
    bob.events.on('closed', (event) => closed.push(['bob', event]));
    wires[1].pause();
    const lost = alice.send(text('lost'));
    alice.close();
    alice.close();
    expect(closed.sort()).toEqual([
      ['alice', {}],
      ['bob', {}],
    ]);
    expect(await lost).toEqual({ outcome: 'failed', status: 481, failure: 'closed' });
    expect(await alice.send(text('too late'))).toEqual({ outcome: 'failed', status: 481, failure: 'closed' });
  });

  it('says why a connection was lost', async () => {
    const { alice, wires } = ends();
    const closed: unknown[] = [];
    alice.events.on('closed', ({ error }) => closed.push(error?.message));
    const lost = alice.send(text('lost'));
    wires[0].lose(new Error('read ECONNRESET'));
    expect(await lost).toMatchObject({ outcome: 'failed', failure: 'connection-lost' });
    expect(closed).toEqual([expect.stringContaining('msrp.connection: connection lost: read ECONNRESET')]);
  });

  it('answers a broken frame, then ends with field and offset', async () => {
    const { bob, wires } = ends();
    await carry(...wires);
    const closed: unknown[] = [];
    bob.events.on('closed', ({ error }) => closed.push(error?.field));
    wires[0].write(utf8('MSRP abcd1234 SEND\r\nnonsense\r\n'));
    wires[0].carryOne();
    expect(closed).toEqual(['msrp.header']);
    expect(fromUtf8(wires[1].written.at(-1)!)).toMatch(/^MSRP abcd1234 400 /);
  });

  it('streams a long message without holding it, at the pace of the slower side', async () => {
    const sink = new CollectingSink();
    const releases: (() => void)[] = [];
    const write = sink.write.bind(sink);
    sink.write = (position, bytes) => {
      void write(position, bytes);
      return new Promise((resolve) => releases.push(resolve));
    };
    const { alice, wires } = ends({ openSink: () => sink });
    let produced = 0;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces(200, 50_000)) {
        produced += piece.length;
        yield piece;
      }
    };
    const sending = alice.send({ contentType: 'image/png', stream: source(), octets: 10_000_000 });
    await carry(...wires);
    // The sink keeps the first piece: the connection, its buffer and a few blocks are full, all else waits.
    expect(wires[1].isPaused).toBe(true);
    expect(produced).toBeLessThan(1_200_000);
    while (sink.finished === undefined) {
      releases.shift()?.();
      await carry(...wires);
    }
    expect(await sending).toMatchObject({ outcome: 'delivered' });
    expect([sink.octets, sink.finished]).toEqual([10_000_000, 10_000_000]);
  });

  it.each([0, 1, 100, 65_536, 65_537, 200_000])('streams %i octets of unknown length', async (octets) => {
    const sink = new CollectingSink();
    const { alice, wires } = ends({ openSink: () => sink });
    const stream = pieces(octets === 0 ? 0 : 1, octets);
    const sending = alice.send({ contentType: 'a/b', stream, successReport: true });
    await carry(...wires);
    expect(await sending).toMatchObject({ outcome: 'delivered' });
    expect(sink.finished).toBe(octets);
  });

  it.each<[string, () => AsyncIterable<Uint8Array>, number]>([
    ['is shorter than said', () => pieces(3, 100_000), 400_000],
    ['is longer than said', () => pieces(3, 100_000), 200_000],
    ['fails', failing, 300_000],
  ])('gives a message up whose stream %s', async (_, stream, octets) => {
    const sink = new CollectingSink();
    const { alice, wires } = ends({ openSink: () => sink });
    const sending = alice.send({ contentType: 'a/b', stream: stream(), octets });
    await carry(...wires);
    expect(await sending).toMatchObject({ outcome: 'failed', failure: 'cancelled' });
    expect([sink.finished, sink.aborted]).toEqual([undefined, true]);
    const next = alice.send({ contentType: 'a/b', stream: pieces(1, 10) });
    sink.octets = 0;
    await carry(...wires);
    expect(await next).toMatchObject({ outcome: 'delivered' });
  });

  async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(200_000);
    await Promise.resolve();
    throw new Error('disk gone');
  }

  it('refuses a message whose sink fails, at any point', async () => {
    for (const broken of ['write', 'finish'] as const) {
      const sink = new CollectingSink();
      sink[broken] = () => Promise.reject(new Error('disk full'));
      const { alice, wires } = ends({ openSink: () => sink });
      const sending = alice.send({ contentType: 'a/b', stream: pieces(8, 65_536), successReport: true });
      await carry(...wires);
      expect(await sending).toMatchObject({ outcome: 'failed', status: 413, failure: 'rejected' });
      expect(sink.aborted).toBe(true);
      expect(wires[1].isPaused).toBe(false);
    }
  });

  it('refuses by type, by size and by its owner', async () => {
    const { alice, wires } = ends({
      acceptTypes: ['text/plain'],
      maxMessageOctets: 1000,
      openSink: ({ total }) => (total === 3 ? 403 : undefined),
    });
    const sending = [
      alice.send({ contentType: 'image/png', bytes: new Uint8Array(1) }),
      alice.send(text('x'.repeat(1001))),
      alice.send(text('abc')),
      alice.send(text('fine')),
    ];
    await carry(...wires);
    expect((await Promise.all(sending)).map((outcome: MsrpOutcome) => 'status' in outcome && outcome.status)).toEqual([
      415, 413, 403, 200,
    ]);
  });

  it('refuses impossible messages without harm to possible ones', async () => {
    const { alice, bob, wires } = ends();
    const good = alice.send({ ...text('good'), messageId: 'same' });
    await expect(alice.send({ ...text('bad'), messageId: 'same' })).rejects.toThrow(/already being sent/);
    await expect(alice.send({ ...text('bad'), messageId: 'a b' })).rejects.toThrow(/Message-ID/);
    await expect(alice.send({ ...text('bad'), contentType: 'a/b\r\nX: y' })).rejects.toThrow(/control character/);
    const received = texts(bob);
    await carry(...wires);
    expect(await good).toMatchObject({ outcome: 'delivered' });
    expect(received).toEqual(['good']);
  });
});
