import { describe, expect, it } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { KmsUserConfig } from '../../src/kms/config.ts';
import { createDirectory, type SubscriberSource } from '../../src/kms/directory.ts';
import { KeyEncryptionKey } from '../../src/kms/key-encryption-key.ts';
import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import { seedUsers } from '../../src/kms/users.ts';
import { bytesIdentity, sameIdentity, uriIdentity, type KmsDirectory } from '../../src/protocol/mikey/index.ts';
import { seededRandom } from '../support/seeded-random.ts';

const random = seededRandom('directory');
const user = (name: string, changes: Partial<KmsUserConfig> = {}): KmsUserConfig => ({
  identities: [`sip:${name}@lab.test`],
  pskId: `${name}-key`,
  psk: new SecretBytes(new Uint8Array(32)),
  ...changes,
});
const newKek = () => new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);

async function directoryOf(users: readonly KmsUserConfig[], sources: readonly SubscriberSource[] = []) {
  const storage = createMemoryStorage();
  const kek = newKek();
  await seedUsers(storage, kek, users);
  return { storage, directory: createDirectory({ storage, kek, sources }) };
}

const pskId = (name: string) => bytesIdentity(utf8(`${name}-key`));
const uri = (name: string) => uriIdentity(`sip:${name}@lab.test`);

async function subscriber(directory: KmsDirectory, name: string) {
  const found = await directory.findSubscriber(pskId(name), undefined);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const people = [
  user('alice', { identities: ['sips:Alice@LAB.test:5061;user=phone', 'tel:+1-555-0100'] }),
  user('bob', { identities: ['sip:bob@lab.test', 'sip:robert@lab.test'], mayRequest: false }),
  user('carol', { allowedResponders: ['sip:bob@lab.test'] }),
  user('dave', { allowedResponders: ['sip:team@lab.test'] }),
];

describe('users', () => {
  it('are found by the name of their key, or by an identity where none is named', async () => {
    const { directory } = await directoryOf(people);
    const find = async (...by: Parameters<KmsDirectory['findSubscriber']>) =>
      (await directory.findSubscriber(...by))?.name;
    expect(await find(pskId('alice'), undefined)).toBe('sip:Alice@lab.test');
    expect(await find(undefined, uriIdentity('tel:+15550100'))).toBe('sip:Alice@lab.test');
    expect(await find(pskId('mallory'), uri('bob'))).toBeUndefined();
    expect(await find(undefined, undefined)).toBeUndefined();
    expect(await find(undefined, bytesIdentity(utf8('sip:bob@lab.test')))).toBeUndefined();
    expect(await find(bytesIdentity(Uint8Array.of(0xff)), uri('bob'))).toBeUndefined();
    expect(await find(uriIdentity('bob-key'), uri('bob'))).toBeUndefined();
  });

  it('ask for tickets only as their configuration allows, an alias counting as its owner', async () => {
    const { directory, storage } = await directoryOf(people);
    await storage.groups.put({ identity: 'sip:team@lab.test', members: ['sip:robert@lab.test'] });
    const may = async (name: string, ...responders: readonly string[]) =>
      directory.mayRequest(await subscriber(directory, name), responders.map(uri));
    expect(await may('alice', 'bob', 'anybody')).toBe(true);
    expect(await may('bob', 'carol')).toBe(false);
    expect(await may('carol', 'robert')).toBe(true);
    expect(await may('carol', 'robert', 'alice')).toBe(false);
    expect(await may('carol', 'stranger')).toBe(false);
    expect(await may('dave', 'team', 'bob')).toBe(true);
    expect(await may('dave', 'carol')).toBe(false);
    const carol = await subscriber(directory, 'carol');
    expect(await directory.mayRequest(carol, [bytesIdentity(utf8('sip:bob@lab.test'))])).toBe(false);
  });

  it('resolve tickets for any of their own identities, for their groups and for no other', async () => {
    const { directory, storage } = await directoryOf(people);
    await storage.groups.put({ identity: 'sip:team@lab.test', members: ['sip:bob@lab.test'] });
    const bob = await subscriber(directory, 'bob');
    expect(await directory.responderFor(bob, [uri('carol'), uri('robert')])).toEqual(uri('robert'));
    expect(await directory.responderFor(bob, [uri('carol'), uri('team')])).toEqual(uri('team'));
    expect(await directory.responderFor(bob, [uri('carol')])).toBeUndefined();
    expect(await directory.responderFor(await subscriber(directory, 'carol'), [uri('team')])).toBeUndefined();
  });

  it('that are disabled prove their key and get nothing, from the next question on', async () => {
    const { directory, storage } = await directoryOf(people);
    expect(await storage.users.change('sip:robert@lab.test', { isDisabled: true })).toBe('changed');
    const bob = await subscriber(directory, 'bob');
    expect(await directory.responderFor(bob, [uri('bob')])).toBeUndefined();
    await storage.users.change('tel:+15550100', { isDisabled: true });
    expect(await directory.mayRequest(await subscriber(directory, 'alice'), [uri('bob')])).toBe(false);
  });

  it('whose stored key was moved to them from another user are a fault of the storage', async () => {
    const { directory, storage } = await directoryOf(people);
    const alice = await storage.users.findByPskId('alice-key');
    await storage.users.change('sip:bob@lab.test', { wrappedPsk: alice!.wrappedPsk });
    await expect(subscriber(directory, 'bob')).rejects.toMatchObject({ name: 'KmsStorageError' });
  });
});

describe('subscribers of another source', () => {
  const visitor = (name: string) => ({
    name,
    psk: new SecretBytes(new Uint8Array(32)),
    identity: uri(name),
    identities: [uri(`${name}-alias`), uri(name)],
    owns: (other: ReturnType<typeof uri>) => sameIdentity(other, uri(name)),
  });
  const source: SubscriberSource = {
    findSubscriber: (id) =>
      ['eve', 'bob']
        .map((name) => id && sameIdentity(id, pskId(`${name}-btid`)) && visitor(name))
        .find((one) => one !== undefined && one !== false),
  };

  it('are asked for what the storage does not know, and judged by the stored user of the same identity', async () => {
    const { directory, storage } = await directoryOf(people, [source]);
    const eve = await subscriber(directory, 'eve-btid');
    expect(await directory.mayRequest(eve, [uri('alice')])).toBe(true);
    expect(await directory.responderFor(eve, [uri('eve')])).toEqual(uri('eve'));
    expect(await directory.responderFor(eve, [uri('bob')])).toBeUndefined();
    const bob = await subscriber(directory, 'bob-btid');
    expect(await directory.mayRequest(bob, [uri('alice')])).toBe(false);
    await storage.users.change('sip:bob@lab.test', { isDisabled: true });
    expect(await directory.responderFor(bob, [uri('bob')])).toBeUndefined();
  });
});

describe('a configuration that cannot be', () => {
  it.each([
    ['a key of wrong length', [user('a', { psk: new SecretBytes(new Uint8Array(16)) })], 'users[0].psk'],
    ['a key without a name', [user('a', { pskId: '' })], 'users[0].pskId'],
    ['a key name twice', [user('a'), user('b', { pskId: 'a-key' })], 'users[1].pskId'],
    ['an identity twice', [user('a'), user('b', { identities: ['sip:a@LAB.test'] })], 'users[1].identities'],
    ['a user without identity', [user('a', { identities: [] })], 'users[0].identities'],
    ['an identity that is none', [user('a', { identities: ['http://a'] })], 'users[0].identities'],
  ])('names the entry: %s', async (_, users, field) => {
    await expect(directoryOf(users)).rejects.toMatchObject({
      name: 'ProtocolError',
      kind: 'local',
      field: `kms.config.${field}`,
    });
  });

  it.each([
    ['the name of a key that is somebody else’s', user('b', { pskId: 'a-key' }), 'users[0].pskId'],
    [
      'an identity that is somebody else’s',
      user('b', { identities: ['sip:b@x.test', 'sip:a@lab.test'] }),
      'users[0].identities',
    ],
    ['a main identity that is an alias of somebody else', user('a2'), 'users[0].identities'],
  ])('or stands in the way of a stored user: %s', async (_, second, field) => {
    const storage = createMemoryStorage();
    const kek = newKek();
    const first = user('a', { identities: ['sip:a@lab.test', 'sip:a2@lab.test'] });
    expect(await seedUsers(storage, kek, [first])).toEqual(['sip:a@lab.test']);
    expect(await seedUsers(storage, kek, [first])).toEqual([]);
    await expect(seedUsers(storage, kek, [second])).rejects.toMatchObject({ field: `kms.config.${field}` });
  });
});
