import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secureRandom } from '../../src/crypto/random.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { UeProcess, type RpcLine } from '../integration/support/ue-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const mebibyte = 1024 * 1024;
/** 1024 before each release; less in between, where the time of the machine is short. */
const size = Number(process.env.TESSERA_FILE_MIB ?? 64) * mebibyte;
const patience = 240_000 + (size / mebibyte) * 1_000;

let lab: Lab;
let folder: string;
let alice: UeProcess;
let bob: UeProcess;

beforeEach(async () => {
  lab = await startLab({ record: false });
  folder = temporaryFolder('large');
});

afterEach(async () => {
  for (const ue of [alice, bob]) ue.child.kill('SIGKILL');
  await Promise.all([alice.exited, bob.exited]);
  await lab.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string, config: object): Promise<UeProcess> {
  const ue = await UeProcess.start(config, join(folder, name));
  expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
  return ue;
}

/** Mostly holes, so that the disk need not hold it twice; with octets that nobody guesses at both ends and in the middle. */
async function makeFile(path: string): Promise<string> {
  const file = await open(path, 'w');
  await file.truncate(size);
  for (const at of [0, Math.floor(size / 2), size - mebibyte]) {
    await file.write(secureRandom.bytes(mebibyte), 0, mebibyte, at);
  }
  await file.close();
  return hashOf(path);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

const fileIn =
  (state: string, least = 0) =>
  ({ method, params }: RpcLine): boolean =>
    method === 'file' && params?.['state'] === state && Number(params['transferred']) >= least;

const told = (ue: UeProcess, state: string, least = 0): Promise<RpcLine> =>
  ue.line(fileIn(state, least), `a file ${state} with ${least} octets`, patience);

describe.each([
  ['e2e', { policy: 'require-e2e', transport: 'tls' }],
  ['e2ae', { policy: 'require-e2ae', transport: 'tls' }],
  ['none', { policy: 'any', transport: 'tcp' }],
] as const)(`a file of ${size / mebibyte} MiB, %s`, (level, settings) => {
  test(
    'arrives whole although its connections were broken and its receiver was killed in the middle',
    { timeout: 2 * patience },
    async () => {
      const path = join(folder, 'large.bin');
      for (const name of ['alice', 'bob']) await mkdir(join(folder, name));
      const hash = await makeFile(path);
      const began = performance.now();
      [alice, bob] = [
        await start('alice', lab.ueConfig('alice', settings)),
        await start('bob', lab.ueConfig('bob', settings)),
      ];
      const sent = await alice.call('file.send', { to: 'sip:bob@lab.test', path, policy: settings.policy });
      expect(sent).toMatchObject({ result: { outcome: 'offered', file: { size } } });
      const { params: offered } = await told(bob, 'offered');
      expect(await bob.call('file.accept', { id: offered?.['id'] })).toMatchObject({ result: {} });

      await told(bob, 'transferring', size * 0.2);
      expect(lab.cutMedia()).toBeGreaterThan(0);
      await told(bob, 'interrupted', 1);
      await told(bob, 'transferring', size * 0.5);
      bob.child.kill('SIGKILL');
      await bob.exited;
      // What is there is not under its name.
      expect(await readdir(join(folder, 'bob', 'received'))).toEqual(['.incomplete']);

      bob = await start('bob', lab.ueConfig('bob', settings));
      const kept = await told(bob, 'interrupted', size * 0.2);
      expect(kept.params).toMatchObject({ id: offered?.['id'], name: 'large.bin', level });
      const [{ params: taken }] = await Promise.all([told(bob, 'done'), told(alice, 'done')]);
      expect(taken).toMatchObject({ id: offered?.['id'], level, hashChecked: true, transferred: size });
      const arrived = String(taken?.['path']);
      expect(arrived).toBe(join(folder, 'bob', 'received', 'large.bin'));
      expect((await stat(arrived)).size).toBe(size);
      expect(await hashOf(arrived)).toBe(hash);
      expect(await readdir(join(folder, 'bob', 'received', '.incomplete'))).toEqual([]);
      const seconds = (performance.now() - began) / 1000;
      process.stderr.write(`${size / mebibyte} MiB, ${level}: ${seconds.toFixed(1)} s, cut and kill included\n`);
    },
  );
});
