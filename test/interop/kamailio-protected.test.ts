import { afterEach, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { startKms, type KmsServer } from '../../src/kms/http/start-kms.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import type { SipProtocol } from '../../src/protocol/sip/sip-protocol.ts';
import { until } from '../integration/support/parties.ts';
import { addressOf, kamailioUe } from './support/kamailio-device.ts';
import { kamailioNetworkModules, startKamailioNetwork, type KamailioNetwork } from './support/kamailio-network.ts';
import { lackOfKamailio } from './support/kamailio-process.ts';
import { createDevice, patience, receives, sendTaken, type OurDevice } from './support/our-device.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfKamailio(kamailioNetworkModules);

const passwords = { alice: 'alicesword', bob: 'bobsword' };
const secretText = 'only for bob';
const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

interface KeyManagement {
  readonly server: KmsServer;
  readonly caPem: string;
  /** Of the configuration of a UE. */
  readonly of: (user: keyof typeof passwords) => object;
}

/** Our KMS with a key for each user of the network. */
async function startKeyManagement(): Promise<KeyManagement> {
  const authority = await createCertificateAuthority({ commonName: 'kms test', now: systemClock.now() });
  const tls = await authority.issue({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
  const keys = { alice: secureRandom.bytes(32), bob: secureRandom.bytes(32) };
  const identity = 'sip:kms.ims.test';
  const users = (['alice', 'bob'] as const).map((user) => ({
    identities: [addressOf(user)],
    pskId: `${user}-key`,
    psk: new SecretBytes(Uint8Array.from(keys[user])),
  }));
  const config = { identity, users };
  const server = await startKms({ config, tls, host: '127.0.0.1', port: 0, clock: systemClock, log: silentLogger });
  toStop.push(() => server.stop());
  return {
    server,
    caPem: authority.certificatePem,
    of: (user) => ({
      url: `https://127.0.0.1:${server.port}`,
      identity,
      pskId: `${user}-key`,
      psk: toHex(keys[user]),
    }),
  };
}

async function register(
  network: KamailioNetwork,
  keys: KeyManagement,
  user: keyof typeof passwords,
  transport: SipProtocol,
): Promise<OurDevice> {
  const more = { transport, policy: 'require-e2e', kms: keys.of(user), ca: network.caPem + keys.caPem };
  const device = await createDevice(kamailioUe(network, [user, passwords[user]], more));
  toStop.push(() => device.stop());
  expect(await device.account.register()).toMatchObject({ state: 'registered' });
  return device;
}

function bodiesSeenBy(network: KamailioNetwork): string[] {
  const seen = network.output().matchAll(/network-test body ([0-9a-f]+)/gi);
  return [...seen].map(([, hex = '']) => Buffer.from(hex, 'hex').toString('latin1'));
}

describe('messages protected end to end through Kamailio', { timeout: 120_000, ...needing(lack) }, () => {
  it.each([
    ['tls', 'wss'],
    ['udp', 'tcp'],
  ] as const)('go both ways with receipts, over %s and %s', async (alices, bobs) => {
    const network = await startKamailioNetwork({ users: passwords, algorithm: 'SHA-256', logsBodies: true });
    toStop.push(() => network.stop());
    const keys = await startKeyManagement();
    const alice = await register(network, keys, 'alice', alices);
    const bob = await register(network, keys, 'bob', bobs);
    for (const [from, to, address] of [
      [alice, bob, addressOf('bob')],
      [bob, alice, addressOf('alice')],
    ] as const) {
      const { id } = await sendTaken(from, address, secretText);
      const received = await receives(to, secretText);
      expect(received).toMatchObject({ level: 'e2e', state: 'received', evidence: { kind: 'message-psk-mime' } });
      await until(() => from.statesOf(id).includes('delivered'), 'the arrival is told', patience);
      to.account.markDisplayed(received.conversation, received.id);
      await until(() => from.statesOf(id).at(-1) === 'displayed', 'the display is told', patience);
      const kept = from.account.conversations().flatMap(({ messages }) => messages);
      expect(kept.find((message) => message.id === id)).toMatchObject({ level: 'e2e', state: 'displayed' });
    }
    // Texts and receipts went through it; it could read neither.
    const bodies = bodiesSeenBy(network);
    expect(bodies.length).toBeGreaterThanOrEqual(6);
    for (const body of bodies) {
      expect(body).toContain('application/mikey');
      expect(body).not.toContain(secretText);
      expect(body).not.toMatch(/params:xml:ns:imdn|imdn.Message-ID/i);
    }
  });

  it('fork to two devices of one user, who both read them', async () => {
    const network = await startKamailioNetwork({ users: passwords, algorithm: 'SHA-256' });
    toStop.push(() => network.stop());
    const keys = await startKeyManagement();
    const alice = await register(network, keys, 'alice', 'tls');
    const devices = [await register(network, keys, 'bob', 'wss'), await register(network, keys, 'bob', 'udp')];
    await sendTaken(alice, addressOf('bob'), secretText);
    for (const device of devices) {
      expect(await receives(device, secretText)).toMatchObject({ level: 'e2e', state: 'received' });
    }
  });
});
