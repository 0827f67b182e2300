import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Policy } from '../../src/base/protection-level.ts';
import type { Account } from '../../src/engine/account.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { MsrpConnection } from '../../src/engine/ports.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { until } from './support/parties.ts';

interface Device {
  readonly uri: string;
  readonly account: Account;
  readonly received: string[];
  /** The connections of its sessions, so that a test can break them. */
  readonly connections: MsrpConnection[];
  stop(): Promise<void>;
}

let lab: Lab;
let alice: Device;
let bob: Device;

async function device(name: string): Promise<Device> {
  const ports = await createEnginePorts({ log: silentLogger });
  const connections: MsrpConnection[] = [];
  const kept = async (made: Promise<MsrpConnection>): Promise<MsrpConnection> => {
    const connection = await made;
    connections.push(connection);
    return connection;
  };
  const { msrp } = ports;
  const engine = new Engine({
    ...ports,
    msrp: {
      canDoPskTls: msrp.canDoPskTls,
      connect: (...parameters) => kept(msrp.connect(...parameters)),
      dial: async (...parameters) => {
        const dialled = await msrp.dial(...parameters);
        return { secure: (...more) => kept(dialled.secure(...more)), close: () => dialled.close() };
      },
      listen: async (address) => {
        const listener = await msrp.listen(address);
        return {
          address: listener.address,
          accept: (...parameters) => kept(listener.accept(...parameters)),
          close: () => listener.close(),
        };
      },
    },
  });
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(name)));
  const account = engine.addAccount(config, secrets);
  const received: string[] = [];
  account.events.on('messageReceived', ({ text }) => received.push(text));
  expect(await account.register()).toMatchObject({ state: 'registered' });
  return { uri: config.identity, account, received, connections, stop: () => engine.stop() };
}

beforeAll(async () => {
  lab = await startLab();
  [alice, bob] = await Promise.all([device('alice'), device('bob')]);
});

afterAll(async () => {
  await Promise.all([alice.stop(), bob.stop()]);
  await lab.stop();
});

describe.each<[Policy, string]>([
  ['require-e2ae', 'e2ae'],
  ['require-e2e', 'e2e'],
])('a conversation under %s whose connection is cut', (policy, level) => {
  test.each(['the side that opened it', 'the other side'])(
    'at %s goes on by itself, and no message is lost',
    { timeout: 120_000 },
    async (where) => {
      for (const { received } of [alice, bob]) received.length = 0;
      const say = (from: Device, to: Device, text: string) =>
        from.account.sendMessage({ to: to.uri, text, way: 'msrp', policy });
      const sessions = () => alice.account.status().sessions.filter((session) => session.level === level);
      expect(await say(alice, bob, 'before')).toMatchObject({ outcome: 'sent', message: { level } });
      const before = sessions().map(({ id }) => id);
      const words = Array.from({ length: 6 }, (_, count) => `word ${count}`);
      const pending = words.flatMap((word) => [say(alice, bob, word), say(bob, alice, word)]);
      for (const connection of (where === 'the other side' ? bob : alice).connections.splice(0)) connection.close();
      for (const outcome of await Promise.all(pending)) expect(outcome).toMatchObject({ outcome: 'sent' });
      await until(() => sessions().some(({ id }) => !before.includes(id)), 'the session stands again', 60_000);
      expect(await say(alice, bob, 'after')).toMatchObject({ outcome: 'sent', message: { level } });
      expect(bob.received).toEqual(['before', ...words, 'after']);
      expect(alice.received).toEqual(words);
    },
  );
});
