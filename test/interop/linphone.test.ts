import { afterEach, describe, expect, it } from 'vitest';
import { UeProcess, type RpcLine } from '../integration/support/ue-process.ts';
import { kamailioDomain, kamailioNetworkModules, startKamailioNetwork } from './support/kamailio-network.ts';
import { lackOfKamailio } from './support/kamailio-process.ts';
import { Linphone } from './support/linphone.ts';
import { createNetworkNamespace, lackOfNetworkNamespace, type NetworkNamespace } from './support/network-namespace.ts';
import { lackOfProgram, needing } from '../support/needs/needs.ts';

const lack =
  lackOfKamailio(kamailioNetworkModules) ??
  lackOfProgram(['linphone-cli'], 'linphone-daemon') ??
  lackOfNetworkNamespace();

const patience = 60_000;
const passwords = { alice: 'alicesword', bob: 'bobsword' };
const bobsUri = `sip:bob@${kamailioDomain}`;
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

interface Pair {
  readonly bob: Linphone;
  readonly alice: UeProcess;
}

/** Linphone as bob and our UE as alice at one Kamailio, all in a network of their own. */
async function start(transport: 'tcp' | 'tls', cpim: boolean): Promise<Pair> {
  const { within } = namespace();
  const network = await startKamailioNetwork({ users: passwords, algorithm: 'SHA-256', within });
  toStop.push(() => network.stop());
  const { caPem, access } = network;
  // The certificate proves the name and the address alike.
  const port = access[0]![transport];
  const bob = Linphone.start({
    user: 'bob',
    password: passwords.bob,
    domain: kamailioDomain,
    proxy: `sip:127.0.0.1:${port};transport=${transport}`,
    algorithm: 'SHA-256',
    trustedCa: caPem,
    cpim,
    within,
  });
  toStop.push(() => bob.stop());
  await bob.waitFor(/LinphoneRegistrationOk/, patience);
  const alice = await UeProcess.start(
    {
      identity: `sip:alice@${kamailioDomain}`,
      privateIdentity: 'alice',
      domain: kamailioDomain,
      password: passwords.alice,
      server: { host: '127.0.0.1', port, transport, serverName: kamailioDomain },
      ca: caPem,
      policy: 'any',
    },
    undefined,
    within,
  );
  toStop.push(() => alice.child.kill('SIGKILL'));
  const registered = await alice.call('register');
  expect(registered).toMatchObject({ result: { state: 'registered' } });
  return { bob, alice };
}

const isState =
  (id: string, state: string) =>
  ({ method, params }: RpcLine): boolean =>
    method === 'message.state' && params!['id'] === id && params!['state'] === state;

describe('linphone', { timeout: 120_000, ...needing(lack) }, () => {
  // linphone-daemon has no command that marks a message as read: that it tells a display is not seen here.
  it.each([
    ['tcp', 'none'],
    ['tls', 'unverified'],
  ] as const)('exchanges messages in CPIM with IMDN both ways, over %s', async (transport, level) => {
    const { bob, alice } = await start(transport, true);
    const sent = await alice.call('message.send', { to: bobsUri, text: 'from alice', way: 'message' });
    const { id } = sent.result!['message'] as { id: string };
    await bob.waitFor(new RegExp(`imdn\\.Message-ID: ${id}`), patience);
    await alice.line(isState(id, 'delivered'), 'delivery told by linphone', patience);

    await bob.command('message sip:alice@ims.test from bob');
    const received = await alice.line(({ method }) => method === 'message.received', 'the message of bob', patience);
    expect(received.params).toMatchObject({ text: 'from bob', from: bobsUri, level, state: 'received' });
    await bob.waitFor(/moving from \w+ to DeliveredToUser/, patience);
    await alice.call('message.displayed', { id: received.params!['id'] });
    await bob.waitFor(/moving from \w+ to Displayed/, patience);
  });

  it('exchanges plain text both ways', async () => {
    const { bob, alice } = await start('tcp', false);
    await bob.command('message sip:alice@ims.test plain from bob');
    const received = await alice.line(({ method }) => method === 'message.received', 'the message of bob', patience);
    expect(received.params).toMatchObject({ text: 'plain from bob', from: bobsUri, level: 'none', state: 'received' });
    await bob.waitFor(/moving from \w+ to Delivered/, patience);
    const sent = await alice.call('message.send', { to: bobsUri, text: 'to plain bob', way: 'message' });
    expect(sent.result).toMatchObject({ outcome: 'sent', message: { state: 'accepted' } });
    await bob.waitFor(/to plain bob/, patience);
  });
});

function namespace(): NetworkNamespace {
  const made = createNetworkNamespace();
  if (made === undefined) throw new Error('no network namespace');
  toStop.push(() => made.remove());
  return made;
}
