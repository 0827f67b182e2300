import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import type { Account } from '../../src/engine/account.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { RegistrationState } from '../../src/engine/sip/index.ts';
import { startLab, type Lab, type LabOptions } from '../../src/lab/lab.ts';
import type { LabUeConfig } from '../../src/lab/ue-config.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startParty, until } from './support/parties.ts';
import { UeProcess } from './support/ue-process.ts';

const withSim = { users: ['alice', 'bob'], authentication: { alice: 'aka' } } as const;
const wrongKey = '00112233445566778899aabbccddeeff';

let lab: Lab;
let folder: string;
const stops: (() => Promise<void> | void)[] = [];

beforeEach(() => (folder = temporaryFolder('aka')));

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(options: LabOptions = withSim): Promise<void> {
  lab = await startLab(options);
  stops.push(() => lab.stop());
}

/** Alice's UE as it comes up: with what it kept in the folder of the test. */
async function alice(changes: Partial<LabUeConfig> = {}): Promise<Account> {
  const engine = new Engine(await createEnginePorts({ log: silentLogger, simDirectory: folder }));
  stops.push(() => engine.stop());
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig('alice', changes)));
  return engine.addAccount(config, secrets);
}

/** Resynchronisations that the edge saw since the last look. */
function resynchronisations(): number {
  const { count } = lab.recorder.find('auts="').insideEdge;
  lab.recorder.clear();
  return count;
}

const sim = () => lab.ueConfig('alice').authentication as { mode: 'aka'; k: string; opc: string };
const untrusted: Partial<RegistrationState> = { state: 'failed', code: 'network-not-authentic', willRetry: false };

describe('a UE with a SIM', { timeout: 120_000 }, () => {
  test('registers with AKAv1-MD5, agrees on security and exchanges messages', async () => {
    await start();
    expect(lab.ueConfig('alice').password).toBeUndefined();
    const account = await alice();
    await expect(account.register()).resolves.toMatchObject({ state: 'registered' });
    expect(account.status().flow?.securityAgreement).toMatchObject({ tls: true, msrpTls: true });
    expect(lab.recorder.find('algorithm=AKAv1-MD5').insideEdge.count).toBe(2);
    const bob = await startParty(lab, 'bob');
    stops.push(() => bob.stop());
    for (const [way, policy, level] of [
      ['message', 'require-e2ae', 'e2ae'],
      ['message', 'require-e2e', 'e2e'],
      ['msrp', 'require-e2ae', 'e2ae'],
    ] as const) {
      const sent = await account.sendMessage({ to: bob.uri, text: `${way} ${level}`, way, policy });
      expect(sent).toMatchObject({ outcome: 'sent', message: { level } });
      await until(() => bob.received.some(({ text }) => text === `${way} ${level}`), 'it arrives', 30_000);
    }
    await expect(account.unregister()).resolves.toEqual({ state: 'unregistered' });
    expect(resynchronisations()).toBe(0);
  });

  test.each(['AKAv2-MD5', 'AKAv2-SHA-256'] as const)('registers with %s', async (akaAlgorithm) => {
    await start({ ...withSim, akaAlgorithm });
    await expect((await alice()).register()).resolves.toMatchObject({ state: 'registered' });
  });

  test('refuses a network that does not know its key, and takes it when it does', async () => {
    await start({ ...withSim, faults: { akaWrongKey: true } });
    const account = await alice();
    await expect(account.register()).resolves.toMatchObject({
      ...untrusted,
      explanation: expect.stringContaining('could not prove itself') as string,
    });
    expect(lab.recorder.find('response=""').insideEdge.count).toBe(2);
    delete lab.faults.akaWrongKey;
    await expect(account.register()).resolves.toMatchObject({ state: 'registered' });
  });

  test.each(['k', 'opc'] as const)('with a wrong %s is not registered', async (field) => {
    await start();
    const account = await alice({ authentication: { ...sim(), [field]: wrongKey } });
    await expect(account.register()).resolves.toMatchObject(untrusted);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('with another AMF configured than the network uses is not registered', async () => {
    await start();
    await expect((await alice({ authentication: { ...sim(), amf: '8000' } })).register()).resolves.toMatchObject(
      untrusted,
    );
    await expect((await alice({ authentication: { ...sim(), amf: '0000' } })).register()).resolves.toMatchObject({
      state: 'registered',
    });
  });

  test('finds together with a network whose sequence numbers are elsewhere', async () => {
    await start({ ...withSim, faults: { akaSequence: 'ahead' } });
    await expect((await alice()).register()).resolves.toMatchObject({ state: 'registered' });
    expect(resynchronisations()).toBe(1);
  });

  test('takes no challenge twice after a restart, because it kept its sequence numbers', async () => {
    await start();
    const first = await alice();
    await expect(first.register()).resolves.toMatchObject({ state: 'registered' });
    await first.stop();
    expect(resynchronisations()).toBe(0);
    lab.faults.akaSequence = 'repeated';
    await expect((await alice()).register()).resolves.toMatchObject({ state: 'registered' });
    expect(resynchronisations()).toBe(1);
    // The same without what was kept: the repeated number is taken for a new one.
    folder = temporaryFolder('aka');
    await expect((await alice()).register()).resolves.toMatchObject({ state: 'registered' });
    expect(resynchronisations()).toBe(0);
  });

  test('does not register with a damaged record of its sequence numbers', async () => {
    await start();
    const first = await alice();
    await first.register();
    await first.stop();
    const [file = ''] = readdirSync(folder);
    writeFileSync(join(folder, file), readFileSync(join(folder, file), 'utf8').slice(0, -10));
    await expect((await alice()).register()).resolves.toMatchObject({ state: 'failed', code: 'sim-unusable' });
  });

  test('in a process that is killed, and started again', async () => {
    await start();
    const config = lab.ueConfig('alice');
    const ue = await UeProcess.start(config, folder);
    stops.push(() => void ue.child.kill('SIGKILL'));
    expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
    ue.child.kill('SIGKILL');
    await ue.exited;
    lab.faults.akaSequence = 'repeated';
    lab.recorder.clear();
    const again = await UeProcess.start(config, folder);
    stops.push(() => void again.child.kill('SIGKILL'));
    expect(await again.call('register')).toMatchObject({ result: { state: 'registered' } });
    expect(resynchronisations()).toBe(1);
    const { k, opc } = sim();
    expect(`${ue.stderr}${again.stderr}`).not.toMatch(new RegExp(`${k}|${opc}`, 'i'));
  });
});
