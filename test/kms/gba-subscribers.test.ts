import { beforeEach, describe, expect, it } from 'vitest';

import { toBase64, utf8 } from '../../src/base/bytes.ts';
import { FakeClock } from '../../src/base/clock.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createDirectory, type SubscriberSource } from '../../src/kms/directory.ts';
import { createGbaSubscribers, type GbaLimits } from '../../src/kms/gba-subscribers.ts';
import { KeyEncryptionKey } from '../../src/kms/key-encryption-key.ts';
import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import type { NafKey } from '../../src/kms/naf-keys.ts';
import { seedUsers } from '../../src/kms/users.ts';
import { bytesIdentity, uriIdentity } from '../../src/protocol/mikey/index.ts';
import { seededRandom } from '../support/seeded-random.ts';

const random = seededRandom('gba subscribers');
const lifetime = 3600_000;
const newBtid = () => `${toBase64(random.bytes(16))}@bsf.lab.test`;
const pskId = (btid: string) => bytesIdentity(utf8(btid));
const uri = (name: string) => uriIdentity(`sip:${name}@lab.test`);

let clock: FakeClock;
let bootstrapped: Map<string, NafKey>;
let asked: string[];
let isAway: boolean;
let gate: Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  bootstrapped = new Map();
  asked = [];
  isAway = false;
  gate = Promise.resolve();
});

function source(limits: Partial<GbaLimits> = {}): SubscriberSource {
  return createGbaSubscribers({
    clock,
    log: silentLogger,
    limits,
    source: {
      bsfDomain: 'bsf.lab.test',
      async ask(btid) {
        asked.push(btid);
        await gate;
        if (isAway) throw new ProtocolError('peer-misbehaved', 'no answer', { field: 'zn.connection' });
        const known = bootstrapped.get(btid);
        return known && { ...known, key: known.key.use((octets) => new SecretBytes(octets)) };
      },
    },
  });
}

function bootstrap(identities: readonly string[], changes: Partial<NafKey> = {}): string {
  const btid = newBtid();
  bootstrapped.set(btid, {
    privateIdentity: 'alice@lab.test',
    identities,
    key: new SecretBytes(random.bytes(32)),
    bootstrappedAt: clock.now(),
    validUntil: clock.now() + lifetime,
    ...changes,
  });
  return btid;
}

const find = async (subscribers: SubscriberSource, btid: string) =>
  subscribers.findSubscriber(pskId(btid), uri('whoever'));

describe('a subscriber by B-TID', () => {
  it('owns the public identities that the BSF names, whatever their form, and has Ks_NAF for key', async () => {
    const btid = bootstrap(['sips:Alice@LAB.test:5061;user=phone', 'tel:+1-555-0100', 'nonsense']);
    const found = (await find(source(), btid))!;
    expect(found.name).toBe('sip:Alice@lab.test');
    expect(found.owns(uriIdentity('tel:+15550100'))).toBe(true);
    expect(found.owns(uri('bob'))).toBe(false);
    const stored = bootstrapped.get(btid)!.key.use(toBase64);
    expect(found.psk.use(toBase64)).toBe(stored);
  });

  it('is asked for once and kept until the key ends, not longer', async () => {
    const subscribers = source();
    const btid = bootstrap(['sip:alice@lab.test']);
    const first = (await find(subscribers, btid))!;
    clock.advance(lifetime - 1);
    expect(await find(subscribers, btid)).toBeDefined();
    clock.advance(1);
    expect(await find(subscribers, btid)).toBeUndefined();
    // The end of what is kept takes nothing away from an exchange that began before it.
    expect(first.psk.length).toBe(32);
    expect(asked).toEqual([btid]);
  });

  it('is asked for once by all who come at the same time', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const subscribers = source();
    const btid = bootstrap(['sip:alice@lab.test']);
    const all = Promise.all([find(subscribers, btid), find(subscribers, btid), find(subscribers, btid)]);
    open();
    expect((await all).every((one) => one !== undefined)).toBe(true);
    expect(asked).toEqual([btid]);
  });

  it.each([
    ['no B-TID', 'alice-key'],
    ['of another BSF', `${toBase64(new Uint8Array(16))}@bsf.evil.test`],
    ['without its host', `${toBase64(new Uint8Array(16))}@`],
    ['that is no base64', '****@bsf.lab.test'],
  ])('is not asked for by a name that is %s', async (_, name) => {
    expect(await find(source(), name)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('is asked for by nothing but a byte string', async () => {
    const btid = bootstrap(['sip:alice@lab.test']);
    const subscribers = source();
    expect(await subscribers.findSubscriber(uriIdentity(btid), undefined)).toBeUndefined();
    expect(await subscribers.findSubscriber(undefined, uri('alice'))).toBeUndefined();
    expect(await subscribers.findSubscriber(bytesIdentity(Uint8Array.of(0xff)), undefined)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it.each<[string, Partial<NafKey> & { identities: readonly string[] }]>([
    ['a key that has ended', { identities: ['sip:alice@lab.test'], validUntil: 0 }],
    ['nobody whom a ticket could name', { identities: ['nonsense'] }],
  ])('is unknown when the BSF tells of %s', async (_, { identities, ...changes }) => {
    expect(await find(source(), bootstrap(identities, changes))).toBeUndefined();
  });
});

describe('questions to the BSF', () => {
  it('are not repeated for a B-TID that it does not know, for a while', async () => {
    const subscribers = source();
    const btid = newBtid();
    for (let round = 0; round < 5; round++) expect(await find(subscribers, btid)).toBeUndefined();
    expect(asked).toHaveLength(1);
    clock.advance(60_000);
    expect(await find(subscribers, btid)).toBeUndefined();
    expect(asked).toHaveLength(2);
  });

  it('are bounded: a flood of invented B-TIDs reaches it only so fast, and whoever is known is served meanwhile', async () => {
    const subscribers = source({ questionsAtOnce: 10, questionsPerSecond: 2 });
    const known = bootstrap(['sip:alice@lab.test']);
    await find(subscribers, known);
    const flood = await Promise.allSettled(Array.from({ length: 100 }, () => find(subscribers, newBtid())));
    expect(asked).toHaveLength(10);
    const rejected = flood.filter(({ status }) => status === 'rejected');
    expect(rejected).toHaveLength(91);
    expect(rejected[0]).toMatchObject({ reason: { name: 'KmsStorageError' } });
    expect(await find(subscribers, known)).toBeDefined();
    clock.advance(1_000);
    await Promise.allSettled(Array.from({ length: 100 }, () => find(subscribers, newBtid())));
    expect(asked).toHaveLength(12);
  });

  it('that get no answer are neither a yes nor a no, and are asked again', async () => {
    const subscribers = source();
    const btid = bootstrap(['sip:alice@lab.test']);
    isAway = true;
    await expect(find(subscribers, btid)).rejects.toMatchObject({ name: 'KmsStorageError' });
    isAway = false;
    expect(await find(subscribers, btid)).toBeDefined();
  });

  it('are remembered in bounded memory', async () => {
    const subscribers = source({ cachedKeys: 2, cachedUnknown: 2 });
    const btids = [1, 2, 3].map(() => bootstrap(['sip:alice@lab.test']));
    const unknown = [1, 2, 3].map(newBtid);
    for (const btid of [...btids, ...unknown]) await find(subscribers, btid);
    asked.length = 0;
    for (const btid of [...btids.slice(1), ...unknown.slice(1)]) await find(subscribers, btid);
    expect(asked).toEqual([]);
    await find(subscribers, btids[0]!);
    await find(subscribers, unknown[0]!);
    expect(asked).toEqual([btids[0], unknown[0]]);
  });
});

describe('rights at the KMS', () => {
  const user = (identities: readonly string[], mayRequest = true) => ({
    identities,
    pskId: `${identities[0]}-key`,
    psk: new SecretBytes(new Uint8Array(32)),
    mayRequest,
  });

  async function directory() {
    const storage = createMemoryStorage();
    const kek = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
    await seedUsers(storage, kek, [user(['sip:alice@lab.test']), user(['sip:bob@lab.test'], false)]);
    return { storage, directory: createDirectory({ storage, kek, sources: [source()] }) };
  }

  it('are those of the stored user with any of the identities; a stranger of the network may ask', async () => {
    const { directory: users } = await directory();
    const bob = (await users.findSubscriber(pskId(bootstrap(['sip:robert@lab.test', 'sip:bob@lab.test'])), undefined))!;
    expect(await users.mayRequest(bob, [uri('alice')])).toBe(false);
    const dave = (await users.findSubscriber(pskId(bootstrap(['sip:dave@lab.test'])), undefined))!;
    expect(await users.mayRequest(dave, [uri('alice')])).toBe(true);
    expect(await users.responderFor(dave, [uri('dave')])).toEqual(uri('dave'));
    expect(await users.responderFor(dave, [uri('alice')])).toBeUndefined();
  });

  it('end for somebody who is disabled, under each identity and with a key that is still good', async () => {
    const { directory: users, storage } = await directory();
    const btid = bootstrap(['sip:second@lab.test', 'sip:alice@lab.test']);
    await storage.users.change('sip:alice@lab.test', { isDisabled: true });
    const alice = (await users.findSubscriber(pskId(btid), undefined))!;
    expect(await users.mayRequest(alice, [uri('bob')])).toBe(false);
    expect(await users.responderFor(alice, [uri('second')])).toBeUndefined();
  });
});
