import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { loadSqlite, type SqliteDatabase } from '../../../src/node/sqlite/binding.ts';

/** SQLite with a table of messages and an index of their words, and nothing else: no encryption, no accounts, no counts. */
export class BareStore {
  readonly #database: SqliteDatabase;
  readonly #add;
  readonly #search;
  readonly #newest;

  constructor(path: string) {
    this.#database = new (loadSqlite())(path, { timeout: 1_000 });
    this.#database.pragma('journal_mode = WAL');
    this.#database.pragma('synchronous = FULL');
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS message (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, peer TEXT NOT NULL, text TEXT NOT NULL, rest TEXT NOT NULL
      );
      CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
        text, content='message', content_rowid='seq', tokenize="unicode61 remove_diacritics 2"
      );
      CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON message BEGIN
        INSERT INTO words (rowid, text) VALUES (new.seq, new.text);
      END;`);
    this.#add = this.#database.prepare<[string, string, string, string]>(
      'INSERT INTO message (id, peer, text, rest) VALUES (?, ?, ?, ?)',
    );
    this.#search = this.#database.prepare<[string], object>(
      `SELECT message.* FROM words JOIN message ON message.seq = words.rowid WHERE words MATCH ?
       ORDER BY words.rowid DESC LIMIT 50`,
    );
    this.#newest = this.#database.prepare<[], object>(
      'SELECT *, max(seq) FROM message GROUP BY peer ORDER BY max(seq) DESC LIMIT 500',
    );
  }

  /** In one transaction. */
  add(messages: Iterable<ChatMessage>): void {
    this.#database
      .transaction(() => {
        for (const { id, conversation, text, ...rest } of messages) {
          this.#add.run(id, conversation, text, JSON.stringify(rest));
        }
      })
      .immediate();
  }

  search(words: readonly string[]): number {
    return this.#search.all(words.map((word) => `"${word}"*`).join(' AND ')).length;
  }

  conversations(): number {
    return this.#newest.all().length;
  }

  close(): void {
    this.#database.close();
  }
}
