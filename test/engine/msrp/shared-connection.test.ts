import { describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { MsrpChannel, type OutgoingContent } from '../../../src/engine/msrp/msrp-channel.ts';
import { MsrpLinkDriver } from '../../../src/engine/msrp/msrp-link-driver.ts';
import { countingRandom } from '../../protocol/msrp/support.ts';
import { carry, connectionPair, type MemoryConnection } from './memory-connection.ts';

const uriOf = (who: string, session: string): string => `msrps://${who}.example:2855/${session}-${who};tcp`;
const text = (content: string): OutgoingContent => ({ contentType: 'text/plain', bytes: utf8(content) });

interface Shared {
  readonly clock: FakeClock;
  readonly wires: [MemoryConnection, MemoryConnection];
  readonly near: MsrpLinkDriver;
  readonly far: MsrpLinkDriver;
  open(session: string): { readonly alice: MsrpChannel; readonly bob: MsrpChannel };
}

function shared(): Shared {
  const clock = new FakeClock();
  const wires = connectionPair();
  const near = new MsrpLinkDriver({ connection: wires[0], clock });
  const far = new MsrpLinkDriver({ connection: wires[1], clock });
  const random = countingRandom();
  const channel = (link: MsrpLinkDriver, who: string, peer: string, session: string, active: boolean): MsrpChannel =>
    new MsrpChannel({
      connection: link,
      clock,
      random,
      localPath: [uriOf(who, session)],
      remotePath: [uriOf(peer, session)],
      active,
    });
  return {
    clock,
    wires,
    near,
    far,
    open: (session) => ({
      bob: channel(far, 'bob', 'alice', session, false),
      alice: channel(near, 'alice', 'bob', session, true),
    }),
  };
}

function texts(channel: MsrpChannel): string[] {
  const list: string[] = [];
  channel.events.on('message', ({ bytes }) => list.push(fromUtf8(bytes)));
  return list;
}

describe('a shared MSRP connection', () => {
  it('carries the messages of each session to its own end', async () => {
    const { open, wires } = shared();
    const sessions = ['one', 'two', 'three'].map((name) => ({ name, ...open(name) }));
    const heard = sessions.map(({ bob }) => texts(bob));
    const sending = sessions.map(({ alice, name }) => alice.send({ ...text(`in ${name}`), successReport: true }));
    await carry(...wires);
    expect((await Promise.all(sending)).map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(heard).toEqual([['in one'], ['in two'], ['in three']]);
  });

  it('goes on for the others when one session ends, and closes with the last', async () => {
    const { open, wires, near, far } = shared();
    const one = open('one');
    const two = open('two');
    const heard = texts(two.bob);
    await carry(...wires);
    one.alice.close();
    expect(near.isClosed).toBe(false);
    const sending = two.alice.send(text('still here'));
    await carry(...wires);
    expect((await sending).outcome).toBe('delivered');
    expect(heard).toEqual(['still here']);
    two.alice.close();
    expect(near.isClosed).toBe(true);
    await carry(...wires);
    expect(far.isClosed).toBe(true);
    expect(two.bob.closed).toBe(true);
  });

  it('ends every session when the connection is lost', async () => {
    const { open, wires } = shared();
    const sessions = [open('one'), open('two')];
    await carry(...wires);
    const sending = sessions.map(({ alice }) => alice.send(text('lost')));
    wires[0].queue.length = 0;
    wires[0].lose(new Error('cable cut'));
    const outcomes = await Promise.all(sending);
    expect(outcomes.map((outcome) => outcome.outcome === 'failed' && outcome.failure)).toEqual([
      'connection-lost',
      'connection-lost',
    ]);
    expect(sessions.every(({ alice, bob }) => alice.closed && bob.closed)).toBe(true);
  });

  it('ends every session on octets that are no MSRP, after an answer', async () => {
    const { open, wires } = shared();
    const sessions = [open('one'), open('two')];
    await carry(...wires);
    wires[0].write(utf8('MSRP tid1 SEND\r\nTo-Path: nonsense\r\n'));
    await carry(...wires);
    expect(sessions.every(({ bob }) => bob.closed)).toBe(true);
    expect(wires[1].written.map((bytes) => fromUtf8(bytes)).join('')).toContain('MSRP tid1 400 Bad Request');
  });

  it('reads nothing for anybody while the taker of one session needs time', async () => {
    const { open, wires, far } = shared();
    open('one');
    await carry(...wires);
    far.setPause('somebody', true);
    far.setPause('somebody else', true);
    expect(wires[1].isPaused).toBe(true);
    far.setPause('somebody', false);
    expect(wires[1].isPaused).toBe(true);
    far.setPause('somebody else', false);
    expect(wires[1].isPaused).toBe(false);
  });

  it('takes in a session that waited for whoever speaks to it', async () => {
    const clock = new FakeClock();
    const wires = connectionPair();
    const random = countingRandom();
    const common = { clock, random };
    let heard: string[] = [];
    new MsrpLinkDriver({
      connection: wires[1],
      clock,
      claim: (toPath, link) => {
        if (toPath !== uriOf('bob', 'one')) return undefined;
        const bob = new MsrpChannel({
          ...common,
          connection: link,
          localPath: [toPath],
          remotePath: [uriOf('alice', 'one')],
          active: false,
        });
        heard = texts(bob);
        return bob;
      },
    });
    const alice = new MsrpChannel({
      ...common,
      connection: wires[0],
      localPath: [uriOf('alice', 'one')],
      remotePath: [uriOf('bob', 'one')],
      active: true,
    });
    const sending = alice.send(text('knock'));
    await carry(...wires);
    expect((await sending).outcome).toBe('delivered');
    expect(heard).toEqual(['knock']);
  });
});
