/** One step of the schema. A step that was released is never changed: the next one changes what it made. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  readonly sql: string;
}

// Texts are compared octet by octet, whatever the database's language.
export const postgresMigrations: readonly Migration[] = [
  {
    number: 1,
    sql: `
      CREATE TABLE kms_user (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        psk_id text COLLATE "C" NOT NULL UNIQUE,
        wrapped_psk bytea NOT NULL,
        may_request boolean NOT NULL,
        allowed_responders text[],
        is_disabled boolean NOT NULL
      );
      CREATE TABLE kms_group (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
      CREATE TABLE kms_identity (
        uri text COLLATE "C" PRIMARY KEY,
        user_id bigint REFERENCES kms_user (id),
        group_id bigint REFERENCES kms_group (id) ON DELETE CASCADE,
        position integer NOT NULL,
        CHECK ((user_id IS NULL) <> (group_id IS NULL))
      );
      CREATE INDEX kms_identity_user ON kms_identity (user_id, position);
      CREATE INDEX kms_identity_group ON kms_identity (group_id);
      CREATE TABLE kms_group_member (
        user_id bigint NOT NULL REFERENCES kms_user (id),
        group_id bigint NOT NULL REFERENCES kms_group (id) ON DELETE CASCADE,
        PRIMARY KEY (user_id, group_id)
      );
      CREATE INDEX kms_group_member_group ON kms_group_member (group_id);
      CREATE TABLE kms_replay (digest bytea PRIMARY KEY, until bigint NOT NULL);
      CREATE INDEX kms_replay_until ON kms_replay (until);
      CREATE TABLE kms_tpk (
        id bytea PRIMARY KEY,
        wrapped_key bytea NOT NULL,
        created_at bigint NOT NULL,
        active_from bigint NOT NULL
      );
      CREATE TABLE kms_audit (sequence bigint PRIMARY KEY, text text NOT NULL, hash bytea NOT NULL);
      CREATE TABLE kms_audit_head (
        only_one integer PRIMARY KEY CHECK (only_one = 1),
        sequence bigint NOT NULL,
        hash bytea NOT NULL
      );
      INSERT INTO kms_audit_head VALUES (1, 0, decode(repeat('00', 32), 'hex'));
      CREATE TABLE kms_key_check (only_one integer PRIMARY KEY CHECK (only_one = 1), value bytea NOT NULL);
    `,
  },
  {
    number: 2,
    // JSON: "any" or a list of fingerprints.
    sql: 'ALTER TABLE kms_user ADD COLUMN certificates text',
  },
];
