/** One step of the schema. A step that was released is never changed: the next one changes what it made. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  readonly sql: string;
}

export const sqliteMigrations: readonly Migration[] = [
  {
    number: 1,
    sql: `
      CREATE TABLE kms_user (
        id INTEGER PRIMARY KEY,
        psk_id TEXT NOT NULL UNIQUE,
        wrapped_psk BLOB NOT NULL,
        may_request INTEGER NOT NULL,
        allowed_responders TEXT,
        is_disabled INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE kms_group (id INTEGER PRIMARY KEY) STRICT;
      CREATE TABLE kms_identity (
        uri TEXT PRIMARY KEY,
        user_id INTEGER REFERENCES kms_user (id),
        group_id INTEGER REFERENCES kms_group (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        CHECK ((user_id IS NULL) <> (group_id IS NULL))
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX kms_identity_user ON kms_identity (user_id, position);
      CREATE INDEX kms_identity_group ON kms_identity (group_id);
      CREATE TABLE kms_group_member (
        user_id INTEGER NOT NULL REFERENCES kms_user (id),
        group_id INTEGER NOT NULL REFERENCES kms_group (id) ON DELETE CASCADE,
        PRIMARY KEY (user_id, group_id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX kms_group_member_group ON kms_group_member (group_id);
      CREATE TABLE kms_replay (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE INDEX kms_replay_until ON kms_replay (until);
      CREATE TABLE kms_tpk (
        id BLOB PRIMARY KEY,
        wrapped_key BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        active_from INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE kms_audit (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
      CREATE TABLE kms_audit_head (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        sequence INTEGER NOT NULL,
        hash BLOB NOT NULL
      ) STRICT;
      INSERT INTO kms_audit_head VALUES (1, 0, zeroblob(32));
      CREATE TABLE kms_key_check (only INTEGER PRIMARY KEY CHECK (only = 1), value BLOB NOT NULL) STRICT;
    `,
  },
  {
    number: 2,
    // JSON: "any" or a list of fingerprints.
    sql: 'ALTER TABLE kms_user ADD COLUMN certificates TEXT',
  },
];
