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
  const ports = (name: string) => createEnginePorts({ log: silentLogger, receivedFolder: join(folder, name) });
  alice = await startParty(lab, await ports('alice'), 'alice');
  bob = await startParty(lab, await ports('bob'), 'bob');
});
afterEach(async () => {
  await Promise.all([alice.stop(), bob.stop()]);
  await rm(folder, { recursive: true, force: true });
});

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

async function offer(policy: Policy): Promise<FileView> {
  const outcome = await alice.account.sendFile({
    to: bob.account.config.identity,
    path: join(folder, 'plan.pdf'),
    policy,
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
