import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { UeProcess, type RpcLine } from '../integration/support/ue-process.ts';
import { kamailioDomain, kamailioNetworkModules, startKamailioNetwork } from './support/kamailio-network.ts';
import { whatKamailioLacks } from './support/kamailio-process.ts';
import { Linphone } from './support/linphone.ts';
import { createNetworkNamespace, type NetworkNamespace } from './support/network-namespace.ts';

const hasLinphone = spawnSync('linphone-daemon', ['--help'], { stdio: 'ignore' }).status !== null;
const trial = createNetworkNamespace();
trial?.remove();
const missing =
  whatKamailioLacks(kamailioNetworkModules) ??
  (hasLinphone ? undefined : 'linphone-daemon') ??
  (trial === undefined ? 'a network namespace' : undefined);
if (missing !== undefined) process.stderr.write(`${missing} not found: messages with linphone are skipped\n`);

const patience = 60_000;
const bobsUri = `sip:bob@${kamailioDomain}`;
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

describe.skipIf(missing !== undefined)('linphone', () => {
  it('exchanges messages in CPIM with IMDN both ways', { timeout: 120_000 }, async () => {
    const { within } = namespace();
    const users = { alice: 'alicesword', bob: 'bobsword' };
    const network = await startKamailioNetwork({ users, algorithm: 'SHA-256', within });
    toStop.push(() => network.stop());
    const { tcp } = network.access[0]!;
    const bob = Linphone.start({
      user: 'bob',
      password: users.bob,
      domain: kamailioDomain,
      proxy: `sip:127.0.0.1:${tcp};transport=tcp`,
      algorithm: 'SHA-256',
      cpim: true,
      within,
    });
    toStop.push(() => bob.stop());
    await bob.waitFor(/LinphoneRegistrationOk/, patience);
    const alice = await UeProcess.start(
      {
        identity: `sip:alice@${kamailioDomain}`,
        privateIdentity: 'alice',
        domain: kamailioDomain,
        password: users.alice,
        server: { host: '127.0.0.1', port: tcp, transport: 'tcp' },
        policy: 'any',
      },
      undefined,
      within,
    );
    toStop.push(() => alice.child.kill('SIGKILL'));
    const registered = await alice.call('register');
    expect(registered).toMatchObject({ result: { state: 'registered' } });

    const sent = await alice.call('message.send', { to: bobsUri, text: 'from alice', way: 'message' });
    const { id } = sent.result!['message'] as { id: string };
    await bob.waitFor(new RegExp(`imdn\\.Message-ID: ${id}`), patience);
    const isDelivered = (line: RpcLine): boolean =>
      line.method === 'message.state' && line.params!['id'] === id && line.params!['state'] === 'delivered';
    await alice.line(isDelivered, 'delivery told by linphone', patience);

    await bob.command('message sip:alice@ims.test from bob');
    const received = await alice.line(({ method }) => method === 'message.received', 'the message of bob', patience);
    expect(received.params).toMatchObject({ text: 'from bob', from: bobsUri, level: 'none', state: 'received' });
    await bob.waitFor(/moving from \w+ to DeliveredToUser/, patience);
    await alice.call('message.displayed', { id: received.params!['id'] });
    await bob.waitFor(/moving from \w+ to Displayed/, patience);
  });
});

function namespace(): NetworkNamespace {
  const made = createNetworkNamespace();
  if (made === undefined) throw new Error('no network namespace');
  toStop.push(() => made.remove());
  return made;
}
