import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { loadSqliteBinding } from '../../src/kms/storage/sqlite/binding.ts';
import { openSqliteStorage } from '../../src/kms/storage/sqlite/sqlite-storage.ts';
import { createHttpsKeyManagement } from '../../src/node/key-management.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { hand, receive, request, resolving } from '../protocol/mikey/parties.ts';
import { killUnderLoad, missingInAudit } from './support/kms-load.ts';
import { KmsProcess, kmsCommand } from './support/kms-process.ts';
import { configUser, people, prepareKmsFolder, type KmsFolder } from './support/kms-setup.ts';

const { alice, bob } = people;
const patience = 120_000;
const folder = temporaryFolder('kms-cli');
const keyManagement = createHttpsKeyManagement({ timeoutMilliseconds: 60_000 });
const running = new Set<KmsProcess>();
let setup: KmsFolder;

beforeAll(async () => {
  setup = await prepareKmsFolder(folder);
});
afterAll(() => Promise.all([...running].map((one) => one.end('SIGKILL'))));

async function start(config: string): Promise<KmsProcess> {
  const server = await KmsProcess.start(config);
  running.add(server);
  return server;
}

const addressOf = ({ url }: KmsProcess) => ({ url, trustedCa: setup.trustedCa, bodyEncoding: 'base64' }) as const;

async function obtain(server: KmsProcess) {
  const asked = request(alice, { now: Date.now() });
  const granted = await keyManagement.exchange('ticketrequest', addressOf(server), asked.message);
  return asked.accept(granted.message!, Date.now());
}

describe('npm run kms', () => {
  it(
    'serves, and after a restart still resolves the tickets that it gave before',
    async () => {
      const config = await setup.config('restart.json', { storage: { sqlite: 'restart.db' } });
      const first = await start(config);
      const ticket = await obtain(first);
      expect(await first.end('SIGTERM')).toEqual([0, null]);

      const second = await start(config);
      const transfer = hand(ticket, alice, bob.identity, Date.now());
      const resolve = resolving(receive(transfer.message, bob, Date.now()), bob, Date.now());
      const answer = await keyManagement.exchange('ticketresolve', addressOf(second), resolve.message);
      expect(resolve.accept(answer.message!, Date.now()).originProven).toBe(true);
      expect(await second.end('SIGINT')).toEqual([0, null]);

      const verified = await kmsCommand(['audit', 'verify', '--config', config]);
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('compared with') as string });
    },
    patience,
  );

  it(
    'loses no line of an answered question when it is killed in the middle of its work',
    async () => {
      const config = await setup.config('crash.json', { storage: { sqlite: 'crash.db' } });
      const victim = await start(config);
      const answered = await killUnderLoad({
        keyManagement,
        asker: alice,
        victim: { process: victim, address: addressOf(victim) },
        answers: 40,
      });
      expect(answered.length).toBeGreaterThanOrEqual(40);
      expect(await missingInAudit(config, answered)).toEqual([]);
      expect((await kmsCommand(['audit', 'verify', '--config', config])).code).toBe(0);
    },
    patience,
  );

  it.each([
    { name: 'help', words: ['--help'], code: 0, says: /user rekey URI/ },
    { name: 'nothing', words: [], code: 2, says: /--config FILE is missing/ },
    { name: 'an unknown command', words: ['user', 'sing', '--config', 'x'], code: 2, says: /command 'user sing'/ },
    { name: 'an unknown option', words: ['tpk', 'list', '--loud'], code: 2, says: /Unknown option '--loud'/ },
    { name: 'a word too many', words: ['tpk', 'list', 'all', '--config', 'x'], code: 2, says: /argument 'all'/ },
    { name: 'a word too few', words: ['user', 'disable', '--config', 'x'], code: 2, says: /Something is missing/ },
    { name: 'no file', words: ['audit', 'list', '--config', '/none/kms.json'], code: 1, says: /ENOENT/ },
  ])(
    'answers $name',
    async ({ words, code, says }) => {
      const result = await kmsCommand(words);
      expect(result.stdout + result.stderr).toMatch(says);
      expect(result.code).toBe(code);
    },
    patience,
  );

  it(
    'is one program: what it prints and its exit status come from the same',
    async () => {
      const result = await KmsProcess.result(['tpk', 'sing', '--config', 'x']);
      expect(result).toEqual({ code: 2, stderr: "Unknown command 'tpk sing'. --help tells what may be given.\n" });
    },
    patience,
  );

  it(
    'names what is wrong in its configuration, and no key',
    async () => {
      const psk = alice.psk.use(toHex);
      const users = [{ identities: ['sip:a@lab.test'], pskId: 'a', psk: `${psk}00` }];
      const wrong = await kmsCommand(['--config', await setup.config('wrong.json', { users })]);
      expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('kms.config.users.0.psk') as string });
      expect(wrong.stderr).not.toContain(psk);
    },
    patience,
  );

  it(
    'lists each line of the audit as one, whatever name a user asked under',
    async () => {
      const config = await setup.config('forged.json', { storage: { sqlite: 'forged.db' } });
      const storage = openSqliteStorage({ path: join(folder, 'forged.db'), replayCapacity: 10 });
      // What a user claims stands in the line of its refusal.
      const names = ['sip:x\n99  forged', 'sip:\u001b[2K\r', 'sip:\u009b2K', 'sip:\u202egnorw', 'sip:a  user=sip:boss'];
      for (const asker of names) await storage.audit.append({ time: 0, action: 'a', outcome: 'forbidden', asker });
      await storage.close();
      const { stdout } = await kmsCommand(['audit', 'list', '--config', config]);
      const lines = stdout.trimEnd().split('\n');
      expect(lines).toHaveLength(names.length);
      for (const [index, line] of lines.entries()) {
        expect(line).toMatch(/^[ -~]+$/);
        const [, asker = ''] = / {2}asker=(".*")$/.exec(line) ?? [];
        expect(JSON.parse(asker)).toBe(names[index]);
      }
    },
    patience,
  );

  it(
    'does not start with another key-encryption key than its storage was made with',
    async () => {
      const config = await setup.config('kek.json', {
        storage: { sqlite: 'kek.db' },
        keyEncryptionKey: { environment: 'TESSERA_TEST_KEK' },
      });
      const list = (digit: string) => {
        process.env.TESSERA_TEST_KEK = digit.repeat(64);
        return kmsCommand(['user', 'list', '--config', config]);
      };
      expect((await list('1')).code).toBe(0);
      const other = await list('2');
      delete process.env.TESSERA_TEST_KEK;
      expect(other).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('kms.keyEncryptionKey: a stored key does not open under it') as string,
      });
    },
    patience,
  );
});

describe('administration while the server runs', () => {
  let config = '';
  let server: KmsProcess;
  const run = (...words: readonly string[]) => kmsCommand([...words, '--config', config]);

  beforeAll(async () => {
    config = await setup.config('admin.json', { storage: { sqlite: 'admin.db' } });
    server = await start(config);
  }, patience);

  const statusOf = async (psk: typeof alice.psk) => {
    const { message } = request({ ...alice, psk }, { now: Date.now() });
    return (await keyManagement.exchange('ticketrequest', addressOf(server), message)).status;
  };

  it(
    'disables, enables and rekeys a user from the next question on',
    async () => {
      expect(await statusOf(alice.psk)).toBe(200);
      expect((await run('user', 'disable', 'sip:alice@lab.test')).code).toBe(0);
      expect(await statusOf(alice.psk)).toBe(403);
      expect((await run('user', 'enable', 'sip:alice@lab.test')).code).toBe(0);
      expect(await statusOf(alice.psk)).toBe(200);
      const rekeyed = await run('user', 'rekey', 'sip:alice@lab.test');
      const [, hex] = /^psk: ([0-9a-f]{64})$/m.exec(rekeyed.stdout) ?? [];
      expect(rekeyed.stdout).toContain('shown once');
      expect(await statusOf(alice.psk)).toBe(401);
      expect(await statusOf(new SecretBytes(Buffer.from(hex ?? '', 'hex')))).toBe(200);
      expect((await run('user', 'permit', 'sip:alice@lab.test', '--no-request')).code).toBe(0);
      expect(await statusOf(new SecretBytes(Buffer.from(hex ?? '', 'hex')))).toBe(403);
    },
    patience,
  );

  it(
    'adds users and groups, shows them without a key, and refuses what is taken',
    async () => {
      const keyFile = join(folder, 'dave.psk');
      const words = ['user', 'add', 'sip:Dave@LAB.test', 'tel:+1-555-0100', '--psk-id', 'dave-1'];
      const added = await run(...words, '--allow', 'sip:team@lab.test', '--key-file', keyFile);
      expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining('mode 0600') as string });
      const psk = await readFile(keyFile, 'utf8');
      expect(psk).toMatch(/^[0-9a-f]{64}\n$/);
      expect(added.stdout).not.toContain(psk.trim());
      expect(await run(...words, '--key-file', keyFile)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/EEXIST/) as string,
      });
      expect(await run(...words)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/identity: belongs to a user or a group already/) as string,
      });
      const other = ['user', 'add', 'sip:erin@lab.test', '--psk-id', 'dave-1', '--key-file', `${keyFile}.2`];
      expect(await run(...other)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/psk-id: names the key of another user/) as string,
      });
      await expect(readFile(`${keyFile}.2`)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await run('user', 'rekey', 'sip:nobody@lab.test')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/identity: unknown/) as string,
      });

      expect((await run('group', 'add', 'sip:team@lab.test', 'sip:bob@lab.test')).code).toBe(0);
      expect(await run('group', 'add', 'sip:bob@lab.test', 'sip:bob@lab.test')).toMatchObject({ code: 1 });
      expect((await run('group', 'list')).stdout).toBe('sip:team@lab.test: sip:bob@lab.test\n');
      const listed = await run('user', 'list', '--json');
      expect(JSON.parse(listed.stdout.split('\n').find((line) => line.includes('Dave')) ?? '')).toEqual({
        identities: ['sip:Dave@lab.test', 'tel:+15550100'],
        pskId: 'dave-1',
        mayRequest: true,
        allowedResponders: ['sip:team@lab.test'],
        isDisabled: false,
      });
      expect(listed.stdout).not.toContain(psk.trim());
      expect((await run('user', 'list')).stdout).toContain('key dave-1  may send to sip:team@lab.test\n');
      expect((await run('group', 'remove', 'sip:team@lab.test')).code).toBe(0);
      expect(await run('group', 'remove', 'sip:team@lab.test')).toMatchObject({ code: 1 });
    },
    patience,
  );

  it(
    'announces a ticket protection key, which it does not use yet',
    async () => {
      const before = (await run('tpk', 'list', '--json')).stdout.trim();
      expect(await run('tpk', 'rotate')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/protects new tickets from 20/) as string,
      });
      const lines = (await run('tpk', 'list')).stdout.trim().split('\n');
      expect(lines).toHaveLength(2);
      expect(lines[0]).toContain(`${(JSON.parse(before) as { id: string }).id}  current`);
      expect(lines[1]).toMatch(/ announced /);
    },
    patience,
  );

  it(
    'tells who did what, and finds the first line that was changed',
    async () => {
      const listed = await run('audit', 'list');
      expect(listed.stdout).toMatch(/ {2}user-add {2}done {2}operator=\S+@\S+ {2}user=sip:Dave@lab.test\n/);
      expect(listed.stdout).toMatch(/ticketrequest {2}answered {2}user=sip:alice@lab.test {2}asker=sip:alice@lab.test/);
      const after = await run('audit', 'list', '--json', '--after', '3');
      expect(JSON.parse(after.stdout.split('\n')[0] ?? '')).toMatchObject({
        head: expect.stringMatching(/^4:[0-9a-f]{64}$/) as string,
      });
      const whole = await run('audit', 'verify');
      const [, head = ''] = /^head: (\S+)$/m.exec(whole.stdout) ?? [];
      expect(await run('audit', 'verify', '--head', head)).toMatchObject({ code: 0 });
      const later = `${Number(head.split(':')[0]) + 1000}:${'0'.repeat(64)}`;
      expect(await run('audit', 'verify', '--head', later)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/the end is missing/) as string,
      });
      expect(await run('audit', 'verify', '--head', 'x')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/SEQUENCE:HASH/) as string,
      });
      const database = new (loadSqliteBinding())(join(folder, 'admin.db'), { timeout: 30_000 });
      database.exec(`UPDATE kms_audit SET text = replace(text, 'answered', 'refused') WHERE sequence = 2`);
      database.exec(`UPDATE kms_audit SET text = replace(text, 'alice', 'mallory') WHERE sequence = 3`);
      database.close();
      expect(await run('audit', 'verify')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/broken at line 2: line 2 was changed/) as string,
      });
    },
    patience,
  );

  it(
    'puts all keys under another key-encryption key; whoever has the old one then refuses',
    async () => {
      const next = join(folder, 'next.kek');
      expect(await run('kek', 'change')).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/One of --new-file/) as string,
      });
      expect(await run('kek', 'change', '--new-file', next)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/restart every replica/) as string,
      });
      expect(await run('user', 'list')).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/kms.keyEncryptionKey/) as string,
      });
      const changed = JSON.parse(await readFile(config, 'utf8')) as object;
      await writeFile(config, JSON.stringify({ ...changed, keyEncryptionKey: { file: 'next.kek' } }));
      expect((await run('user', 'list')).code).toBe(0);
      expect((await readFile(next, 'utf8')).length).toBe(65);
    },
    patience,
  );
});

it('keeps users of the configuration as they are in the storage', async () => {
  const config = await setup.config('seed.json', { storage: { sqlite: 'seed.db' }, users: [configUser(alice)] });
  const first = await start(config);
  await first.end('SIGTERM');
  await kmsCommand(['user', 'disable', 'sip:alice@lab.test', '--config', config]);
  const second = await start(config);
  const asked = request(alice, { now: Date.now() }).message;
  expect((await keyManagement.exchange('ticketrequest', addressOf(second), asked)).status).toBe(403);
  await second.end('SIGTERM');
}, 120_000);
