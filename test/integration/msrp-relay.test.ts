import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../src/base/clock.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import type { MsrpRelayConfig } from '../../src/engine/account-config.ts';
import type { FileView } from '../../src/engine/files/file-view.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { startLabRelay, type LabRelay, type LabRelayOptions } from '../../src/lab/relay/relay.ts';
import { partialFolder } from '../../src/node/files/file-target.ts';
import { until, type Party } from './support/parties.ts';
import { startRelayedParty, type RelayedPartyOptions } from './support/relayed-parties.ts';

const users = { alice: 'alices word', bob: 'bobs word' };
const patience = 30_000;
let lab: Lab;
const toStop: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  lab = await startLab({ record: false });
});
afterAll(() => lab.stop());
afterEach(async () => {
  for (const part of toStop.splice(0).reverse()) await part.stop();
});

async function startRelay(options: Partial<LabRelayOptions> = {}): Promise<LabRelay> {
  const relay = await startLabRelay({ users, ...options });
  toStop.push(relay);
  return relay;
}

function at(relay: LabRelay, name: keyof typeof users, more: Partial<MsrpRelayConfig> = {}): RelayedPartyOptions {
  return {
    relay: { uri: relay.uri, username: name, trustedCa: relay.caPem, ...more },
    relayPassword: users[name],
  };
}

async function party(name: 'alice' | 'bob', options: RelayedPartyOptions): Promise<Party> {
  const started = await startRelayedParty(lab, name, options);
  toStop.push(started);
  return started;
}

async function converse(alice: Party, bob: Party): Promise<void> {
  const sent = await alice.account.sendMessage({ to: bob.uri, text: 'there', way: 'msrp' });
  expect(sent).toMatchObject({ outcome: 'sent', message: { level: 'unverified', state: 'delivered' } });
  await until(() => bob.received.length > 0, 'bob hears', patience);
  expect(bob.received.at(-1)).toMatchObject({ text: 'there', level: 'unverified' });
  const back = await bob.account.sendMessage({ to: alice.uri, text: 'and back', way: 'msrp' });
  expect(back).toMatchObject({ outcome: 'sent', message: { level: 'unverified', state: 'delivered' } });
  await until(() => alice.received.length > 0, 'alice hears', patience);
  expect(alice.received.at(-1)).toMatchObject({ text: 'and back', level: 'unverified' });
}

describe('sessions through a relay', { timeout: 60_000 }, () => {
  test('both at one relay: messages go both ways, and the proof names the relay', async () => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', at(relay, 'bob'));
    await converse(alice, bob);
    expect(alice.account.status().sessions).toMatchObject([
      {
        level: 'unverified',
        evidence: { kind: 'msrp-relay', relay: 'localhost', side: 'own', beyond: 'tls', vouchedBy: 'nobody' },
      },
    ]);
    expect(relay.core.granted).toBe(2);
    expect(relay.core.forwardedSends).toBeGreaterThanOrEqual(4);
  });

  test('each at a relay of its own', async () => {
    const authority = await createCertificateAuthority({ commonName: 'relays', now: Date.now() });
    const [one, other] = [await startRelay({ authority }), await startRelay({ authority })];
    await converse(await party('alice', at(one, 'alice')), await party('bob', at(other, 'bob')));
    expect(one.core.granted).toBe(1);
    expect(other.core.granted).toBe(1);
  });

  test('one behind two relays: the second is asked through the first', async () => {
    const authority = await createCertificateAuthority({ commonName: 'relays', now: Date.now() });
    const [inner, outer] = [await startRelay({ authority }), await startRelay({ authority })];
    const alice = await party('alice', at(inner, 'alice', { further: [outer.uri] }));
    const bob = await party('bob', at(outer, 'bob'));
    await converse(alice, bob);
    expect(inner.core.granted).toBe(1);
    expect(outer.core.granted).toBe(2);
    expect(inner.core.forwardedSends).toBeGreaterThanOrEqual(2);
  });

  test('one without a relay connects to the other’s', async () => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', { alsoTrust: relay.caPem });
    await converse(alice, bob);
    expect(bob.account.status().sessions).toMatchObject([
      { level: 'unverified', evidence: { kind: 'msrp-relay', relay: 'localhost', side: 'peer' } },
    ]);
    expect(relay.core.granted).toBe(1);
  });

  test('but to none that does not prove its name', async () => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', {});
    // Nobody that the lab trusts signed this relay.
    const distrusted = await alice.account.sendMessage({ to: bob.uri, text: 'hello', way: 'msrp' });
    expect(distrusted.outcome).toBe('waiting');
    await until(() => bob.refused.some(({ refusal }) => refusal.code === 'tls-failed'), 'bob refuses', patience);
  });

  test('two sessions of one account share the connection and no URI', async () => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', at(relay, 'bob'));
    const carol = await startRelayedParty(lab, 'carol', {
      relay: { uri: relay.uri, username: 'alice', trustedCa: relay.caPem },
      relayPassword: users.alice,
    });
    toStop.push(carol);
    await converse(alice, bob);
    await converse(alice, carol);
    expect(relay.core.granted).toBe(4);
    expect(relay.connections).toBe(3);
  });

  test.each(['MD5', 'SHA-256'] as const)('digest with %s', async (algorithm) => {
    const relay = await startRelay({ algorithm, uriParameter: 'demanded' });
    await converse(await party('alice', at(relay, 'alice')), await party('bob', at(relay, 'bob')));
  });

  test('lifetimes out of bounds are corrected, and short ones renewed', async () => {
    // The relay's own clock stands still: a URI that is renewed late on a busy machine is still there.
    const relay = await startRelay({ minExpires: 2, maxExpires: 4, clock: new FakeClock(Date.now()) });
    const alice = await party('alice', at(relay, 'alice', { expires: 900 }));
    const bob = await party('bob', at(relay, 'bob', { expires: 1 }));
    await converse(alice, bob);
    await until(() => relay.core.granted >= 6, 'both ask again', patience);
    await converse(alice, bob);
    expect(alice.account.status().sessions).toHaveLength(1);
  });
});

describe('what ends or refuses a session', { timeout: 60_000 }, () => {
  test('a wrong password', async () => {
    const relay = await startRelay();
    const alice = await party('alice', { ...at(relay, 'alice'), relayPassword: 'guess' });
    const outcome = await alice.account.sendMessage({ to: 'sip:bob@lab.test', text: 'hello', way: 'msrp' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'relay-refused' } });
    expect(JSON.stringify(outcome)).not.toContain('guess');
    expect(relay.core.granted).toBe(0);
  });

  test('a relay whose name the certificate does not carry', async () => {
    const relay = await startRelay();
    const elsewhere = await createCertificateAuthority({ commonName: 'somebody else', now: Date.now() });
    const alice = await party('alice', at(relay, 'alice', { trustedCa: elsewhere.certificatePem }));
    const outcome = await alice.account.sendMessage({ to: 'sip:bob@lab.test', text: 'hello', way: 'msrp' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'tls-failed' } });
  });

  test('a relay that is not there', async () => {
    const relay = await startLabRelay({ users });
    await relay.stop();
    const alice = await party('alice', at(relay, 'alice'));
    const outcome = await alice.account.sendMessage({ to: 'sip:bob@lab.test', text: 'hello', way: 'msrp' });
    expect(outcome).toMatchObject({
      outcome: 'waiting',
      message: { state: 'queued', problem: { code: 'relay-unreachable' } },
    });
  });

  test('the connection to the relay is cut: the session ends on both sides, and the next one works', async () => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', at(relay, 'bob'));
    await converse(alice, bob);
    relay.cut();
    const none = (): boolean => [alice, bob].every(({ account }) => account.status().sessions.length === 0);
    await until(none, 'both sessions end', patience);
    await converse(alice, bob);
  });

  test('a relay that gives another URI instead of renewing: the session ends with its URI', async () => {
    const relay = await startRelay({
      renewal: 'new',
      minExpires: 1,
      maxExpires: 3,
      clock: new FakeClock(Date.now()),
    });
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', at(relay, 'bob'));
    expect(await alice.account.openSession({ to: bob.uri })).toMatchObject({ outcome: 'opened' });
    const none = (): boolean => [alice, bob].every(({ account }) => account.status().sessions.length === 0);
    await until(none, 'both sessions end', patience);
  });
});

describe('what a relay is not used for', { timeout: 60_000 }, () => {
  test.each([
    ['require-e2e', 'e2e'],
    ['require-e2ae', 'e2ae'],
  ] as const)('sessions under %s go past it', async (policy, level) => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', at(relay, 'bob'));
    const sent = await alice.account.sendMessage({ to: bob.uri, text: 'only for you', way: 'msrp', policy });
    expect(sent).toMatchObject({ outcome: 'sent', message: { level } });
    expect(relay.core.granted).toBe(0);
  });

  test('require-e2ae takes no offer through a relay', async () => {
    const relay = await startRelay();
    const alice = await party('alice', at(relay, 'alice'));
    const bob = await party('bob', { ...at(relay, 'bob'), policy: 'require-e2ae' });
    const sent = await alice.account.sendMessage({ to: bob.uri, text: 'hello', way: 'msrp' });
    expect(sent).toMatchObject({ outcome: 'refused' });
    expect(bob.refused).toMatchObject([{ refusal: { code: 'no-network-indication' } }]);
    expect(bob.received).toEqual([]);
  });

  test('prefer-e2e asks before it uses the relay, and says what that would be', async () => {
    const relay = await startRelay();
    const alice = await party('alice', {
      ...at(relay, 'alice'),
      policy: 'prefer-e2e',
      transport: 'tcp',
      withoutKms: true,
    });
    const bob = await party('bob', { ...at(relay, 'bob'), policy: 'any' });
    const outcome = await alice.account.sendMessage({ to: bob.uri, text: 'hello', way: 'msrp' });
    expect(outcome).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'consent-required', offered: 'unverified' },
    });
    expect(relay.core.granted).toBe(0);
    const agreed = await alice.account.sendMessage({ to: bob.uri, text: 'all the same', way: 'msrp', consent: true });
    expect(agreed).toMatchObject({ outcome: 'sent', message: { level: 'unverified' } });
  });
});

describe('files through a relay', { timeout: 60_000 }, () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tessera-relayed-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('some MiB arrive whole, at the level of the relay', async () => {
    const content = secureRandom.bytes(3_000_000);
    await writeFile(join(folder, 'plan.bin'), content);
    const relay = await startRelay();
    const alice = await party('alice', { ...at(relay, 'alice'), receivedFolder: join(folder, 'alice') });
    const bob = await party('bob', { ...at(relay, 'bob'), receivedFolder: join(folder, 'bob') });
    bob.account.events.on('file', (view) => {
      if (view.state === 'offered') bob.account.files.accept(view.id);
    });
    expect(await alice.account.sendFile({ to: bob.uri, path: join(folder, 'plan.bin') })).toMatchObject({
      outcome: 'offered',
    });
    const taken = (): FileView | undefined => bob.account.files.views().find(({ state }) => state === 'done');
    await until(() => taken() !== undefined, 'the file arrives', patience);
    expect(taken()).toMatchObject({ level: 'unverified', evidence: { kind: 'msrp-relay' } });
    const [name = ''] = (await readdir(join(folder, 'bob'))).filter((entry) => entry !== partialFolder);
    expect(Buffer.compare(await readFile(join(folder, 'bob', name)), Buffer.from(content))).toBe(0);
  });
});
