import { describe, expect, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { sha256 } from '../../../src/crypto/digest.ts';
import { chainStart, type AuditEntry } from '../../../src/kms/audit-chain.ts';
import { verifyAudit } from '../../../src/kms/audit-verify.ts';
import { KeyEncryptionKey, pskContext, tpkContext } from '../../../src/kms/key-encryption-key.ts';
import { replicaClockMilliseconds, type KmsStorage, type StoredTpk, type StoredUser } from '../../../src/kms/ports.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const random = seededRandom('contract');
const now = Date.UTC(2026, 0, 1);
const user = (name: string, changes: Partial<StoredUser> = {}): StoredUser => ({
  identities: [`sip:${name}@lab.test`, `sip:${name}.alias@lab.test`],
  pskId: `${name}-key`,
  wrappedPsk: utf8(`wrapped ${name}`),
  mayRequest: true,
  allowedResponders: undefined,
  isDisabled: false,
  ...changes,
});
const tpk = (id: number, createdAt = id): StoredTpk => ({
  id: Uint8Array.of(id),
  wrappedKey: utf8(`wrapped tpk ${id}`),
  createdAt,
  activeFrom: createdAt + 60_000,
});
const entry = (index: number): AuditEntry => ({ time: now + index, action: 'ticketrequest', outcome: `o${index}` });
const digest = (text: string): Uint8Array => sha256(utf8(text));

export interface StorageUnderTest {
  /** Another view of the same storage, as another replica or process has it; absent where there can be none. */
  readonly another?: () => Promise<KmsStorage>;
  readonly storage: KmsStorage;
}

/** What every storage must do. `open` makes a new, empty one with room for `replayCapacity` messages. */
export function describeStorage(open: (replayCapacity: number) => Promise<StorageUnderTest>): void {
  const using = async (
    action: (storage: KmsStorage, other: KmsStorage) => Promise<void>,
    replayCapacity = 1000,
  ): Promise<void> => {
    const { storage, another } = await open(replayCapacity);
    const other = another === undefined ? storage : await another();
    try {
      await action(storage, other);
    } finally {
      if (other !== storage) await other.close();
      await storage.close();
    }
  };

  describe('users', () => {
    it('are found by key and by any identity, as they were added', () =>
      using(async ({ users }, other) => {
        const carol = user('carol', {
          mayRequest: false,
          allowedResponders: ['sip:alice@lab.test'],
          isDisabled: true,
          certificates: ['AA:BB'],
        });
        expect(await users.add(user('bob'))).toBe('added');
        expect(await users.add(carol)).toBe('added');
        expect(await users.add(user('alice', { pskId: 'Schlüssel \u2603', allowedResponders: [] }))).toBe('added');
        expect(await other.users.findByPskId('carol-key')).toEqual(carol);
        expect(await other.users.findByIdentity('sip:carol.alias@lab.test')).toEqual(carol);
        expect((await other.users.findByPskId('Schlüssel \u2603'))?.allowedResponders).toEqual([]);
        expect((await other.users.list()).map(({ identities }) => identities[0])).toEqual([
          'sip:alice@lab.test',
          'sip:bob@lab.test',
          'sip:carol@lab.test',
        ]);
        for (const name of ['', 'CAROL-KEY', 'carol-key\0', "carol' OR 'a'='a", 'carol-key '])
          expect(await users.findByPskId(name)).toBeUndefined();
        expect(await users.findByIdentity('sip:dave@lab.test')).toBeUndefined();
        expect(await users.findByIdentity('sip:carol@lab.test\0')).toBeUndefined();
      }));

    it('share neither identity nor key name', () =>
      using(async ({ users, groups }) => {
        await users.add(user('alice'));
        expect(await users.add(user('bob', { pskId: 'alice-key' }))).toBe('psk-id-taken');
        const aliasTaken = user('bob', { identities: ['sip:bob@lab.test', 'sip:alice.alias@lab.test'] });
        expect(await users.add(aliasTaken)).toBe('identity-taken');
        expect(await users.findByIdentity('sip:bob@lab.test')).toBeUndefined();
        await groups.put({ identity: 'sip:team@lab.test', members: [] });
        expect(await users.add(user('team', { identities: ['sip:team@lab.test'] }))).toBe('identity-taken');
        expect(await users.add(user('bob'))).toBe('added');
      }));

    it('change by any identity, and only in what is said', () =>
      using(async ({ users }, other) => {
        await users.add(user('alice', { allowedResponders: ['sip:bob@lab.test'] }));
        await users.add(user('bob'));
        expect(await users.change('sip:alice.alias@lab.test', { isDisabled: true })).toBe('changed');
        const alice = user('alice', { allowedResponders: ['sip:bob@lab.test'], isDisabled: true });
        expect(await other.users.findByPskId('alice-key')).toEqual(alice);
        expect(await users.change('sip:alice@lab.test', { allowedResponders: undefined, mayRequest: false })).toBe(
          'changed',
        );
        expect(await users.change('sip:alice@lab.test', { pskId: 'bob-key' })).toBe('psk-id-taken');
        expect(await users.change('sip:alice@lab.test', { pskId: 'new', wrappedPsk: utf8('w') })).toBe('changed');
        expect(await other.users.findByPskId('alice-key')).toBeUndefined();
        expect(await other.users.findByPskId('new')).toEqual({
          ...alice,
          pskId: 'new',
          wrappedPsk: utf8('w'),
          allowedResponders: undefined,
          mayRequest: false,
        });
        expect(await users.change('sip:alice@lab.test', { certificates: 'any' })).toBe('changed');
        expect((await users.findByIdentity('sip:alice@lab.test'))?.certificates).toBe('any');
        expect(await users.change('sip:alice@lab.test', { certificates: undefined })).toBe('changed');
        expect((await users.findByIdentity('sip:alice@lab.test'))?.certificates).toBeUndefined();
        expect(await users.change('sip:nobody@lab.test', { isDisabled: true })).toBe('unknown');
      }));
  });

  describe('groups', () => {
    it('have users for members, named by any identity, and come and go', () =>
      using(async ({ users, groups }, other) => {
        for (const name of ['alice', 'bob', 'carol']) await users.add(user(name));
        const team = { identity: 'sip:team@lab.test', members: ['sip:bob.alias@lab.test', 'sip:alice@lab.test'] };
        expect(await groups.put(team)).toBe('stored');
        expect(await groups.put({ identity: 'sip:all@lab.test', members: ['sip:bob@lab.test'] })).toBe('stored');
        expect(await groups.put({ identity: 'sip:zoo@lab.test', members: [] })).toBe('stored');
        expect(await other.groups.list()).toEqual([
          { identity: 'sip:all@lab.test', members: ['sip:bob@lab.test'] },
          { identity: 'sip:team@lab.test', members: ['sip:alice@lab.test', 'sip:bob@lab.test'] },
          { identity: 'sip:zoo@lab.test', members: [] },
        ]);
        expect((await other.groups.groupsOf('sip:bob@lab.test')).toSorted()).toEqual([
          'sip:all@lab.test',
          'sip:team@lab.test',
        ]);
        const twice = { identity: team.identity, members: ['sip:carol@lab.test', 'sip:carol.alias@lab.test'] };
        expect(await groups.put(twice)).toBe('stored');
        expect(await groups.groupsOf('sip:alice@lab.test')).toEqual([]);
        expect(await groups.groupsOf('sip:carol@lab.test')).toEqual(['sip:team@lab.test']);
        expect(await groups.remove('sip:team@lab.test')).toBe('removed');
        expect(await groups.remove('sip:team@lab.test')).toBe('unknown');
        expect(await groups.remove('sip:bob@lab.test')).toBe('unknown');
        expect(await other.groups.groupsOf('sip:carol@lab.test')).toEqual([]);
        expect(await users.findByIdentity('sip:bob@lab.test')).toBeDefined();
      }));

    it('refuse a user’s identity and members that are no users', () =>
      using(async ({ users, groups }) => {
        await users.add(user('alice'));
        expect(await groups.put({ identity: 'sip:alice.alias@lab.test', members: [] })).toBe('identity-taken');
        const members = ['sip:alice@lab.test', 'sip:nobody@lab.test'];
        expect(await groups.put({ identity: 'sip:team@lab.test', members })).toBe('unknown-member');
        expect(await groups.put({ identity: 'sip:team@lab.test', members: ['sip:alice@lab.test'] })).toBe('stored');
        const nested = { identity: 'sip:outer@lab.test', members: ['sip:team@lab.test'] };
        expect(await groups.put(nested)).toBe('unknown-member');
        expect(await groups.list()).toHaveLength(1);
      }));
  });

  describe('the replay memory', () => {
    it('knows a message until its time has passed, whoever saw it', () =>
      using(async ({ replays }, other) => {
        expect(await replays.remember(digest('a'), now + 1000, now)).toBe('new');
        expect(await replays.remember(digest('a'), now + 1000, now)).toBe('replayed');
        expect(await other.replays.remember(digest('a'), now + 5000, now + 1000)).toBe('replayed');
        expect(await other.replays.remember(digest('b'), now + 1000, now)).toBe('new');
        expect(await replays.remember(digest('a'), now + 5000, now + 1001)).toBe('new');
        expect(await other.replays.remember(digest('a'), now + 5000, now + 1002)).toBe('replayed');
      }));

    it('knows a message for a replica whose clock is behind, when one that is ahead has tidied up', () =>
      using(async ({ replays }, other) => {
        expect(await replays.remember(digest('a'), now + 1000, now)).toBe('new');
        expect(await other.replays.remember(digest('b'), now + 400_000, now + 200_000)).toBe('new');
        expect(await other.replays.remember(digest('c'), now + 400_000, now + 290_000)).toBe('full');
        expect(await replays.remember(digest('a'), now + 1000, now + 1000)).toBe('replayed');
      }, 2));

    it('gives one of many that come at once the right to be new', () =>
      using(async ({ replays }, other) => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, async (_, index) =>
            (index % 2 === 0 ? replays : other.replays).remember(digest('same'), now + 1000, now),
          ),
        );
        expect(answers.filter((answer) => answer === 'new')).toHaveLength(1);
        expect(answers.filter((answer) => answer === 'replayed')).toHaveLength(19);
      }));

    it('is bounded: says when it is full, still knows its messages, and has room again when they have passed', () =>
      using(async ({ replays }) => {
        expect(await replays.remember(digest('a'), now + 1000, now)).toBe('new');
        expect(await replays.remember(digest('b'), now + 3000, now)).toBe('new');
        expect(await replays.remember(digest('c'), now + 1000, now)).toBe('full');
        expect(await replays.remember(digest('a'), now + 1000, now)).toBe('replayed');
        const later = now + replicaClockMilliseconds;
        expect(await replays.remember(digest('c'), later + 9000, later + 2000)).toBe('new');
        expect(await replays.remember(digest('d'), later + 9000, later + 2500)).toBe('full');
        expect(await replays.remember(digest('c'), later + 9000, later + 2500)).toBe('replayed');
      }, 2));
  });

  describe('ticket protection keys', () => {
    it('are listed oldest first and added only by who knows the newest', () =>
      using(async ({ tpks }, other) => {
        expect(await tpks.list()).toEqual([]);
        expect(await tpks.add(tpk(1), Uint8Array.of(9))).toBe(false);
        expect(await tpks.add(tpk(1), undefined)).toBe(true);
        expect(await other.tpks.add(tpk(2), undefined)).toBe(false);
        expect(await other.tpks.add(tpk(3), Uint8Array.of(1))).toBe(true);
        expect(await tpks.add(tpk(2), Uint8Array.of(1))).toBe(false);
        expect(await tpks.add(tpk(2), Uint8Array.of(3))).toBe(true);
        expect(await other.tpks.list()).toEqual([tpk(1), tpk(2), tpk(3)]);
        await tpks.remove([Uint8Array.of(1), Uint8Array.of(3), Uint8Array.of(7)]);
        expect(await other.tpks.list()).toEqual([tpk(2)]);
        await tpks.remove([]);
      }));

    it('are added by one of several that try at once', () =>
      using(async ({ tpks }, other) => {
        const added = await Promise.all(
          [1, 2, 3, 4, 5, 6].map((id) => (id % 2 === 0 ? tpks : other.tpks).add(tpk(id), undefined)),
        );
        expect(added.filter(Boolean)).toHaveLength(1);
        expect(await tpks.list()).toHaveLength(1);
      }));
  });

  describe('the audit', () => {
    it('chains what is appended at once and by several, without a gap', () =>
      using(async ({ audit }, other) => {
        expect(await audit.head()).toBeUndefined();
        expect(await verifyAudit(audit)).toEqual({ verdict: 'whole', head: chainStart });
        const heads = await Promise.all(
          Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? other.audit : audit).append(entry(index))),
        );
        expect(heads.map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 60 }, (_, index) => index + 1),
        );
        const lines = await other.audit.read(0, 100);
        expect(lines.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
        for (const head of heads) expect(lines[head.sequence - 1]).toMatchObject({ hash: head.hash });
        const own = lines.map(({ text }) => (JSON.parse(text) as { outcome: string }).outcome);
        expect(new Set(own).size).toBe(60);
        expect(await audit.head()).toEqual({ sequence: 60, hash: lines[59]!.hash });
        expect(await verifyAudit(other.audit, [{ head: heads[7]!, from: 'test' }])).toMatchObject({ verdict: 'whole' });
        expect((await audit.read(10, 5)).map(({ sequence }) => sequence)).toEqual([11, 12, 13, 14, 15]);
        expect(await audit.read(60, 5)).toEqual([]);
      }));

    it('keeps any text as it is', () =>
      using(async ({ audit }) => {
        const asker = 'sip:"\\\u0000\u2028\ud800\u{1f512}@lab.test';
        await audit.append({ ...entry(1), asker, responders: ['', 'b'] });
        expect(await verifyAudit(audit)).toMatchObject({ verdict: 'whole' });
        const [line] = await audit.read(0, 1);
        expect(JSON.parse(line!.text)).toEqual({
          sequence: 1,
          time: new Date(now + 1).toISOString(),
          action: 'ticketrequest',
          outcome: 'o1',
          asker,
          responders: ['', 'b'],
        });
      }));
  });

  describe('the keys of a storage', () => {
    it('are checked against one key-encryption key, the first', () =>
      using(async (storage, other) => {
        const [first, second] = [1, 2].map(() => new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random));
        expect(await storage.keyCheck.get()).toBeUndefined();
        await first!.checkAgainst(storage);
        await first!.checkAgainst(other);
        await expect(second!.checkAgainst(other)).rejects.toMatchObject({ field: 'kms.keyEncryptionKey' });
      }));

    it('keep the first of the values to check by that come at once', () =>
      using(async (storage, other) => {
        const kept = await Promise.all(
          [1, 2, 3, 4].map((octet) => (octet % 2 === 0 ? storage : other).keyCheck.getOrSet(Uint8Array.of(octet))),
        );
        const [first] = kept;
        for (const one of kept) expect(one).toEqual(first);
        expect(await other.keyCheck.get()).toEqual(first);
      }));

    it('get under another key-encryption key in one step, or not at all', () =>
      using(async (storage, other) => {
        const [old, next] = [1, 2].map(() => new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random));
        await old!.checkAgainst(storage);
        const secret = new SecretBytes(random.bytes(32));
        const users = ['alice', 'bob'].map((name) => user(name));
        for (const one of users) await storage.users.add({ ...one, wrappedPsk: old!.wrap(secret, pskContext(one)) });
        await storage.tpks.add({ ...tpk(1), wrappedKey: old!.wrap(secret, tpkContext(tpk(1))) }, undefined);
        const rewrapping = {
          keyCheck: next!.makeCheck(),
          user: (one: StoredUser) => next!.wrap(old!.unwrap(one.wrappedPsk, pskContext(one)), pskContext(one)),
          tpk: (one: StoredTpk) => next!.wrap(old!.unwrap(one.wrappedKey, tpkContext(one)), tpkContext(one)),
        };
        const broken = { ...rewrapping, tpk: () => expect.fail('no') };
        await expect(storage.rewrap(broken)).rejects.toThrow('no');
        await old!.checkAgainst(other);
        const opens = async (kek: KeyEncryptionKey) => {
          for (const one of await other.users.list()) kek.unwrap(one.wrappedPsk, pskContext(one));
          for (const one of await other.tpks.list()) kek.unwrap(one.wrappedKey, tpkContext(one));
        };
        await opens(old!);
        await storage.rewrap(rewrapping);
        await next!.checkAgainst(other);
        await opens(next!);
        await expect(old!.checkAgainst(storage)).rejects.toThrow();
      }));
  });

  it('says that it works', () => using((storage) => storage.check()));
}
