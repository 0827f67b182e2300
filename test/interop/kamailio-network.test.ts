import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../integration/support/parties.ts';
import type { SipProtocol } from '../../src/protocol/sip/sip-protocol.ts';
import { addressOf, kamailioUe } from './support/kamailio-device.ts';
import {
  kamailioNetworkModules,
  startKamailioNetwork,
  type KamailioNetwork,
  type KamailioNetworkOptions,
} from './support/kamailio-network.ts';
import { lackOfKamailio } from './support/kamailio-process.ts';
import { createDevice, patience, receives, sendTaken, type OurDevice } from './support/our-device.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfKamailio(kamailioNetworkModules);

const passwords = { alice: 'alicesword', bob: 'bobsword' };
const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

async function start(options: Partial<KamailioNetworkOptions> = {}): Promise<KamailioNetwork> {
  const network = await startKamailioNetwork({ users: passwords, algorithm: 'SHA-256', ...options });
  toStop.push(() => network.stop());
  return network;
}

async function register(
  network: KamailioNetwork,
  user: keyof typeof passwords,
  transport: SipProtocol,
): Promise<OurDevice> {
  const device = await createDevice(kamailioUe(network, [user, passwords[user]], { transport }));
  toStop.push(() => device.stop());
  expect(await device.account.register()).toMatchObject({
    state: 'registered',
    associatedIdentities: [addressOf(user)],
  });
  expect(device.account.status().flow?.protocol).toBe(transport);
  return device;
}

describe('Kamailio as SIP network', { timeout: 120_000, ...needing(lack) }, () => {
  it.each([
    ['udp', 'SHA-256'],
    ['udp', 'MD5'],
    ['tcp', 'SHA-256'],
    ['tls', 'SHA-256'],
    ['tls', 'MD5'],
    ['ws', 'SHA-256'],
    ['wss', 'SHA-256'],
    ['wss', 'MD5'],
  ] as const)('registers over %s with %s and carries messages both ways', async (transport, algorithm) => {
    const network = await start({ algorithm, challengesMessages: true });
    const alice = await register(network, 'alice', transport);
    const bob = await register(network, 'bob', transport);
    await sendTaken(alice, addressOf('bob'), 'to bob');
    expect(await receives(bob, 'to bob')).toMatchObject({ from: addressOf('alice'), state: 'received' });
    await sendTaken(bob, addressOf('alice'), 'to alice');
    expect(await receives(alice, 'to alice')).toMatchObject({ from: addressOf('bob'), state: 'received' });
  });

  it('does not take a wrong password, and says so', async () => {
    const network = await start();
    const mallory = await createDevice(kamailioUe(network, ['alice', 'guessed'], { transport: 'udp' }));
    toStop.push(() => mallory.stop());
    expect(await mallory.account.register()).toMatchObject({ state: 'failed', code: 'authentication-failed' });
  });

  it('takes what is too long for a datagram over TCP, and its receipt all the same', async () => {
    const network = await start({ challengesMessages: true });
    const alice = await register(network, 'alice', 'udp');
    const bob = await register(network, 'bob', 'udp');
    const text = 'long '.repeat(500);
    const { id } = await sendTaken(alice, addressOf('bob'), text);
    await receives(bob, text);
    expect(network.output()).toMatch(/network-test MESSAGE \S+ over tcp/);
    await until(() => alice.statesOf(id).at(-1) === 'delivered', 'bob tells that it arrived', patience);
    await sendTaken(alice, addressOf('bob'), 'short');
    await receives(bob, 'short');
    expect(network.output()).toMatch(/network-test MESSAGE \S+ over udp/);
    expect(alice.account.status().flow?.protocol).toBe('udp');
  });

  it.each([
    ['wss', 'udp'],
    ['tls', 'tcp'],
  ] as const)('forks to two devices of one user, over %s and %s', async (...transports) => {
    const network = await start();
    const alice = await register(network, 'alice', 'tls');
    const devices = [await register(network, 'bob', transports[0]), await register(network, 'bob', transports[1])];
    const { id } = await sendTaken(alice, addressOf('bob'), 'to both');
    for (const device of devices) await receives(device, 'to both');
    await until(() => alice.statesOf(id).at(-1) === 'delivered', 'a device tells that it arrived', patience);
    await sendTaken(devices[0]!, addressOf('alice'), 'from one of them');
    await receives(alice, 'from one of them');
    for (const { received } of devices) expect(received.map(({ text }) => text)).toEqual(['to both']);
  });

  it.each(['udp', 'tls', 'wss'] as const)(
    'goes through an edge that adds Path, along the Service-Route, over %s',
    async (transport) => {
      const network = await start({ edges: 1 });
      const alice = await register(network, 'alice', transport);
      const bob = await register(network, 'bob', transport);
      await sendTaken(alice, addressOf('bob'), 'to bob');
      expect(await receives(bob, 'to bob')).toMatchObject({ from: addressOf('alice') });
      await sendTaken(bob, addressOf('alice'), 'to alice');
      await receives(alice, 'to alice');
    },
  );
});
