import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import type { Policy } from '../../src/base/protection-level.ts';
import { startParty, type Party } from '../../src/cli/demo/parties.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import type { FileView } from '../../src/engine/files/file-view.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { partialFolder } from '../../src/node/files/file-target.ts';

const content = secureRandom.bytes(5_000_000);
let lab: Lab;
let folder: string;
let alice: Party;
let bob: Party;

beforeAll(async () => {
  lab = await startLab({ record: false });
});
afterAll(() => lab.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-transfer-'));
  await writeFile(join(folder, 'plan.pdf'), content);
  alice = await start('alice');
  bob = await start('bob');
});
afterEach(async () => {
  await Promise.all([alice.stop(), bob.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** A UE whose received files stay in its folder over restarts. */
async function start(name: string, overrides: Parameters<Lab['ueConfig']>[1] = {}): Promise<Party> {
  const ports = await createEnginePorts({ log: silentLogger, receivedFolder: join(folder, name) });
  return startParty(lab, ports, name, overrides);
}

/** The first view of a file of this party that fits, now or later. */
function fileThat({ account }: Party, fits: (view: FileView) => boolean): Promise<FileView> {
  return new Promise((resolve) => {
    const known = account.files.views().find(fits);
    if (known !== undefined) {
      resolve(known);
      return;
    }
    const stop = account.events.on('file', (view) => {
      if (!fits(view)) return;
      stop();
      resolve(view);
    });
  });
}

const inState =
  (...states: string[]) =>
  (view: FileView) =>
    states.includes(view.state);

async function offer(policy: Policy, icon?: Uint8Array): Promise<FileView> {
  const outcome = await alice.account.sendFile({
    to: bob.account.config.identity,
    path: join(folder, 'plan.pdf'),
    policy,
    ...(icon === undefined ? {} : { icon }),
  });
  expect(outcome).toMatchObject({ outcome: 'offered', file: { name: 'plan.pdf', size: content.length } });
  return fileThat(bob, inState('offered'));
}

const received = async (): Promise<string[]> =>
  (await readdir(join(folder, 'bob'))).filter((name) => name !== partialFolder);

test.each([
  ['require-e2e', 'e2e', 'msrp-psk-tls'],
  ['require-e2ae', 'e2ae', 'msrp-fingerprint-tls'],
] as const)('a file under %s arrives whole, with its level and proof on both sides', async (policy, level, kind) => {
  const offered = await offer(policy);
  expect(offered).toMatchObject({ direction: 'in', name: 'plan.pdf', type: 'application/pdf', level });
  expect(bob.account.files.accept(offered.id)).toBe(true);
  const [taken, sent] = await Promise.all([
    fileThat(bob, inState('done', 'failed')),
    fileThat(alice, inState('done', 'failed')),
  ]);
  expect(taken).toMatchObject({ state: 'done', level, evidence: { kind }, hashChecked: true });
  expect(sent).toMatchObject({ state: 'done', level, evidence: { kind }, transferred: content.length });
  expect(Uint8Array.from(await readFile(taken.path!))).toEqual(content);
  expect(await received()).toEqual(['plan.pdf']);
});

test('a file that is declined leaves nothing, and its sender knows', async () => {
  const offered = await offer('require-e2e');
  bob.account.files.decline(offered.id);
  await fileThat(bob, inState('declined'));
  expect(await fileThat(alice, (view) => view.problem?.code === 'peer-refused')).toMatchObject({ direction: 'out' });
  await expect(readdir(join(folder, 'bob'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a file that was paused by its receiver goes on where it stopped', async () => {
  const offered = await offer('require-e2e');
  const begun = fileThat(bob, (view) => view.state === 'transferring' && view.transferred > 0);
  bob.account.files.accept(offered.id);
  await begun;
  expect(bob.account.files.pause(offered.id)).toBe(true);
  const paused = await fileThat(bob, inState('paused', 'done'));
  expect(paused.state).toBe('paused');
  await fileThat(alice, inState('paused'));
  expect(await received()).toEqual([]);
  const again = fileThat(bob, (view) => view.state === 'transferring');
  expect(bob.account.files.resume(offered.id)).toBe(true);
  expect((await again).transferred).toBeGreaterThan(0);
  const [taken, sent] = await Promise.all([fileThat(bob, inState('done')), fileThat(alice, inState('done'))]);
  expect(sent.level).toBe('e2e');
  expect(Uint8Array.from(await readFile(taken.path!))).toEqual(content);
});

test('a file that its sender cancels is gone on the other side', async () => {
  const offered = await offer('require-e2e');
  const begun = fileThat(bob, (view) => view.state === 'transferring' && view.transferred > 0);
  bob.account.files.accept(offered.id);
  await begun;
  const [own] = alice.account.files.views();
  expect(alice.account.files.cancel(own!.id)).toBe(true);
  await fileThat(alice, inState('cancelled'));
  await fileThat(bob, inState('declined'));
  expect(await received()).toEqual([]);
  expect(await readdir(join(folder, 'bob', partialFolder))).toEqual([]);
});

/** Bob has a part of the file, and is not there any more. */
async function cutWhileBobReceives(): Promise<FileView> {
  const offered = await offer('require-e2e');
  const begun = fileThat(bob, (view) => view.state === 'transferring' && view.transferred > 0);
  bob.account.files.accept(offered.id);
  await begun;
  await bob.stop();
  const { id } = offered;
  return fileThat(bob, (view) => view.id === id);
}

test('a receiver that starts again shows what was interrupted, and fetches the rest by itself', async () => {
  const { id } = await cutWhileBobReceives();
  await fileThat(alice, inState('interrupted'));
  bob = await start('bob');
  const taken = await fileThat(bob, inState('done', 'failed'));
  expect(taken).toMatchObject({ id, state: 'done', level: 'e2e', hashChecked: true, name: 'plan.pdf' });
  expect(Uint8Array.from(await readFile(taken.path!))).toEqual(content);
  expect(await received()).toEqual(['plan.pdf']);
  expect(await readdir(join(folder, 'bob', partialFolder))).toEqual([]);
});

test('what the user paused stays paused over a restart, until it is resumed', async () => {
  const offered = await offer('require-e2e');
  const begun = fileThat(bob, (view) => view.state === 'transferring' && view.transferred > 0);
  bob.account.files.accept(offered.id);
  await begun;
  bob.account.files.pause(offered.id);
  await fileThat(bob, inState('paused'));
  await bob.stop();
  bob = await start('bob');
  const kept = await fileThat(bob, (view) => view.id === offered.id);
  expect(kept).toMatchObject({ state: 'paused', level: 'e2e' });
  expect(kept.transferred).toBeGreaterThan(0);
  expect(bob.account.files.resume(offered.id)).toBe(true);
  expect(await fileThat(bob, inState('done', 'failed'))).toMatchObject({ state: 'done', level: 'e2e' });
});

test('a sender that starts again offers the file once more, and the receiver fetches only the rest', async () => {
  const { id } = await cutWhileBobReceives();
  await alice.stop();
  alice = await start('alice');
  bob = await start('bob');
  // Nobody has the file ready any more: that is said, and what is there stays.
  const stuck = await fileThat(bob, (view) => view.state === 'interrupted' && view.problem !== undefined);
  expect(stuck.problem).toMatchObject({ code: 'peer-incompatible' });
  const resumed = fileThat(bob, (view) => view.state === 'transferring');
  const outcome = await alice.account.sendFile({
    to: bob.account.config.identity,
    path: join(folder, 'plan.pdf'),
    policy: 'require-e2e',
  });
  expect(outcome.outcome).toBe('offered');
  expect((await resumed).transferred).toBeGreaterThan(0);
  const [taken, sent] = await Promise.all([fileThat(bob, inState('done')), fileThat(alice, inState('done'))]);
  expect(taken).toMatchObject({ id, level: 'e2e' });
  expect(sent).toMatchObject({ level: 'e2e', transferred: content.length });
  expect(Uint8Array.from(await readFile(taken.path!))).toEqual(content);
});

test.each([
  [{ maxOctets: 1000 }, 'more than 1000 octets'],
  [{ refusedTypes: ['application/*'] }, 'type application/pdf'],
])('a file outside of the bounds %o is refused in words, to both', async (files, words) => {
  await bob.stop();
  bob = await start('bob', { files });
  const told = new Promise<string>((resolve) => {
    bob.account.events.on('incomingRefused', ({ refusal }) => resolve(refusal.explanation));
  });
  await alice.account.sendFile({ to: bob.account.config.identity, path: join(folder, 'plan.pdf'), policy: 'any' });
  expect(await told).toContain(words);
  expect((await fileThat(alice, inState('failed'))).problem?.explanation).toContain(words);
  expect(bob.account.files.views()).toEqual([]);
});

test('an offer that its sender takes back brings nothing, whenever it is accepted', async () => {
  const offered = await offer('require-e2e');
  const [own] = alice.account.files.views();
  expect(alice.account.files.cancel(own!.id)).toBe(true);
  expect(await fileThat(alice, inState('cancelled'))).toMatchObject({ id: own!.id });
  expect(bob.account.files.accept(offered.id)).toBe(true);
  const ended = await fileThat(bob, inState('failed', 'declined', 'done'));
  expect(ended).toMatchObject({ id: offered.id, problem: { code: expect.stringMatching(/^peer-/) as string } });
  expect(await received().catch(() => [])).toEqual([]);
});

test('files of contacts are taken without a question where the account says so', async () => {
  await bob.stop();
  bob = await start('bob', {
    files: { autoAccept: 'contacts' },
    contacts: { 'sip:alice@lab.test': { policy: 'prefer-e2e' } },
  });
  await alice.account.sendFile({
    to: bob.account.config.identity,
    path: join(folder, 'plan.pdf'),
    policy: 'require-e2e',
  });
  expect(await fileThat(bob, inState('done', 'failed'))).toMatchObject({ state: 'done', level: 'e2e' });
});

test('a preview goes along with the offer', async () => {
  const icon = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x0d, 0x0a, 0x2d, 0x2d, 0x00, 0xff);
  const offered = await offer('require-e2e', icon);
  expect(offered.icon).toEqual({ contentType: 'image/png', bytes: icon });
  bob.account.files.accept(offered.id);
  expect(await fileThat(bob, inState('done', 'failed'))).toMatchObject({ state: 'done', level: 'e2e' });
});
