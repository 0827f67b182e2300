import { afterEach, describe, expect, it } from 'vitest';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import type { Account } from '../../src/engine/account.ts';
import type { ChatMessage } from '../../src/engine/chat-message.ts';
import { Engine } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { until } from '../integration/support/parties.ts';
import {
  kamailioDomain,
  kamailioNetworkModules,
  startKamailioNetwork,
  type KamailioNetwork,
  type KamailioNetworkOptions,
} from './support/kamailio-network.ts';
import { whatKamailioLacks } from './support/kamailio-process.ts';

const missing = whatKamailioLacks(kamailioNetworkModules);
if (missing !== undefined) process.stderr.write(`${missing} not found: Kamailio as SIP network is skipped\n`);

const users = { alice: 'alicesword', bob: 'bobsword' };
const patience = 30_000;
const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function start(options: Partial<KamailioNetworkOptions> = {}): Promise<KamailioNetwork> {
  const network = await startKamailioNetwork({ users, algorithm: 'SHA-256', ...options });
  toStop.push(() => network.stop());
  return network;
}

interface Device {
  readonly account: Account;
  readonly received: ChatMessage[];
}

async function register(network: KamailioNetwork, user: keyof typeof users, transport: 'tcp' | 'tls'): Promise<Device> {
  const ports = network.access[0]!;
  const { config, secrets } = accountFromUeConfig(
    checkUeConfig({
      identity: `sip:${user}@${kamailioDomain}`,
      privateIdentity: user,
      domain: kamailioDomain,
      password: users[user],
      server: { host: '127.0.0.1', port: ports[transport], transport, serverName: kamailioDomain },
      ca: network.caPem,
      policy: 'any',
    }),
  );
  const engine = new Engine(await createEnginePorts({ log: silentLogger }));
  toStop.push(() => engine.stop());
  const account = engine.addAccount(config, secrets);
  const received: ChatMessage[] = [];
  account.events.on('messageReceived', (message) => received.push(message));
  expect(await account.register()).toMatchObject({ state: 'registered' });
  return { account, received };
}

describe.skipIf(missing !== undefined)('Kamailio as SIP network', () => {
  it.each(['tcp', 'tls'] as const)('registers over %s and carries messages both ways', async (transport) => {
    const network = await start({ challengesMessages: true });
    const alice = await register(network, 'alice', transport);
    const bob = await register(network, 'bob', transport);
    expect(await alice.account.sendMessage({ to: 'sip:bob@ims.test', text: 'to bob', way: 'message' })).toMatchObject({
      outcome: 'sent',
    });
    await until(() => bob.received.length > 0, 'bob receives', patience);
    expect(bob.received).toMatchObject([{ text: 'to bob', from: 'sip:alice@ims.test' }]);
    await bob.account.sendMessage({ to: 'sip:alice@ims.test', text: 'to alice', way: 'message' });
    await until(() => alice.received.length > 0, 'alice receives', patience);
  });

  it('forks to two devices of one user', async () => {
    const network = await start();
    const alice = await register(network, 'alice', 'tls');
    const devices = [await register(network, 'bob', 'tls'), await register(network, 'bob', 'tcp')];
    await alice.account.sendMessage({ to: 'sip:bob@ims.test', text: 'to both', way: 'message' });
    for (const { received } of devices) await until(() => received.length > 0, 'each device receives', patience);
    expect(devices.map(({ received }) => received.map(({ text }) => text))).toEqual([['to both'], ['to both']]);
  });

  it('goes through an edge that adds Path, along the Service-Route', async () => {
    const network = await start({ edges: 1 });
    const alice = await register(network, 'alice', 'tls');
    const bob = await register(network, 'bob', 'tls');
    await alice.account.sendMessage({ to: 'sip:bob@ims.test', text: 'to bob', way: 'message' });
    await until(() => bob.received.length > 0, 'bob receives', patience);
    expect(bob.received).toMatchObject([{ text: 'to bob' }]);
  });
});
