import { silentLogger, type Logger } from '../../base/log.ts';
import type { AccountStore, Store } from '../../engine/store/index.ts';
import type { SqliteDatabase } from '../sqlite/binding.ts';
import { GroupCommit } from './group-commit.ts';
import { ownAccount } from './sqlite-account.ts';
import { octetsOf, suspectDamage } from './sqlite-file.ts';
import { SqliteMessages } from './sqlite-messages.ts';
import { createSqliteNotes, createSqliteOutbox, createSqliteSealed, createSqliteSeen } from './sqlite-parts.ts';
import { createSqliteSearch } from './sqlite-search.ts';

/** A store over an open database, which it closes. */
export function createSqliteStore(database: SqliteDatabase, path: string, log: Logger = silentLogger): Store {
  const commit = new GroupCommit(database, ({ code }) => {
    log.log('error', 'store.failed', { code });
    if (code === 'damaged') suspectDamage(path);
  });
  const known = new Map<string, AccountStore>();
  const names = database.prepare<[], string>('SELECT name FROM account ORDER BY name').pluck();
  const removal = accountRemoval(database);
  const transaction = <Result>(work: () => Result): Result => commit.transaction(work);
  const durable = (): Promise<void> => commit.durable();
  let closed: Promise<void> | undefined;
  return {
    keeping: {
      kept: 'encrypted',
      get octets() {
        return octetsOf(path);
      },
    },
    account(id) {
      const account = known.get(id) ?? {
        messages: new SqliteMessages(database, commit, id),
        outbox: createSqliteOutbox(database, commit, id),
        seen: createSqliteSeen(database, commit, id),
        sealed: createSqliteSealed(database, commit, id),
        notes: createSqliteNotes(database, commit, id),
        transaction,
        durable,
      };
      known.set(id, account);
      return account;
    },
    accounts: () => commit.read(() => names.all()),
    notes: createSqliteNotes(database, commit),
    search: createSqliteSearch(database, commit),
    removeAccount: (id) => commit.remove(() => transaction(() => removal(id))),
    transaction,
    durable,
    close() {
      closed ??= closing(database, commit);
      return closed;
    },
  };
}

/** What belongs to an account goes before the account. */
function accountRemoval(database: SqliteDatabase): (name: string) => void {
  const tables = ['message', 'conversation', 'outbox', 'seen', 'sealed', 'note'];
  const removals = [
    ...tables.map((table) => database.prepare<[string]>(`DELETE FROM ${table} WHERE account = ${ownAccount}`)),
    database.prepare<[string]>('DELETE FROM account WHERE name = ?'),
  ];
  return (name) => {
    for (const removal of removals) removal.run(name);
  };
}

function closing(database: SqliteDatabase, commit: GroupCommit): Promise<void> {
  commit.close();
  try {
    database.close();
  } catch {
    // What was durable before stays so; there is nobody left who could do anything about the rest.
  }
  return Promise.resolve();
}
