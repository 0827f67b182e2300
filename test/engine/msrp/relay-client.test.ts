import { beforeEach, describe, expect, it, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { MsrpChannel } from '../../../src/engine/msrp/msrp-channel.ts';
import { RelayClient, type RelayChange, type RelayPlace } from '../../../src/engine/msrp/relay-client.ts';
import type { MsrpConnection } from '../../../src/engine/ports.ts';
import { RelayCore, type RelayCoreOptions } from '../../../src/lab/relay/relay-core.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { carry, MemoryConnection } from './memory-connection.ts';

let clock: FakeClock;
let connections: MemoryConnection[];

/** A connection that claims TLS, as a relay's does. */
class RelayConnection extends MemoryConnection {
  override readonly tls = { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' } as never;

  constructor() {
    super('relay');
  }
}

beforeEach(() => {
  clock = new FakeClock();
  connections = [];
});

function relay(options: Partial<RelayCoreOptions> = {}): RelayCore {
  return new RelayCore({
    users: { alice: 'word', bob: 'word' },
    realm: 'lab.test',
    algorithm: 'SHA-256',
    uriParameter: 'taken',
    renewal: 'same',
    minExpires: 1,
    maxExpires: 100,
    clock,
    random: seededRandom('relay'),
    authority: () => 'relay.example:2855',
    dial: () => Promise.reject(new Error('nobody else is here')),
    ...options,
  });
}

function client(core: RelayCore, username: string, password = 'word'): RelayClient {
  const connect = (): Promise<MsrpConnection> => {
    const [near, far] = [new RelayConnection(), new MemoryConnection('relay')];
    [near.peer, far.peer] = [far, near];
    connections.push(near, far);
    const read = core.reader({ write: (bytes) => void far.write(bytes), close: () => far.lose() });
    far.onData(read);
    far.onClose(() => read(undefined));
    return Promise.resolve(near);
  };
  return new RelayClient({
    ports: {
      clock,
      random: seededRandom(username),
      log: silentLogger,
      msrp: {
        canDoPskTls: true,
        connect,
        dial: () => Promise.reject(new Error('not used')),
        listen: () => Promise.reject(new Error('not used')),
      },
    },
    relays: ['msrps://relay.example:2855;tcp'],
    user: { username, password: new SecretBytes(utf8(password)) },
  });
}

async function settled<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  for (let turn = 0; turn < 50 && !isOver; turn++) await carry(...connections);
  await over;
  return work;
}

const placeOf = (from: RelayClient): Promise<RelayPlace> => settled(from.place());

function open(place: RelayPlace, far: RelayPlace, active: boolean): { channel: MsrpChannel; texts: string[] } {
  const texts: string[] = [];
  const channel = new MsrpChannel({
    connection: place.seat,
    clock,
    random: seededRandom(place.localUri),
    localPath: place.path,
    remotePath: [...place.usePath, ...far.path],
    active,
  });
  channel.events.on('message', ({ bytes }) => texts.push(fromUtf8(bytes)));
  return { channel, texts };
}

const text = (words: string) => ({ contentType: 'text/plain', bytes: utf8(words), successReport: true });

describe('a relay of the account', () => {
  it('carries sessions both ways on one connection for each account', async () => {
    const core = relay();
    const [alice, bob] = [client(core, 'alice'), client(core, 'bob')];
    for (const round of ['one', 'two']) {
      const [hers, his] = [await placeOf(alice), await placeOf(bob)];
      const [near, far] = [open(hers, his, true), open(his, hers, false)];
      expect(await settled(near.channel.send(text(`there ${round}`)))).toMatchObject({ outcome: 'delivered' });
      expect(await settled(far.channel.send(text(`back ${round}`)))).toMatchObject({ outcome: 'delivered' });
      expect([near.texts, far.texts]).toEqual([[`back ${round}`], [`there ${round}`]]);
    }
    expect(connections).toHaveLength(4);
    expect(core.granted).toBe(4);
  });

  it('holds what comes for a session that is not there yet', async () => {
    const core = relay();
    const [alice, bob] = [client(core, 'alice'), client(core, 'bob')];
    const [hers, his] = [await placeOf(alice), await placeOf(bob)];
    const near = open(hers, his, true);
    const sent = near.channel.send(text('early'));
    await carry(...connections);
    const far = open(his, hers, false);
    expect(await settled(sent)).toMatchObject({ outcome: 'delivered' });
    expect(far.texts).toEqual(['early']);
  });

  it('keeps its connection for an hour after the last session', async () => {
    const core = relay();
    const alice = client(core, 'alice');
    (await placeOf(alice)).seat.close();
    clock.advance(30 * 60_000);
    (await placeOf(alice)).seat.close();
    expect(connections).toHaveLength(2);
    clock.advance(60 * 60_000);
    await placeOf(alice);
    expect(connections).toHaveLength(4);
    alice.close();
  });

  it('leaves no timer behind', async () => {
    const alice = client(relay(), 'alice');
    const place = await placeOf(alice);
    place.seat.close();
    alice.close();
    await carry(...connections);
    expect(clock.waiting).toBe(0);
  });

  it('renews its URI and says nothing of it', async () => {
    const core = relay({ maxExpires: 100 });
    const alice = client(core, 'alice');
    const place = await placeOf(alice);
    const changes: RelayChange[] = [];
    place.onChanged((change) => changes.push(change));
    for (let turn = 0; turn < 3; turn++) {
      clock.advance(80_000);
      await carry(...connections);
    }
    expect(core.granted).toBe(4);
    expect(changes).toEqual([]);
    place.seat.close();
    alice.close();
  });

  it('tells when the URI moved, and when the old one ends', async () => {
    const start = clock.now();
    const alice = client(relay({ renewal: 'new' }), 'alice');
    const place = await placeOf(alice);
    clock.advance(80_000);
    await carry(...connections);
    const changes: RelayChange[] = [];
    place.onChanged((change) => changes.push(change));
    expect(changes).toMatchObject([{ change: 'moved', endsAt: start + 100_000 }]);
  });

  it('tells when it is renewed no more', async () => {
    const start = clock.now();
    const alice = client(relay(), 'alice');
    const place = await placeOf(alice);
    const changes: RelayChange[] = [];
    place.onChanged((change) => changes.push(change));
    // Nothing is carried any more: the relay is silent.
    clock.advance(130_000);
    expect(changes).toMatchObject([{ change: 'ends', endsAt: start + 100_000, error: { kind: 'expired' } }]);
  });

  it('tells its sessions when the connection is lost, and makes another for the next', async () => {
    const core = relay();
    const [alice, bob] = [client(core, 'alice'), client(core, 'bob')];
    const [hers, his] = [await placeOf(alice), await placeOf(bob)];
    const near = open(hers, his, true);
    const closed = new Promise((resolve) => near.channel.events.on('closed', resolve));
    connections[0]?.lose(new Error('cut'));
    expect(await closed).toMatchObject({ error: { kind: 'peer-misbehaved' } });
    await placeOf(alice);
    expect(connections).toHaveLength(6);
  });

  test.each([
    ['a wrong password', 'guess', 'relay-refused'],
    ['a right one', 'word', undefined],
  ] as const)('with %s', async (_name, password, code) => {
    const work = placeOf(client(relay(), 'alice', password));
    if (code === undefined) expect((await work).usePath).toHaveLength(1);
    else await expect(work).rejects.toMatchObject({ code });
  });

  it('is not asked where it could not be reached by TLS', () => {
    expect(
      () =>
        new RelayClient({
          ports: { clock, random: seededRandom(), log: silentLogger, msrp: undefined as never },
          relays: ['msrp://relay.example:2855;tcp'],
          user: { username: 'alice', password: new SecretBytes(utf8('word')) },
        }),
    ).toThrow(/msrps|TLS/);
  });
});
