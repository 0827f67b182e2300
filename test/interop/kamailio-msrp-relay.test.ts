import { afterEach, describe, expect, it } from 'vitest';
import { utf8, fromUtf8 } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { sha256 } from '../../src/crypto/digest.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { limits } from '../../src/engine/limits.ts';
import { MsrpChannel } from '../../src/engine/msrp/msrp-channel.ts';
import { RelayClient, type RelayClientOptions, type RelayPlace } from '../../src/engine/msrp/relay-client.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import {
  startKamailioRelay,
  lackOfKamailioRelay,
  type KamailioRelay,
  type KamailioRelayOptions,
} from './support/kamailio.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfKamailioRelay();

const users = { alice: 'alicesword', bob: 'bobsword' };
const patience = 30_000;
const toStop: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function start(options: Partial<KamailioRelayOptions> = {}): Promise<KamailioRelay> {
  const relay = await startKamailioRelay({
    users,
    algorithm: 'SHA-256',
    minExpires: 60,
    maxExpires: 3_600,
    keepsUri: true,
    ...options,
  });
  toStop.push(() => relay.stop());
  return relay;
}

async function client(
  relay: KamailioRelay,
  username: keyof typeof users,
  more: Partial<RelayClientOptions> & { readonly password?: string } = {},
): Promise<RelayClient> {
  const { password = users[username], ...rest } = more;
  const made = new RelayClient({
    ports: { clock: systemClock, random: secureRandom, log: silentLogger, msrp: await createNodeMsrpSockets() },
    relays: [relay.uri],
    user: { username, password: new SecretBytes(utf8(password)) },
    trustedCa: relay.caPem,
    ...rest,
  });
  toStop.push(() => made.close());
  return made;
}

interface End {
  readonly channel: MsrpChannel;
  readonly texts: string[];
  readonly hashes: Uint8Array[];
}

function open(place: RelayPlace, far: RelayPlace, active: boolean): End {
  const texts: string[] = [];
  const hashes: Uint8Array[] = [];
  const channel = new MsrpChannel({
    connection: place.seat,
    clock: systemClock,
    random: secureRandom,
    localPath: place.path,
    remotePath: [...place.usePath, ...far.path],
    active,
    chunkOctets: limits.relayChunkOctets,
    maxMessageOctets: 16 * 1024 * 1024,
  });
  channel.events.on('message', ({ contentType, bytes }) => {
    if (contentType === 'text/plain') texts.push(fromUtf8(bytes));
    else hashes.push(sha256(bytes));
  });
  toStop.push(() => channel.close());
  return { channel, texts, hashes };
}

/** Two sessions' ends at one relay, each with a place of its own. */
async function pair(alice: RelayClient, bob: RelayClient): Promise<{ near: End; far: End; places: RelayPlace[] }> {
  const places = await Promise.all([alice.place(), bob.place()]);
  const [one, other] = places;
  return { near: open(one, other, true), far: open(other, one, false), places };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + patience;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`did not happen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function converse({ near, far }: { near: End; far: End }, words: string): Promise<void> {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    const bytes = utf8(words);
    expect(await from.channel.send({ contentType: 'text/plain', bytes, successReport: true })).toEqual({
      outcome: 'delivered',
      status: 200,
    });
    await until(() => to.texts.at(-1) === words, words);
  }
}

describe('Kamailio as MSRP relay', { timeout: 120_000, ...needing(lack) }, () => {
  it.each(['MD5', 'SHA-256'] as const)('AUTH with %s, then messages both ways, reported', async (algorithm) => {
    const relay = await start({ algorithm });
    const both = await pair(await client(relay, 'alice'), await client(relay, 'bob'));
    await converse(both, 'through the relay');
    for (const { usePath, path } of both.places) {
      expect(usePath).toHaveLength(1);
      expect(path).toHaveLength(2);
      expect(path[0]).toBe(usePath[0]);
    }
    expect(relay.granted()).toBe(2);
  });

  it('a file of some MiB, while messages go the other way and between', async () => {
    const relay = await start();
    const both = await pair(await client(relay, 'alice'), await client(relay, 'bob'));
    const bytes = secureRandom.bytes(5_000_000);
    const sent = both.near.channel.send({ contentType: 'application/octet-stream', bytes, successReport: true });
    await converse(both, 'while it runs');
    expect(await sent).toEqual({ outcome: 'delivered', status: 200 });
    await until(() => both.far.hashes.length > 0, 'the file');
    expect(both.far.hashes).toEqual([sha256(bytes)]);
  });

  it('several sessions of one account share one connection, each with a URI of its own', async () => {
    const relay = await start();
    const [alice, bob] = [await client(relay, 'alice'), await client(relay, 'bob')];
    const pairs = [await pair(alice, bob), await pair(alice, bob), await pair(alice, bob)];
    await Promise.all(pairs.map((each, index) => converse(each, `session ${index}`)));
    const uris = pairs.flatMap(({ places }) => places.map(({ usePath }) => usePath[0]));
    expect(new Set(uris).size).toBe(6);
    const seats = pairs.map(({ places }) => places[0]?.seat.connection.local.port);
    expect(new Set(seats).size).toBe(1);
  });

  it('a wrong password gets no URI', async () => {
    const relay = await start();
    const mallory = await client(relay, 'alice', { password: 'guessed' });
    await expect(mallory.place()).rejects.toMatchObject({ code: 'relay-refused' });
    expect(relay.granted()).toBe(0);
  });

  it('with a certificate of somebody who is not trusted it gets no AUTH', async () => {
    const relay = await start();
    const { certificatePem } = await createCertificateAuthority({ commonName: 'somebody else', now: Date.now() });
    const alice = await client(relay, 'alice', { trustedCa: certificatePem });
    await expect(alice.place()).rejects.toMatchObject({ code: 'tls-failed' });
    expect(relay.granted()).toBe(0);
  });

  it('lifetimes out of its bounds are corrected; a short one is renewed, and the session outlives it', async () => {
    const relay = await start({ minExpires: 4, maxExpires: 8 });
    const alice = await client(relay, 'alice', { expires: 1 });
    const bob = await client(relay, 'bob', { expires: 900 });
    const both = await pair(alice, bob);
    const ends: string[] = [];
    for (const place of both.places) place.onChanged(({ change }) => ends.push(change));
    await converse(both, 'before');
    await until(() => relay.granted() >= 5, 'both ask again');
    await converse(both, 'after');
    expect(ends).toEqual([]);
  });

  it('where it gives a new URI instead, that is told', async () => {
    const relay = await start({ minExpires: 2, maxExpires: 8, keepsUri: false });
    const place = await (await client(relay, 'alice', { expires: 4 })).place();
    const ends: string[] = [];
    place.onChanged(({ change }) => ends.push(change));
    await until(() => ends.length > 0, 'the change is told');
    expect(ends[0]).toBe('moved');
    place.seat.close();
  });
});
