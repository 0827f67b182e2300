import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { KmsAddress } from '../../src/engine/ports.ts';
import { createHttpsKeyManagement } from '../../src/node/key-management.ts';
import { killUnderLoad, missingInAudit } from '../kms/support/kms-load.ts';
import { KmsProcess, kmsCommand } from '../kms/support/kms-process.ts';
import { people, prepareKmsFolder, type KmsFolder } from '../kms/support/kms-setup.ts';
import { hand, receive, request, resolving, type Party } from '../protocol/mikey/parties.ts';
import { lackOfPostgres, PostgresServer } from './support/postgres.ts';
import { needing } from '../support/needs/needs.ts';

const { alice, bob, carol } = people;
const patience = 120_000;
const keyManagement = createHttpsKeyManagement({ timeoutMilliseconds: 60_000 });

describe('two replicas on one PostgreSQL', needing(lackOfPostgres()), () => {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-kms-replicas-'));
  const running: KmsProcess[] = [];
  let postgres: PostgresServer | undefined;
  let setup: KmsFolder;
  const configs: string[] = [];

  beforeAll(async () => {
    postgres = new PostgresServer();
    const url = postgres.createDatabase('kms');
    setup = await prepareKmsFolder(folder);
    for (const replica of [1, 2]) {
      const own = { auditHeadFile: `head-${replica}`, storage: { postgres: { url, connections: 4 } } };
      configs.push(await setup.config(`kms-${replica}.json`, own, [alice, bob, carol]));
    }
    // The first makes the key-encryption key, as an administrator would before a second one is set up.
    running.push(await KmsProcess.start(configs[0]!));
    running.push(await KmsProcess.start(configs[1]!));
  }, patience);

  afterAll(async () => {
    await Promise.all(running.map((one) => one.end('SIGKILL')));
    postgres?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, patience);

  const address = (replica: KmsProcess): KmsAddress => ({
    url: replica.url,
    trustedCa: setup.trustedCa,
    bodyEncoding: 'base64',
  });
  const ask = (replica: KmsProcess, kind: 'ticketrequest' | 'ticketresolve', message: Uint8Array) =>
    keyManagement.exchange(kind, address(replica), message);

  async function ticketFrom(replica: KmsProcess, from: Party) {
    const asked = request(from, { now: Date.now() });
    const { message } = await ask(replica, 'ticketrequest', asked.message);
    return asked.accept(message!, Date.now());
  }

  async function resolveFor(replica: KmsProcess) {
    const transfer = hand(await ticketFrom(replica, alice), alice, bob.identity, Date.now());
    return resolving(receive(transfer.message, bob, Date.now()), bob, Date.now());
  }

  it(
    'resolve each other’s tickets, and refuse what the other has answered already',
    async () => {
      const [one, two] = running as [KmsProcess, KmsProcess];
      for (const [issuer, other] of [
        [one, two],
        [two, one],
      ] as const) {
        const resolve = await resolveFor(issuer);
        const answer = await ask(other, 'ticketresolve', resolve.message);
        expect(resolve.accept(answer.message!, Date.now()).originProven).toBe(true);
        const replayed = await ask(issuer, 'ticketresolve', resolve.message);
        expect(() => resolve.accept(replayed.message!, Date.now())).toThrow(/Invalid timestamp \(1\)/);
      }
    },
    patience,
  );

  it(
    'refuse a user from the moment on that one of them is told to, and take a new key at once',
    async () => {
      const [one, two] = running as [KmsProcess, KmsProcess];
      const question = () => request(carol, { now: Date.now() }).message;
      const statuses = async () => [
        (await ask(one, 'ticketrequest', question())).status,
        (await ask(two, 'ticketrequest', question())).status,
      ];
      expect(await statuses()).toEqual([200, 200]);
      expect((await kmsCommand(['user', 'disable', 'sip:carol@lab.test', '--config', configs[0]!])).code).toBe(0);
      expect(await statuses()).toEqual([403, 403]);
      expect((await kmsCommand(['user', 'enable', 'sip:carol@lab.test', '--config', configs[1]!])).code).toBe(0);
      expect(await statuses()).toEqual([200, 200]);
      expect((await kmsCommand(['user', 'rekey', 'sip:carol@lab.test', '--config', configs[1]!])).code).toBe(0);
      expect(await statuses()).toEqual([401, 401]);
    },
    patience,
  );

  it(
    'lose no line of an answered question when one is killed in the middle of its work',
    async () => {
      const [victim, survivor] = running as [KmsProcess, KmsProcess];
      const answered = await killUnderLoad({
        keyManagement,
        asker: alice,
        victim: { process: victim, address: address(victim) },
        survivor: { process: survivor, address: address(survivor) },
        answers: 60,
      });
      running[0] = await KmsProcess.start(configs[0]!);
      expect(answered.length).toBeGreaterThanOrEqual(120);
      expect(await missingInAudit(configs[1]!, answered)).toEqual([]);
      const verified = await kmsCommand(['audit', 'verify', '--config', configs[1]!]);
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('The audit is whole') as string });
      const resolve = await resolveFor(survivor);
      const answer = await ask(running[0], 'ticketresolve', resolve.message);
      expect(resolve.accept(answer.message!, Date.now()).originProven).toBe(true);
    },
    patience,
  );
});
