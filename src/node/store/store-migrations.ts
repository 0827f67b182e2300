import { StoreError } from '../../engine/store/index.ts';
import type { SqliteDatabase } from '../sqlite/binding.ts';

/** One step of the schema. A step that was released is never changed: the next one changes what it made. */
interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  readonly sql: string;
}

/**
 * What full-text search reads of a message: its text, and as words of it the conversation and the account, so that a search within one
 * costs what it finds there. U+E000 begins these words; no text has it (`indexedText`).
 */
const searched = (row: string): string =>
  `${row}.text || ' ' || char(57344) || 'c' || ${row}.conversation || ' ' || char(57344) || 'a' || ${row}.account`;

export const storeMigrations: readonly Migration[] = [
  {
    number: 1,
    sql: `
      CREATE TABLE account (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        messages INTEGER NOT NULL DEFAULT 0,
        seen INTEGER NOT NULL DEFAULT 0,
        highest_sequence INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      CREATE TABLE conversation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account INTEGER NOT NULL REFERENCES account (id),
        peer TEXT NOT NULL,
        newest INTEGER NOT NULL DEFAULT 0,
        read_through INTEGER NOT NULL DEFAULT 0,
        unread INTEGER NOT NULL DEFAULT 0,
        UNIQUE (account, peer)
      ) STRICT;
      CREATE INDEX conversation_newest ON conversation (account, newest);
      CREATE TABLE message (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        account INTEGER NOT NULL REFERENCES account (id),
        conversation INTEGER NOT NULL REFERENCES conversation (id),
        id TEXT NOT NULL,
        incoming INTEGER NOT NULL,
        state TEXT NOT NULL,
        at INTEGER NOT NULL,
        message_id TEXT,
        text TEXT NOT NULL,
        detail TEXT NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX message_id ON message (account, id);
      CREATE INDEX message_conversation ON message (conversation);
      CREATE INDEX message_imdn ON message (message_id, conversation) WHERE message_id IS NOT NULL;
      CREATE INDEX message_at ON message (conversation, at);
      CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
        UPDATE account SET messages = messages + 1 WHERE id = new.account;
        UPDATE conversation SET newest = new.seq, unread = unread + new.incoming WHERE id = new.conversation;
      END;
      CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
        UPDATE account SET messages = messages - 1 WHERE id = old.account;
        UPDATE conversation SET unread = unread - 1
          WHERE id = old.conversation AND old.incoming = 1 AND old.seq > read_through;
        UPDATE conversation SET newest = coalesce((SELECT max(seq) FROM message WHERE conversation = old.conversation), 0)
          WHERE id = old.conversation AND newest = old.seq;
        DELETE FROM conversation WHERE id = old.conversation AND newest = 0;
      END;
      CREATE TABLE outbox (
        account INTEGER NOT NULL REFERENCES account (id),
        id TEXT NOT NULL,
        peer TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (account, id)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE seen (
        account INTEGER NOT NULL REFERENCES account (id),
        key BLOB NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (account, key)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX seen_until ON seen (account, until);
      CREATE TRIGGER seen_added AFTER INSERT ON seen BEGIN
        UPDATE account SET seen = seen + 1 WHERE id = new.account;
      END;
      CREATE TRIGGER seen_removed AFTER DELETE ON seen BEGIN
        UPDATE account SET seen = seen - 1 WHERE id = old.account;
      END;
      -- Account 0: notes that belong to none.
      CREATE TABLE note (
        account INTEGER NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (account, kind, key)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    number: 2,
    // Full-text search, over what is there already too.
    sql: `
      CREATE VIEW message_searched AS SELECT seq, ${searched('message')} AS text FROM message WHERE message.text <> '';
      CREATE VIRTUAL TABLE message_words USING fts5 (
        text, content='message_searched', content_rowid='seq', detail='none', prefix='1 2 3',
        tokenize="unicode61 remove_diacritics 2"
      );
      INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1);
      INSERT INTO message_words (message_words) VALUES ('rebuild');
      CREATE TRIGGER message_words_added AFTER INSERT ON message WHEN new.text <> '' BEGIN
        INSERT INTO message_words (rowid, text) VALUES (new.seq, ${searched('new')});
      END;
      CREATE TRIGGER message_words_removed AFTER DELETE ON message WHEN old.text <> '' BEGIN
        INSERT INTO message_words (message_words, rowid, text) VALUES ('delete', old.seq, ${searched('old')});
      END;
      CREATE TRIGGER message_words_out AFTER UPDATE OF text ON message WHEN old.text <> '' BEGIN
        INSERT INTO message_words (message_words, rowid, text) VALUES ('delete', old.seq, ${searched('old')});
      END;
      CREATE TRIGGER message_words_in AFTER UPDATE OF text ON message WHEN new.text <> '' BEGIN
        INSERT INTO message_words (rowid, text) VALUES (new.seq, ${searched('new')});
      END;
    `,
  },
  {
    number: 3,
    // Messages that wait for their key.
    sql: `
      CREATE TABLE sealed (
        account INTEGER NOT NULL REFERENCES account (id),
        id TEXT NOT NULL,
        content_type TEXT NOT NULL,
        body BLOB NOT NULL,
        asserted TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        valid_until INTEGER,
        PRIMARY KEY (account, id)
      ) STRICT;
      CREATE INDEX sealed_received ON sealed (account, received_at);
    `,
  },
  {
    number: 4,
    // Of which sender a key is, so that one who sends much is refused alone. Of the earlier ones it is not known.
    sql: `
      ALTER TABLE seen ADD COLUMN sender TEXT NOT NULL DEFAULT '';
      CREATE TABLE seen_sender (
        account INTEGER NOT NULL REFERENCES account (id),
        sender TEXT NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (account, sender)
      ) STRICT, WITHOUT ROWID;
      INSERT INTO seen_sender SELECT account, '', count(*) FROM seen GROUP BY account;
      CREATE TRIGGER seen_sender_added AFTER INSERT ON seen BEGIN
        INSERT INTO seen_sender (account, sender, seen) VALUES (new.account, new.sender, 1)
          ON CONFLICT DO UPDATE SET seen = seen + 1;
      END;
      CREATE TRIGGER seen_sender_removed AFTER DELETE ON seen BEGIN
        UPDATE seen_sender SET seen = seen - 1 WHERE account = old.account AND sender = old.sender;
        DELETE FROM seen_sender WHERE account = old.account AND sender = old.sender AND seen < 1;
      END;
    `,
  },
];

/**
 * Brings a database to the newest version, all or nothing.
 * @param upTo an earlier version, as older programs made it
 * @throws StoreError `newer` for one that a later program made; it is left as it is
 */
export function migrateStore(database: SqliteDatabase, upTo = storeMigrations.length): void {
  const version = Number(database.pragma('user_version', { simple: true }));
  if (version > storeMigrations.length) {
    throw new StoreError(
      'newer',
      `the messages were kept by a newer version of this program (format ${version}; this one knows ${storeMigrations.length})`,
    );
  }
  if (version >= upTo) return;
  database
    .transaction(() => {
      for (const { number, sql } of storeMigrations.slice(version, upTo)) {
        database.exec(sql);
        database.pragma(`user_version = ${number}`);
      }
    })
    .immediate();
}
