import type { GroupStore, Rewrapping, StoredGroup, StoredUser, UserChange, UserStore } from '../../ports.ts';
import { certificatesOf, certificatesText } from '../certificates-column.ts';
import type { SqliteDatabase } from './binding.ts';
import { inStorage } from './sqlite-database.ts';

interface UserRow {
  readonly id: number;
  readonly psk_id: string;
  readonly wrapped_psk: Uint8Array;
  readonly may_request: number;
  readonly allowed_responders: string | null;
  readonly is_disabled: number;
  readonly certificates: string | null;
  readonly identities: string;
}

const columns = `kms_user.*, (SELECT json_group_array(uri ORDER BY position) FROM kms_identity
  WHERE user_id = kms_user.id) AS identities`;

const userOf = (row: UserRow): StoredUser => ({
  identities: JSON.parse(row.identities) as readonly string[],
  pskId: row.psk_id,
  wrappedPsk: Uint8Array.from(row.wrapped_psk),
  mayRequest: row.may_request !== 0,
  allowedResponders:
    row.allowed_responders === null ? undefined : (JSON.parse(row.allowed_responders) as readonly string[]),
  isDisabled: row.is_disabled !== 0,
  ...certificatesOf(row.certificates),
});

const allowedText = (allowed: readonly string[] | undefined): string | null =>
  allowed === undefined ? null : JSON.stringify(allowed);

export class SqliteUsers implements UserStore {
  readonly #database: SqliteDatabase;
  readonly #byPskId;
  readonly #byIdentity;
  readonly #all;
  readonly #insertUser;
  readonly #insertIdentity;
  readonly #update;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#byPskId = database.prepare<[string], UserRow>(`SELECT ${columns} FROM kms_user WHERE psk_id = ?`);
    this.#byIdentity = database.prepare<[string], UserRow>(
      `SELECT ${columns} FROM kms_identity AS own JOIN kms_user ON kms_user.id = own.user_id WHERE own.uri = ?`,
    );
    this.#all = database.prepare<[], UserRow>(
      `SELECT ${columns} FROM kms_user JOIN kms_identity AS main ON main.user_id = kms_user.id AND main.position = 0
       ORDER BY main.uri`,
    );
    this.#insertUser = database.prepare<[string, Uint8Array, number, string | null, number, string | null]>(
      `INSERT INTO kms_user (psk_id, wrapped_psk, may_request, allowed_responders, is_disabled, certificates)
       VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.#insertIdentity = database.prepare<[string, number | bigint, number]>(
      'INSERT INTO kms_identity (uri, user_id, position) VALUES (?, ?, ?)',
    );
    this.#update = database.prepare<[string, Uint8Array, number, string | null, number, string | null, number]>(
      `UPDATE kms_user SET psk_id = ?, wrapped_psk = ?, may_request = ?, allowed_responders = ?, is_disabled = ?,
         certificates = ? WHERE id = ?`,
    );
  }

  findByPskId(pskId: string): Promise<StoredUser | undefined> {
    return inStorage(() => userOrNone(this.#byPskId.get(pskId)));
  }

  findByIdentity(identity: string): Promise<StoredUser | undefined> {
    return inStorage(() => userOrNone(this.#byIdentity.get(identity)));
  }

  list(): Promise<readonly StoredUser[]> {
    return inStorage(() => this.#all.all().map(userOf));
  }

  add(user: StoredUser): ReturnType<UserStore['add']> {
    return inStorage(
      this.#immediately(() => {
        const taken = this.#database.prepare<[string]>('SELECT 1 FROM kms_identity WHERE uri = ?');
        if (user.identities.some((identity) => taken.get(identity) !== undefined)) return 'identity-taken';
        if (this.#byPskId.get(user.pskId) !== undefined) return 'psk-id-taken';
        const { lastInsertRowid } = this.#insertUser.run(
          user.pskId,
          user.wrappedPsk,
          Number(user.mayRequest),
          allowedText(user.allowedResponders),
          Number(user.isDisabled),
          certificatesText(user),
        );
        user.identities.forEach((identity, position) => this.#insertIdentity.run(identity, lastInsertRowid, position));
        return 'added';
      }),
    );
  }

  change(identity: string, change: UserChange): ReturnType<UserStore['change']> {
    return inStorage(
      this.#immediately(() => {
        const row = this.#byIdentity.get(identity);
        if (row === undefined) return 'unknown';
        const user = { ...userOf(row), ...change };
        const other = this.#byPskId.get(user.pskId);
        if (other !== undefined && other.id !== row.id) return 'psk-id-taken';
        this.#store(row.id, user);
        return 'changed';
      }),
    );
  }

  /** Within a transaction of the caller. */
  rewrap(rewrap: Rewrapping['user']): void {
    for (const row of this.#all.all()) this.#store(row.id, { ...userOf(row), wrappedPsk: rewrap(userOf(row)) });
  }

  #store(id: number, user: StoredUser): void {
    this.#update.run(
      user.pskId,
      user.wrappedPsk,
      Number(user.mayRequest),
      allowedText(user.allowedResponders),
      Number(user.isDisabled),
      certificatesText(user),
      id,
    );
  }

  #immediately<T>(action: () => T): () => T {
    return () => this.#database.transaction(action).immediate();
  }
}

const userOrNone = (row: UserRow | undefined): StoredUser | undefined => (row === undefined ? undefined : userOf(row));

export class SqliteGroups implements GroupStore {
  readonly #database: SqliteDatabase;
  readonly #groupsOf;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#groupsOf = database
      .prepare<[string], string>(
        `SELECT own.uri FROM kms_identity AS member JOIN kms_group_member USING (user_id)
         JOIN kms_identity AS own ON own.group_id = kms_group_member.group_id WHERE member.uri = ? ORDER BY own.uri`,
      )
      .pluck();
  }

  list(): Promise<readonly StoredGroup[]> {
    const rows = () =>
      this.#database
        .prepare<[], { readonly identity: string; readonly members: string }>(
          `SELECT own.uri AS identity, (SELECT json_group_array(main.uri ORDER BY main.uri) FROM kms_group_member AS member
             JOIN kms_identity AS main ON main.user_id = member.user_id AND main.position = 0
             WHERE member.group_id = own.group_id) AS members
           FROM kms_identity AS own WHERE own.group_id IS NOT NULL ORDER BY own.uri`,
        )
        .all();
    return inStorage(() =>
      rows().map(({ identity, members }) => ({ identity, members: JSON.parse(members) as readonly string[] })),
    );
  }

  put({ identity, members }: StoredGroup): ReturnType<GroupStore['put']> {
    const put = this.#database.transaction(() => {
      const find = this.#database.prepare<[string], { user_id: number | null; group_id: number | null }>(
        'SELECT user_id, group_id FROM kms_identity WHERE uri = ?',
      );
      const known = find.get(identity);
      if (known?.user_id != null) return 'identity-taken';
      const users = members.map((member) => find.get(member)?.user_id ?? undefined);
      if (users.includes(undefined)) return 'unknown-member';
      const group = known?.group_id ?? this.#make(identity);
      this.#database.prepare('DELETE FROM kms_group_member WHERE group_id = ?').run(group);
      const add = this.#database.prepare('INSERT OR IGNORE INTO kms_group_member (user_id, group_id) VALUES (?, ?)');
      for (const user of users) add.run(user, group);
      return 'stored';
    });
    return inStorage(() => put.immediate());
  }

  remove(identity: string): ReturnType<GroupStore['remove']> {
    return inStorage(() => {
      const { changes } = this.#database
        .prepare('DELETE FROM kms_group WHERE id = (SELECT group_id FROM kms_identity WHERE uri = ?)')
        .run(identity);
      return changes > 0 ? 'removed' : 'unknown';
    });
  }

  groupsOf(user: string): Promise<readonly string[]> {
    return inStorage(() => this.#groupsOf.all(user));
  }

  #make(identity: string): number | bigint {
    const { lastInsertRowid } = this.#database.prepare('INSERT INTO kms_group DEFAULT VALUES').run();
    this.#database
      .prepare('INSERT INTO kms_identity (uri, group_id, position) VALUES (?, ?, 0)')
      .run(identity, lastInsertRowid);
    return lastInsertRowid;
  }
}
