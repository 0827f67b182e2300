import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openStorage } from '../../src/kms/storage/open-storage.ts';
import { openPostgresStorage } from '../../src/kms/storage/postgres/postgres-storage.ts';
import { postgresMigrations } from '../../src/kms/storage/postgres/migrations.ts';
import { PostgresConnections } from '../../src/kms/storage/postgres/connections.ts';
import { describeStorage } from '../kms/support/storage-contract.ts';
import { lackOfPostgres, PostgresServer } from './support/postgres.ts';
import { needing } from '../support/needs/needs.ts';

const storageConfig = {
  keyEncryptionKey: { file: 'none' },
  auditHeadFile: 'none',
  tpkRenewAfterSeconds: 1000,
  tpkAnnounceSeconds: 60,
};

describe('storage in PostgreSQL', needing(lackOfPostgres()), () => {
  let server: PostgresServer;
  let databases = 0;
  const newUrl = (): string => server.createDatabase(`kms${++databases}`);

  beforeAll(() => {
    server = new PostgresServer();
  }, 180_000);
  afterAll(() => server.remove(), 180_000);

  describeStorage(async (replayCapacity) => {
    const url = newUrl();
    const open = async () => {
      process.env.TESSERA_TEST_POSTGRES = url;
      return openStorage({
        ...storageConfig,
        storage: { postgres: { urlEnvironment: 'TESSERA_TEST_POSTGRES', connections: 4 } },
        replayCapacity,
      });
    };
    return { storage: await open(), another: open };
  });

  it('is made once by replicas that start together, and refused when a newer program made it', async () => {
    const url = newUrl();
    const replicas = await Promise.all(
      [1, 2, 3].map(() => openPostgresStorage({ url, connections: 2, replayCapacity: 10 })),
    );
    await Promise.all(replicas.map((replica) => replica.close()));
    const connections = new PostgresConnections(url, { connections: 1, waitsForDisk: true });
    await connections.ask({ text: 'INSERT INTO kms_schema VALUES (1000)' });
    await connections.close();
    await expect(openPostgresStorage({ url, connections: 2, replayCapacity: 10 })).rejects.toThrow(
      /schema 1000; this program knows/,
    );
    expect(postgresMigrations.map(({ number }) => number)).toEqual(postgresMigrations.map((_, index) => index + 1));
  });

  it('says so when the head of the audit is gone', async () => {
    const url = newUrl();
    const storage = await openPostgresStorage({ url, connections: 2, replayCapacity: 10 });
    const connections = new PostgresConnections(url, { connections: 1, waitsForDisk: true });
    await connections.ask({ text: 'DELETE FROM kms_audit_head' });
    await connections.close();
    await expect(storage.audit.append({ time: 0, action: 'a', outcome: 'b' })).rejects.toThrow(/head of the audit/);
    await storage.close();
  });

  it('fails while the server is away and works when it is back', async () => {
    const url = newUrl();
    const storage = await openPostgresStorage({ url, connections: 2, replayCapacity: 10 });
    await storage.check();
    server.stop();
    try {
      for (const action of [
        () => storage.check(),
        () => storage.users.findByPskId('a'),
        () => storage.audit.append({ time: 0, action: 'lost', outcome: 'b' }),
        async () => storage.replays.remember(new Uint8Array(32), 1, 0),
        () => openPostgresStorage({ url, connections: 2, replayCapacity: 10 }),
      ])
        await expect(action()).rejects.toMatchObject({ name: 'KmsStorageError' });
    } finally {
      server.restart();
    }
    await storage.check();
    expect(await storage.audit.append({ time: 0, action: 'a', outcome: 'b' })).toMatchObject({ sequence: 1 });
    await storage.close();
  });
});
