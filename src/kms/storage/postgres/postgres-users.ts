import type { GroupStore, Rewrapping, StoredGroup, StoredUser, UserChange, UserStore } from '../../ports.ts';
import { certificatesOf, certificatesText } from '../certificates-column.ts';
import type { Ask, PostgresConnections } from './connections.ts';

interface UserRow {
  readonly id: string;
  readonly psk_id: string;
  readonly wrapped_psk: Uint8Array;
  readonly may_request: boolean;
  readonly allowed_responders: readonly string[] | null;
  readonly is_disabled: boolean;
  readonly certificates: string | null;
  readonly identities: readonly string[];
}

const columns = `kms_user.*, ARRAY(SELECT uri FROM kms_identity WHERE user_id = kms_user.id ORDER BY position) AS identities`;
const byPskId = `SELECT ${columns} FROM kms_user WHERE psk_id = $1`;
const byIdentity = `SELECT ${columns} FROM kms_identity AS own JOIN kms_user ON kms_user.id = own.user_id WHERE own.uri = $1`;
const all = `SELECT ${columns} FROM kms_user
  JOIN kms_identity AS main ON main.user_id = kms_user.id AND main.position = 0 ORDER BY main.uri`;

const userOf = (row: UserRow): StoredUser => ({
  identities: row.identities,
  pskId: row.psk_id,
  wrappedPsk: Uint8Array.from(row.wrapped_psk),
  mayRequest: row.may_request,
  allowedResponders: row.allowed_responders ?? undefined,
  isDisabled: row.is_disabled,
  ...certificatesOf(row.certificates),
});

/** Those who change users or groups take turns: what one looks up holds until it has written. */
const takeTurn = (ask: Ask): Promise<unknown> => ask({ text: 'LOCK TABLE kms_user IN SHARE ROW EXCLUSIVE MODE' });

export class PostgresUsers implements UserStore {
  readonly #connections: PostgresConnections;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  async findByPskId(pskId: string): Promise<StoredUser | undefined> {
    // PostgreSQL has no such text; no key has such a name either.
    if (pskId.includes('\0')) return undefined;
    const [row] = await this.#connections.ask<UserRow>({ name: 'user-by-psk-id', text: byPskId, values: [pskId] });
    return row && userOf(row);
  }

  async findByIdentity(identity: string): Promise<StoredUser | undefined> {
    if (identity.includes('\0')) return undefined;
    const query = { name: 'user-by-identity', text: byIdentity, values: [identity] };
    const [row] = await this.#connections.ask<UserRow>(query);
    return row && userOf(row);
  }

  async list(): Promise<readonly StoredUser[]> {
    return (await this.#connections.ask<UserRow>({ text: all })).map(userOf);
  }

  add(user: StoredUser): ReturnType<UserStore['add']> {
    return this.#connections.transaction(async (ask) => {
      await takeTurn(ask);
      const taken = await ask({
        text: 'SELECT 1 FROM kms_identity WHERE uri = ANY ($1)',
        values: [user.identities],
      });
      if (taken.length > 0) return 'identity-taken';
      if ((await ask({ text: byPskId, values: [user.pskId] })).length > 0) return 'psk-id-taken';
      await ask({
        text: `WITH made AS (
            INSERT INTO kms_user (psk_id, wrapped_psk, may_request, allowed_responders, is_disabled, certificates)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
          )
          INSERT INTO kms_identity (uri, user_id, position)
          SELECT uri, made.id, place - 1 FROM made, unnest($7::text[]) WITH ORDINALITY AS own (uri, place)`,
        values: [...changeable(user), user.identities],
      });
      return 'added';
    });
  }

  change(identity: string, change: UserChange): ReturnType<UserStore['change']> {
    return this.#connections.transaction(async (ask) => {
      await takeTurn(ask);
      const [row] = await ask<UserRow>({ text: byIdentity, values: [identity] });
      if (row === undefined) return 'unknown';
      const user = { ...userOf(row), ...change };
      const [other] = await ask<UserRow>({ text: byPskId, values: [user.pskId] });
      if (other !== undefined && other.id !== row.id) return 'psk-id-taken';
      await store(ask, row.id, user);
      return 'changed';
    });
  }
}

/** Within a transaction of the caller. */
export async function rewrapUsers(ask: Ask, rewrap: Rewrapping['user']): Promise<void> {
  await takeTurn(ask);
  for (const row of await ask<UserRow>({ text: all })) {
    const user = userOf(row);
    await store(ask, row.id, { ...user, wrappedPsk: rewrap(user) });
  }
}

const changeable = (user: StoredUser): readonly unknown[] => [
  user.pskId,
  Buffer.from(user.wrappedPsk),
  user.mayRequest,
  user.allowedResponders ?? null,
  user.isDisabled,
  certificatesText(user),
];

const store = (ask: Ask, id: string, user: StoredUser): Promise<unknown> =>
  ask({
    text: `UPDATE kms_user SET psk_id = $1, wrapped_psk = $2, may_request = $3, allowed_responders = $4, is_disabled = $5,
      certificates = $6 WHERE id = $7`,
    values: [...changeable(user), id],
  });

export class PostgresGroups implements GroupStore {
  readonly #connections: PostgresConnections;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  list(): Promise<readonly StoredGroup[]> {
    return this.#connections.ask<StoredGroup>({
      text: `SELECT own.uri AS identity, ARRAY(
          SELECT main.uri FROM kms_group_member AS member
          JOIN kms_identity AS main ON main.user_id = member.user_id AND main.position = 0
          WHERE member.group_id = own.group_id ORDER BY main.uri) AS members
        FROM kms_identity AS own WHERE own.group_id IS NOT NULL ORDER BY own.uri`,
    });
  }

  put({ identity, members }: StoredGroup): ReturnType<GroupStore['put']> {
    return this.#connections.transaction(async (ask) => {
      await takeTurn(ask);
      const find = 'SELECT user_id, group_id FROM kms_identity WHERE uri = ANY ($1)';
      interface Owner {
        readonly user_id: string | null;
        readonly group_id: string | null;
      }
      const [known] = await ask<Owner>({ text: find, values: [[identity]] });
      if (known !== undefined && known.user_id !== null) return 'identity-taken';
      const names = [...new Set(members)];
      const owners = (await ask<Owner>({ text: find, values: [names] })).map(({ user_id }) => user_id);
      if (owners.length < names.length || owners.includes(null)) return 'unknown-member';
      const group = known?.group_id ?? (await makeGroup(ask, identity));
      await ask({ text: 'DELETE FROM kms_group_member WHERE group_id = $1', values: [group] });
      await ask({
        text: 'INSERT INTO kms_group_member (user_id, group_id) SELECT DISTINCT owner, $2::bigint FROM unnest($1::bigint[]) AS owner',
        values: [owners, group],
      });
      return 'stored';
    });
  }

  async remove(identity: string): ReturnType<GroupStore['remove']> {
    const removed = await this.#connections.ask({
      text: 'DELETE FROM kms_group WHERE id = (SELECT group_id FROM kms_identity WHERE uri = $1) RETURNING id',
      values: [identity],
    });
    return removed.length > 0 ? 'removed' : 'unknown';
  }

  async groupsOf(user: string): Promise<readonly string[]> {
    const rows = await this.#connections.ask<{ readonly uri: string }>({
      name: 'groups-of-user',
      text: `SELECT own.uri FROM kms_identity AS member JOIN kms_group_member USING (user_id)
        JOIN kms_identity AS own ON own.group_id = kms_group_member.group_id WHERE member.uri = $1 ORDER BY own.uri`,
      values: [user],
    });
    return rows.map(({ uri }) => uri);
  }
}

async function makeGroup(ask: Ask, identity: string): Promise<string | undefined> {
  const [made] = await ask<{ readonly group_id: string }>({
    text: `WITH made AS (INSERT INTO kms_group DEFAULT VALUES RETURNING id)
      INSERT INTO kms_identity (uri, group_id, position) SELECT $1, made.id, 0 FROM made RETURNING group_id`,
    values: [identity],
  });
  return made?.group_id;
}
