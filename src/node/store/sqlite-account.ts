import type { SqliteDatabase } from '../sqlite/binding.ts';

/** The row of an account by its name: a subquery with one parameter. Null, which nothing equals, when there is none. */
export const ownAccount = '(SELECT id FROM account WHERE name = ?)';

/** Makes sure that an account has a row, before something is written for it. */
export function accountMaker(database: SqliteDatabase, name: string): () => void {
  const make = database.prepare<[string]>('INSERT OR IGNORE INTO account (name) VALUES (?)');
  const find = database.prepare<[string]>('SELECT 1 FROM account WHERE name = ?');
  return () => {
    if (find.get(name) === undefined) make.run(name);
  };
}
