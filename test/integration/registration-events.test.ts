import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import type { Account } from '../../src/engine/account.ts';
import { Engine } from '../../src/engine/engine.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { until } from './support/parties.ts';

let lab: Lab;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  lab = await startLab({ users: ['alice', 'bob'] });
  stops.push(() => lab.stop());
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** One device of Alice, registered. */
async function device(): Promise<Account> {
  const engine = new Engine(await createEnginePorts({ log: silentLogger }));
  stops.push(() => engine.stop());
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig('alice')));
  const account = engine.addAccount(config, secrets);
  await expect(account.register()).resolves.toMatchObject({ state: 'registered' });
  return account;
}

/** Its subscription stands once the network has told it of another device. */
async function pair(): Promise<Account> {
  const first = await device();
  await device();
  await until(() => first.status().ownDevices.length === 1, 'the other device is told', 30_000);
  return first;
}

describe('a device at the network of the lab', { timeout: 120_000 }, () => {
  test('sees the other devices of its user come and go', async () => {
    const first = await device();
    const second = await device();
    await until(() => first.status().ownDevices.length === 1, 'the first sees the second', 30_000);
    await until(() => second.status().ownDevices.length === 1, 'the second sees the first', 30_000);
    await second.unregister();
    await until(() => first.status().ownDevices.length === 0, 'the second is gone', 30_000);
    expect(first.status().registration.state).toBe('registered');
  });

  test('that the operator rejects is not registered any more, says so, and does not come back', async () => {
    const account = await pair();
    lab.deregister('alice', 'rejected');
    await until(() => account.status().registration.state === 'failed', 'it is told', 30_000);
    expect(account.status().registration).toMatchObject({
      code: 'deregistered',
      willRetry: false,
      explanation: expect.stringContaining('operator') as string,
    });
    expect(account.status().ownDevices).toEqual([]);
  });

  test.each([
    ['deactivated', undefined],
    ['probation', 1],
  ] as const)('whose registration ends as %s is registered again', async (why, retryAfterSeconds) => {
    const account = await pair();
    const states: string[] = [];
    account.events.on('registration', ({ state }) => states.push(state));
    lab.deregister('alice', why, retryAfterSeconds);
    await until(() => states.join().endsWith('failed,registering,registered'), 'it is registered again', 60_000);
  });
});
