import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { MsrpChannel, type MsrpChannelOptions } from '../../../src/engine/msrp/msrp-channel.ts';
import { carry, connectionPair } from './memory-connection.ts';

const alicePath = ['msrps://alice.example:7394/alice-session;tcp'];
const bobPath = ['msrps://bob.example:8888/bob-session;tcp'];

function ends(bobOptions: Partial<MsrpChannelOptions> = {}) {
  const wires = connectionPair();
  const common = { clock: new FakeClock(1_000_000), random: secureRandom };
  const alice = new MsrpChannel({
    ...common,
    connection: wires[0],
    localPath: alicePath,
    remotePath: bobPath,
    active: true,
  });
  const bob = new MsrpChannel({
    ...common,
    connection: wires[1],
    localPath: bobPath,
    remotePath: alicePath,
    active: false,
    ...bobOptions,
  });
  return { alice, bob, wires };
}

/** Octets that are made only when they are asked for, and counted. */
class CountedSource {
  made = 0;
  async *stream(pieces: number, octets: number): AsyncGenerator<Uint8Array> {
    for (let count = 0; count < pieces; count++) {
      await Promise.resolve();
      this.made += octets;
      yield new Uint8Array(octets);
    }
  }
}

/** What may lie between a source and the far end's sink: the connection's own room, a chunk over it, the blocks read ahead. */
const between = 256 * 1024 + 6 * 64 * 1024;

describe('a reader that does not read', () => {
  it('stops the writer: only what the connection holds is made, whatever the length of the message', async () => {
    const { alice, wires } = ends();
    const source = new CountedSource();
    wires[1].isPaused = true;
    const sending = alice.send({ contentType: 'a/b', stream: source.stream(10_000, 50_000), octets: 500_000_000 });
    for (let round = 0; round < 20; round++) await carry(...wires);
    expect(source.made).toBeLessThanOrEqual(between);
    expect(wires[0].queued).toBeLessThanOrEqual(256 * 1024 + 2 * 64 * 1024);
    alice.close();
    expect(await sending).toMatchObject({ outcome: 'failed', failure: 'closed' });
  });

  it('stops every message of the session, not only the longest', async () => {
    const { alice, wires } = ends();
    wires[1].isPaused = true;
    const sources = Array.from({ length: 10 }, () => new CountedSource());
    const sending = sources.map((source) => alice.send({ contentType: 'a/b', stream: source.stream(1000, 50_000) }));
    for (let round = 0; round < 20; round++) await carry(...wires);
    expect(sources.reduce((made, source) => made + source.made, 0)).toBeLessThanOrEqual(between + 10 * 6 * 64 * 1024);
    expect(wires[0].queued).toBeLessThanOrEqual(256 * 1024 + 2 * 64 * 1024);
    alice.close();
    await Promise.all(sending);
  });

  it('goes on where it stopped, and all arrives', async () => {
    let received = 0;
    const sink = {
      write: (_: number, bytes: Uint8Array): void => void (received += bytes.length),
      finish: (): void => undefined,
      abort: (): void => undefined,
    };
    const { alice, wires } = ends({ openSink: () => sink });
    const source = new CountedSource();
    const sending = alice.send({ contentType: 'a/b', stream: source.stream(100, 50_000), octets: 5_000_000 });
    for (let round = 0; round < 40; round++) {
      wires[1].isPaused = round % 2 === 0;
      await carry(...wires);
      expect(source.made - received).toBeLessThanOrEqual(between);
    }
    wires[1].isPaused = false;
    await carry(...wires);
    expect(await sending).toMatchObject({ outcome: 'delivered' });
    expect(received).toBe(5_000_000);
  });
});

describe('a taker that needs time', () => {
  it('stops the reading: at most what was read at once waits for it', async () => {
    const releases: (() => void)[] = [];
    let taken = 0;
    const { alice, wires } = ends({
      openSink: () => ({
        write: (_, bytes) => {
          taken += bytes.length;
          return new Promise((resolve) => releases.push(resolve));
        },
        finish: () => undefined,
        abort: () => undefined,
      }),
    });
    const source = new CountedSource();
    const sending = alice.send({ contentType: 'a/b', stream: source.stream(40, 50_000), octets: 2_000_000 });
    let rounds = 0;
    await carry(...wires);
    while (taken < 2_000_000) {
      expect(source.made - taken).toBeLessThanOrEqual(between);
      expect(wires[1].isPaused || taken === 2_000_000).toBe(true);
      // One write at a time: the next comes when this one is done.
      expect(releases.length).toBe(1);
      releases.shift()?.();
      await carry(...wires);
      rounds++;
    }
    releases.shift()?.();
    await carry(...wires);
    expect(await sending).toMatchObject({ outcome: 'delivered' });
    expect(rounds).toBeGreaterThan(10);
  });
});

describe('a peer that sends but does not read', () => {
  it('is not read any more once its answers wait: they and our memory stay few', async () => {
    const { bob, wires } = ends();
    const peer = wires[0];
    await carry(...wires);
    // From here on the peer takes nothing, and the connection to it holds next to nothing.
    peer.isPaused = true;
    wires[1].room = 1000;
    const head = `To-Path: ${bobPath[0]}\r\nFrom-Path: ${alicePath[0]}\r\n`;
    const before = wires[1].written.length;
    for (let count = 0; count < 20_000; count++) {
      peer.write(utf8(`MSRP tid${count} SEND\r\n${head}Message-ID: msg-${count}\r\n-------tid${count}$\r\n`));
    }
    for (let round = 0; round < 3; round++) await carry(...wires);
    expect(wires[1].isPaused).toBe(true);
    const readSoFar = 20_000 - peer.queue.length;
    expect(readSoFar).toBeLessThan(400);
    expect(wires[1].written.length - before).toBeLessThan(20);
    // It reads again: everything is answered in the end.
    peer.isPaused = false;
    while (peer.queue.length > 0 || wires[1].queue.length > 0) await carry(...wires);
    expect(wires[1].written.length - before).toBe(20_000);
    expect(bob.closed).toBe(false);
  });
});
