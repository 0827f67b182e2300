import { closeSync, openSync } from 'node:fs';
import { loadSqliteBinding, type SqliteDatabase } from '../kms/storage/sqlite/binding.ts';
import { parseSipMessage, serialiseSipMessage, type SipMessage } from '../protocol/sip/message.ts';
import { messageStoreLimits, type MessageStore, type StoredMessage } from './edge/message-store.ts';
import type { LabUser } from './users.ts';

interface Row {
  readonly id: number;
  readonly message: Uint8Array;
}

/** Messages for absent users in a file: `add` returns when the message survives a crash of the machine. */
export class KeptMessageStore implements MessageStore {
  readonly #database: SqliteDatabase;
  /** The same as in the file, so that nothing is parsed twice. */
  readonly #waiting = new Map<string, StoredMessage[]>();

  constructor(path: string) {
    closeSync(openSync(path, 'a', 0o600));
    const binding = loadSqliteBinding();
    this.#database = new binding(path, { timeout: 5000 });
    this.#database.pragma('journal_mode = WAL');
    this.#database.pragma('synchronous = FULL');
    this.#database.exec(
      'CREATE TABLE IF NOT EXISTS waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, message BLOB NOT NULL)',
    );
    const rows = this.#database
      .prepare<[], Row & { readonly user: string }>('SELECT id, user, message FROM waiting ORDER BY id')
      .all();
    for (const { id, user, message } of rows) this.#list(user).push({ id, message: parseSipMessage(message) });
  }

  add(user: LabUser, message: SipMessage): boolean {
    const list = this.#list(user.name);
    const octets = list.reduce((sum, stored) => sum + stored.message.body.length, message.body.length);
    if (list.length >= messageStoreLimits.messages || octets > messageStoreLimits.octets) return false;
    const { lastInsertRowid } = this.#database
      .prepare<[string, Uint8Array]>('INSERT INTO waiting (user, message) VALUES (?, ?)')
      .run(user.name, Buffer.from(serialiseSipMessage(message)));
    list.push({ id: Number(lastInsertRowid), message });
    return true;
  }

  waiting(user: LabUser): readonly StoredMessage[] {
    return [...this.#list(user.name)];
  }

  remove(user: LabUser, id: number): void {
    this.#database.prepare<[number]>('DELETE FROM waiting WHERE id = ?').run(id);
    const list = this.#list(user.name);
    const at = list.findIndex((stored) => stored.id === id);
    if (at >= 0) list.splice(at, 1);
  }

  close(): void {
    this.#database.close();
  }

  #list(name: string): StoredMessage[] {
    const known = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, known);
    return known;
  }
}
