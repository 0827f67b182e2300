import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createSipUserAgent, type SipUserAgent } from '../../src/engine/sip/index.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { until } from '../integration/support/parties.ts';
import { accessServer, addressOf, kamailioUe } from './support/kamailio-device.ts';
import {
  kamailioDomain,
  kamailioNetworkModules,
  startKamailioNetwork,
  type KamailioNetwork,
} from './support/kamailio-network.ts';
import { lackOfKamailio } from './support/kamailio-process.ts';
import { createDevice, patience, receives, sendTaken, type OurDevice } from './support/our-device.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfKamailio(kamailioNetworkModules);

const passwords = { alice: 'alicesword', bob: 'bobsword' };
/** A flow is made again soon, or not before the test is over. */
const soon = { allFailed: 300, someFailed: 300, longest: 1_000 };
const notNow = { allFailed: 3_600_000, someFailed: 3_600_000, longest: 3_600_000 };
const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

async function startWithTwoEdges(): Promise<KamailioNetwork> {
  const network = await startKamailioNetwork({ users: passwords, algorithm: 'SHA-256', edges: 2 });
  toStop.push(() => network.stop());
  return network;
}

/** Registered over two flows, one to each edge. */
async function register(
  network: KamailioNetwork,
  user: keyof typeof passwords,
  flowRecovery: typeof soon,
  transport: 'tls' | 'tcp' = 'tls',
): Promise<OurDevice> {
  const secondServer = accessServer(network.access[1]!, transport);
  const ue = kamailioUe(network, [user, passwords[user]], { transport, secondServer, flowRecovery });
  const device = await createDevice(ue);
  toStop.push(() => device.stop());
  expect(await device.account.register()).toMatchObject({ state: 'registered' });
  await until(() => registeredFlows(device).length === 2, `two flows of ${user}`, patience);
  return device;
}

function registeredFlows({ account }: OurDevice): number[] {
  const flows = account.status().flows.filter(({ registration }) => registration.state === 'registered');
  return flows.map(({ regId }) => regId);
}

/** How often a MESSAGE was brought to a device, by the Call-ID of each that was. */
function deliveries(network: KamailioNetwork): number[] {
  const counts = new Map<string, number>();
  for (const [, callId = ''] of network.output().matchAll(/network-test MESSAGE (\S+) to a device/g)) {
    counts.set(callId, (counts.get(callId) ?? 0) + 1);
  }
  return [...counts.values()];
}

describe('Kamailio with two edges', { timeout: 120_000, ...needing(lack) }, () => {
  it('keeps two flows of an account and brings a message over one of them', async () => {
    const network = await startWithTwoEdges();
    const alice = await register(network, 'alice', soon);
    const bob = await register(network, 'bob', soon);
    expect(registeredFlows(bob)).toEqual([1, 2]);
    await sendTaken(alice, addressOf('bob'), 'first');
    await sendTaken(alice, addressOf('bob'), 'second');
    await receives(bob, 'second');
    expect(bob.received.map(({ text }) => text)).toEqual(['first', 'second']);
    expect(deliveries(network).length).toBeGreaterThanOrEqual(2);
    expect(new Set(deliveries(network))).toEqual(new Set([1]));
  });

  it('goes on over the other flow when an edge is gone, and has both when it is back', async () => {
    const network = await startWithTwoEdges();
    const alice = await register(network, 'alice', soon, 'tcp');
    const bob = await register(network, 'bob', soon);
    await network.stopEdge(0);
    for (const device of [alice, bob]) {
      await until(() => registeredFlows(device).join() === '2', 'the first flow is lost', patience);
    }
    await sendTaken(alice, addressOf('bob'), 'over the other');
    await receives(bob, 'over the other');
    await sendTaken(bob, addressOf('alice'), 'back over the other');
    await receives(alice, 'back over the other');
    await network.startEdge(0);
    for (const device of [alice, bob]) {
      await until(() => registeredFlows(device).join() === '1,2', 'both flows are there again', patience);
    }
    await sendTaken(alice, addressOf('bob'), 'with both');
    await receives(bob, 'with both');
    for (const { received } of [alice, bob])
      expect(new Set(received.map(({ text }) => text)).size).toBe(received.length);
  });

  it('is reached over its next flow when an edge answers that the first one failed (430)', async () => {
    const network = await startWithTwoEdges();
    const alice = await register(network, 'alice', soon);
    const bob = await register(network, 'bob', notNow);
    await network.stopEdge(0);
    await until(() => registeredFlows(bob).join() === '2', 'the first flow of bob is lost', patience);
    await network.startEdge(0);
    await sendTaken(alice, addressOf('bob'), 'to the next flow');
    expect(await receives(bob, 'to the next flow')).toMatchObject({ state: 'received' });
    expect(network.output()).toMatch(/network-test next flow after 430/);
    expect(bob.received).toHaveLength(1);
  });

  it('gives each device a globally routable URI, which leads to that device alone', async () => {
    const network = await startKamailioNetwork({ users: passwords, algorithm: 'SHA-256' });
    toStop.push(() => network.stop());
    const alice = await userAgent(network, 'alice');
    const devices = [await userAgent(network, 'bob'), await userAgent(network, 'bob')];
    const bodies = devices.map(() => [] as string[]);
    devices.forEach((device, index) =>
      device.events.on('message', (message) => {
        bodies[index]!.push(new TextDecoder().decode(message.body));
        message.respond(200);
      }),
    );
    const gruus = devices.map(({ gruu }) => gruu?.public ?? '');
    for (const gruu of gruus) expect(gruu).toMatch(/^sip:bob@ims\.test;gr=urn:uuid:/);
    expect(new Set(gruus).size).toBe(2);
    for (const [index, to] of gruus.entries()) {
      const body = utf8(`to device ${index}`);
      expect(await alice.sendMessage({ to, contentType: 'text/plain', body })).toMatchObject({ status: 200 });
    }
    expect(bodies).toEqual([['to device 0'], ['to device 1']]);
  });
});

async function userAgent(network: KamailioNetwork, user: keyof typeof passwords): Promise<SipUserAgent> {
  const { host, port, serverName } = accessServer(network.access[0]!, 'tls');
  const made = createSipUserAgent({
    ports: await createEnginePorts({ log: silentLogger }),
    account: {
      identity: addressOf(user),
      privateIdentity: user,
      domain: kamailioDomain,
      authentication: { mode: 'digest', password: new SecretBytes(utf8(passwords[user])) },
      target: { host, port, protocol: 'tls', serverName, trustedCa: network.caPem },
      registrationEvents: false,
    },
  });
  toStop.push(() => made.stop());
  expect(await made.register()).toMatchObject({ state: 'registered' });
  return made;
}
