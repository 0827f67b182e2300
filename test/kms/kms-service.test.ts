import { describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { FakeClock } from '../../src/base/clock.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { sha256 } from '../../src/crypto/digest.ts';
import { verifyAudit } from '../../src/kms/audit-verify.ts';
import { KeyEncryptionKey } from '../../src/kms/key-encryption-key.ts';
import { createKmsService, createMemoryKmsService } from '../../src/kms/kms-service.ts';
import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import { KmsStorageError, type KmsStorage } from '../../src/kms/ports.ts';
import { announceTpk, createTpk } from '../../src/kms/tpk-ring.ts';
import { seedUsers } from '../../src/kms/users.ts';
import { ticketTpkId } from '../../src/protocol/mikey/base-ticket.ts';
import { bytesIdentity } from '../../src/protocol/mikey/index.ts';
import {
  alice,
  answered,
  bob,
  carol,
  hand,
  party,
  receive,
  request,
  resolving,
  start,
} from '../protocol/mikey/parties.ts';
import { seededRandom } from '../support/seeded-random.ts';

const random = seededRandom('service');
const from = { address: '192.0.2.7' };
const users = [alice, bob, carol].map(({ name, psk }) => ({
  identities: [`sip:${name}@lab.test`],
  pskId: `${name}-key`,
  psk,
  mayRequest: name !== 'carol',
}));

async function makeService(change: (storage: KmsStorage) => KmsStorage = (storage) => storage) {
  const storage = createMemoryStorage();
  const clock = new FakeClock(start);
  const kek = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
  await seedUsers(storage, kek, users);
  const service = await createKmsService({
    identity: 'sip:kms.lab.test',
    storage: change(storage),
    kek,
    clock,
    random,
  });
  const lines = async () =>
    (await storage.audit.read(0, 10_000)).map(({ text }) => JSON.parse(text) as Readonly<Record<string, unknown>>);
  return { storage, clock, service, lines, kek };
}

describe('replicas whose clocks differ', () => {
  it('resolve a ticket under a key that the one which gave it knew first', async () => {
    const { storage, kek, clock, service } = await makeService();
    const ahead = new FakeClock(start + 120_000);
    const other = await createKmsService({ identity: 'sip:kms.lab.test', storage, kek, clock: ahead, random });
    // For the clock that is ahead the minute of announcement is over at once.
    const added = await announceTpk(storage, kek, createTpk(random, clock.now()), 60);
    for (const one of [clock, ahead]) one.advance(one === ahead ? 10_000 : 5_000);
    const asked = request(alice);
    const granted = asked.accept(answered(await other.handle('ticketrequest', asked.message, from)), start);
    expect(ticketTpkId(granted.ticketPayload)).toEqual(bytesIdentity(added!.id));
    const resolve = resolving(receive(hand(granted, alice, bob.identity).message, bob), bob);
    expect(await service.handle('ticketresolve', resolve.message, from)).toMatchObject({ outcome: 'answered' });
  });

  it('do not ask the storage for every ticket under a key that nobody knows', async () => {
    let asked = 0;
    const { service, clock } = await makeService((storage) => ({
      ...storage,
      tpks: {
        list: () => {
          asked += 1;
          return storage.tpks.list();
        },
        add: (tpk, newest) => storage.tpks.add(tpk, newest),
        remove: (ids) => storage.tpks.remove(ids),
      },
    }));
    const stranger = await createMemoryKmsService({ config: { identity: 'sip:kms.lab.test', users }, clock, random });
    const ask = request(alice);
    const granted = ask.accept(answered(await stranger.handle('ticketrequest', ask.message, from)), start);
    clock.advance(2_000);
    const before = asked;
    for (let count = 0; count < 10; count++) {
      const { message } = hand(granted, alice, bob.identity, start);
      const outcome = await service.handle('ticketresolve', resolving(receive(message, bob), bob).message, from);
      expect(outcome).toMatchObject({ outcome: 'refused', isReplay: false });
    }
    expect(asked - before).toBe(1);
  });
});

describe('the audit of a service', () => {
  it('tells who asked, for whom, from where and how it ended, and joins a ticket’s request with its resolve', async () => {
    const { service, lines, storage } = await makeService();
    const asked = request(alice);
    const granted = asked.accept(answered(await service.handle('ticketrequest', asked.message, from)), start);
    const resolve = resolving(receive(hand(granted, alice, bob.identity).message, bob), bob);
    await service.handle('ticketresolve', resolve.message, { address: '2001:db8::1' });
    await service.handle('ticketresolve', resolve.message, from);
    await service.handle('ticketrequest', request(carol).message, from);
    const [rotated, requested, resolved, replayed, forbidden, ...more] = await lines();
    expect(more).toEqual([]);
    expect(rotated).toMatchObject({ sequence: 1, action: 'tpk-rotate' });
    expect(requested).toEqual({
      sequence: 2,
      time: new Date(start).toISOString(),
      action: 'ticketrequest',
      outcome: 'answered',
      user: 'sip:alice@lab.test',
      asker: 'sip:alice@lab.test',
      responders: ['sip:bob@lab.test'],
      ticket: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      request: toHex(sha256(asked.message)),
      address: '192.0.2.7',
    });
    expect(resolved).toMatchObject({
      action: 'ticketresolve',
      outcome: 'answered',
      user: 'sip:bob@lab.test',
      responders: ['sip:bob@lab.test'],
      ticket: requested?.ticket,
      address: '2001:db8::1',
    });
    expect(replayed).toMatchObject({ outcome: 'refused', reason: 'mikey.T: replayed', ticket: requested?.ticket });
    expect(forbidden).toMatchObject({ outcome: 'forbidden', user: 'sip:carol@lab.test' });
    expect(forbidden).not.toHaveProperty('ticket');
    expect(await verifyAudit(storage.audit)).toMatchObject({ verdict: 'whole', head: { sequence: 5 } });
    const text = JSON.stringify(await lines());
    for (const { psk } of [alice, bob, carol]) expect(text).not.toContain(psk.use(toHex));
  });

  it('names nobody for a question that proves nothing, and is not filled by such questions', async () => {
    const { service, lines, clock } = await makeService();
    const stranger = (count: number) =>
      Promise.all(
        Array.from({ length: count }, () =>
          service.handle('ticketrequest', request(party('mallory'), { now: clock.now() }).message, from),
        ),
      );
    await stranger(150);
    await service.handle('ticketrequest', Uint8Array.of(1, 2, 3), from);
    expect((await lines()).filter(({ outcome }) => outcome === 'not-authenticated')).toHaveLength(100);
    await service.handle('ticketrequest', request(alice).message, from);
    expect((await lines()).at(-1)).toMatchObject({ outcome: 'answered' });
    clock.advance(60_000);
    await stranger(2);
    const [first, second] = (await lines()).slice(-2);
    expect(first).toMatchObject({
      outcome: 'not-authenticated',
      reason: 'mikey.V: authentication failed',
      omitted: 51,
    });
    expect(first).not.toHaveProperty('user');
    expect(second).not.toHaveProperty('omitted');
    await stranger(99);
    await service.close();
    expect((await lines()).at(-1)).toMatchObject({ action: 'stop', omitted: 1 });
  });

  it('is written before anything is answered: without it there is no answer', async () => {
    const { service } = await makeService((storage) => ({
      ...storage,
      audit: {
        head: () => storage.audit.head(),
        read: (after, limit) => storage.audit.read(after, limit),
        append: (entry) =>
          entry.action === 'tpk-rotate'
            ? storage.audit.append(entry)
            : Promise.reject(new KmsStorageError('the disk is full')),
      },
    }));
    await expect(service.handle('ticketrequest', request(alice).message, from)).rejects.toThrow('the disk is full');
  });
});

describe('a service', () => {
  it('fails as its storage does, and answers nothing then', async () => {
    let isAway = false;
    const { service } = await makeService((storage) => ({
      ...storage,
      users: {
        ...storage.users,
        findByPskId: (name) => (isAway ? Promise.reject(new KmsStorageError('away')) : storage.users.findByPskId(name)),
        findByIdentity: (identity) => storage.users.findByIdentity(identity),
      },
      check: () => (isAway ? Promise.reject(new KmsStorageError('away')) : Promise.resolve()),
    }));
    await service.check();
    isAway = true;
    await expect(service.handle('ticketrequest', request(alice).message, from)).rejects.toThrow('away');
    await expect(service.check()).rejects.toMatchObject({ name: 'KmsStorageError' });
    isAway = false;
    expect((await service.handle('ticketrequest', request(alice).message, from)).outcome).toBe('answered');
    await service.close();
  });

  it('does not start on a storage of another key-encryption key, nor under a name that is no URI', async () => {
    const { storage, clock } = await makeService();
    const kek = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
    const options = { identity: 'sip:kms.lab.test', storage, kek, clock, random };
    await expect(createKmsService(options)).rejects.toMatchObject({ kind: 'local', field: 'kms.keyEncryptionKey' });
    await expect(createKmsService({ ...options, identity: 'sip:k"' })).rejects.toMatchObject({
      field: 'kms.config.identity',
    });
  });

  it('keeps to its rules and stops serving a user whom it is told to', async () => {
    const clock = new FakeClock(start);
    const service = await createMemoryKmsService({
      config: { identity: 'sip:kms.lab.test', users, rules: { sessionLifetimeSeconds: 60 } },
      clock,
      random,
    });
    const asked = request(alice);
    const ticket = asked.accept(answered(await service.handle('ticketrequest', asked.message, from)), start);
    expect(ticket.validUntil).toBe(start + 60_000);
    await service.close();
  });
});

describe('a key-encryption key', () => {
  const kek = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
  const secret = new SecretBytes(random.bytes(32));

  it('opens what it wrapped, for the same purpose only, and nothing that was changed', () => {
    const wrapped = kek.wrap(secret, 'alice');
    expect(kek.unwrap(wrapped, 'alice').use(toHex)).toBe(secret.use(toHex));
    expect(toHex(wrapped)).not.toContain(secret.use(toHex));
    expect(toHex(kek.wrap(secret, 'alice'))).not.toBe(toHex(wrapped));
    expect(() => kek.unwrap(wrapped, 'bob')).toThrow(/does not open/);
    for (let position = 0; position < wrapped.length; position++)
      expect(() => kek.unwrap(wrapped.with(position, wrapped[position]! ^ 1), 'alice')).toThrow();
    for (let length = 0; length < wrapped.length; length++)
      expect(() => kek.unwrap(wrapped.subarray(0, length), 'alice')).toThrow();
  });

  it('has 32 octets, and is gone after its disposal', () => {
    expect(() => new KeyEncryptionKey(new SecretBytes(new Uint8Array(16)), random)).toThrow(/expected 32 octets/);
    const short = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
    short.dispose();
    expect(() => short.wrap(secret, 'a')).toThrow();
  });
});
