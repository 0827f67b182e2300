import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LogFields } from '../../src/base/log.ts';
import type { Clock } from '../../src/base/clock.ts';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import { Engine } from '../../src/engine/engine.ts';
import { createMemorySimState } from '../../src/engine/sim/memory-sim-state.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { until, type Party } from './support/parties.ts';

const modes = ['gba-aka', 'gba-digest'] as const;
const lines: (LogFields & { readonly event: string })[] = [];
/** Every line of the whole file: UEs, KMS and BSF. */
const everything: string[] = [];
const log = {
  log: (_level: string, event: string, fields: LogFields = {}) => {
    lines.push({ event, ...fields });
    everything.push(JSON.stringify(fields));
  },
};

const simState = createMemorySimState();
let lab: Lab;
/** alice registers with her SIM, bob with his password. */
let alice: Party;
let bob: Party;

beforeAll(async () => {
  lab = await startLab({
    users: ['alice', 'bob', 'carol', 'dave'],
    authentication: { alice: 'aka', dave: 'aka' },
    log,
  });
}, 60_000);
afterAll(() => lab.stop());
afterEach(() => {
  for (const fault of Object.keys(lab.faults)) Reflect.deleteProperty(lab.faults, fault);
  lab.bsf!.bsf.keyLifetimeSeconds = 8 * 3600;
  lines.length = 0;
});

/** An engine of its own with one registered account, over real sockets. */
async function start(
  name: string,
  overrides: Parameters<Lab['ueConfig']>[1],
  clock: Clock = systemClock,
): Promise<Party> {
  const engine = new Engine({ ...(await createEnginePorts({ log })), simState, clock });
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(name, overrides)));
  const account = engine.addAccount(config, secrets);
  const party: Party = { uri: config.identity, account, received: [], refused: [], stop: () => engine.stop() };
  account.events.on('messageReceived', (message) => party.received.push(message));
  expect(await account.register()).toMatchObject({ state: 'registered' });
  return party;
}

const bootstrappings = (): number => lines.filter(({ event }) => event === 'bootstrapping.done').length;
let counter = 0;

/** One message end to end; its text is nowhere on the wire. */
async function sendEndToEnd(from: Party, to: Party, way: 'message' | 'msrp' = 'message'): Promise<void> {
  const text = `gba-${counter++}-lands-at-noon`;
  const outcome = await from.account.sendMessage({ to: to.uri, text, way, policy: 'require-e2e' });
  expect(outcome).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
  await until(() => to.received.some((message) => message.text === text), 'the message arrives', 30_000);
  expect(to.received.find((message) => message.text === text)).toMatchObject({
    level: 'e2e',
    from: from.uri,
    evidence: { ticket: { credential: to.account.config.kms?.credential.mode } },
  });
  expect(lab.recorder.find(text)).toMatchObject({ accessLeg: { count: 0 }, insideEdge: { count: 0 } });
}

describe.each(modes)('the KMS key by %s', (mode) => {
  beforeAll(async () => {
    [alice, bob] = await Promise.all([start('alice', { kms: mode }), start('bob', { kms: mode })]);
  }, 60_000);
  afterAll(() => Promise.all([alice.stop(), bob.stop()]));

  test('end to end in both directions and both ways, with one bootstrapping each', async () => {
    for (const way of ['message', 'msrp'] as const) {
      await sendEndToEnd(alice, bob, way);
      await sendEndToEnd(bob, alice, way);
    }
    const done = lines.filter(({ event }) => event === 'bootstrapping.done');
    expect(done.map(({ subscriber }) => subscriber).sort()).toEqual(['alice@lab.test', 'bob@lab.test']);
    expect(done[0]).toMatchObject({
      mode,
      naf: 'kms.lab.test',
      btid: expect.stringMatching(/@bsf\.lab\.test$/) as string,
    });
    // Nothing that was recorded on the way to the BSF is readable.
    expect(lab.recorder.find('AKAv1-MD5').accessLeg.count).toBe(0);
  }, 60_000);

  test('a BSF that has forgotten: what the KMS still holds serves on', async () => {
    lab.bsf!.bsf.forget();
    for (const { id } of alice.account.status().sessions) await alice.account.closeSession(id);
    await sendEndToEnd(alice, bob);
    expect(bootstrappings()).toBe(0);
  }, 60_000);
});

test('a key that nears its end is replaced', async () => {
  // A tenth of its life is the margin: 32 s. The UE's clock may be 300 s off before the KMS minds.
  lab.bsf!.bsf.keyLifetimeSeconds = 320;
  let ahead = 0;
  const clock: Clock = {
    now: () => systemClock.now() + ahead,
    after: (milliseconds, action) => systemClock.after(milliseconds, action),
  };
  const carol = await start('carol', { kms: 'gba-digest' }, clock);
  const dave = await start('dave', { kms: 'gba-aka' });
  const btids = () =>
    lines
      .filter(({ event, subscriber }) => event === 'bootstrapping.done' && subscriber === 'carol@lab.test')
      .map(({ btid }) => btid);
  await sendEndToEnd(carol, dave);
  await sendEndToEnd(dave, carol);
  expect(btids()).toHaveLength(1);
  ahead = 289_000;
  const other = await start('bob', { kms: 'gba-aka' });
  await sendEndToEnd(carol, other);
  expect(new Set(btids()).size).toBe(2);
  await Promise.all([carol.stop(), dave.stop(), other.stop()]);
}, 60_000);

test('a B-TID that neither BSF nor KMS knows: the KMS answers 401 and the UE bootstraps again, once', async () => {
  const carol = await start('carol', { kms: 'gba-digest' });
  // The key is made, and lost before the KMS has ever seen it.
  let isFirst = true;
  const { bsf } = lab.bsf!;
  const handle = bsf.handle.bind(bsf);
  bsf.handle = (question) => {
    const answer = handle(question);
    if (answer.status === 200 && isFirst) {
      isFirst = false;
      bsf.forget();
    }
    return answer;
  };
  const outcome = await carol.account.sendMessage({
    to: 'sip:alice@lab.test',
    text: 'x',
    way: 'message',
    policy: 'require-e2e',
  });
  bsf.handle = handle;
  expect(outcome).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
  expect(bootstrappings()).toBe(2);
  expect(lines.some(({ event }) => event === 'kms.key-renewed')).toBe(true);
  await carol.stop();
}, 60_000);

describe('what goes wrong is refused in words', () => {
  /** Messages wait while no key can be had; a session is refused at once, and says why. */
  const open = async (name: string, overrides: Parameters<Lab['ueConfig']>[1]) => {
    const party = await start(name, overrides);
    const outcome = await party.account.openSession({ to: 'sip:bob@lab.test', policy: 'require-e2e' });
    await party.stop();
    return outcome;
  };
  const write = async (name: string, overrides: Parameters<Lab['ueConfig']>[1]) => {
    const party = await start(name, overrides);
    const outcome = await party.account.sendMessage({
      to: 'sip:bob@lab.test',
      text: 'must not leave',
      way: 'message',
      policy: 'require-e2e',
    });
    await party.stop();
    return outcome;
  };
  const kms = (name: string, mode: (typeof modes)[number], changes: object) => {
    const config = lab.ueConfig(name, { kms: mode });
    return { ...config, kms: { ...config.kms!, ...changes } };
  };

  test('a network that cannot prove itself', async () => {
    lab.faults.bsfForgedProof = true;
    for (const mode of modes) {
      expect(await write('carol', { kms: mode })).toMatchObject({
        outcome: 'refused',
        refusal: {
          code: 'network-not-proven',
          explanation: expect.stringMatching(/did not prove that it belongs to the network/) as string,
        },
      });
    }
  }, 60_000);

  test('vectors that were not made with the key of the SIM', async () => {
    const carol = await start('carol', { kms: 'gba-aka' });
    lab.faults.akaWrongKey = true;
    const outcome = await carol.account.sendMessage({ to: 'sip:bob@lab.test', text: 'x', way: 'message' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'network-not-proven' } });
    await carol.stop();
  }, 60_000);

  test('a BSF whose certificate proves another name, and one that is not there: as a KMS that is away', async () => {
    const credential = kms('carol', 'gba-digest', {}).kms.credential as { bsfUrl: string };
    for (const [changes, words] of [
      [{ ...credential, bsfServerName: 'other.lab.test' }, /certificate that proves the name/],
      [{ ...credential, bsfUrl: 'https://127.0.0.1:9/' }, /could not be reached/],
    ] as const) {
      expect(await open('carol', kms('carol', 'gba-digest', { credential: changes }))).toMatchObject({
        outcome: 'refused',
        refusal: { code: 'kms-unreachable', explanation: expect.stringMatching(words) as string },
      });
    }
  }, 60_000);

  test('a message waits for a BSF that is away, and is sent when it is there', async () => {
    const carol = await start('carol', { kms: 'gba-digest' });
    const bob2 = await start('bob', { kms: 'gba-aka' });
    const { bsf } = lab.bsf!;
    const handle = bsf.handle.bind(bsf);
    bsf.handle = () => ({ status: 503, headers: {}, body: new Uint8Array() });
    const text = 'waits for the key';
    const outcome = await carol.account.sendMessage({ to: bob2.uri, text, way: 'message', policy: 'require-e2e' });
    bsf.handle = handle;
    expect(outcome).toMatchObject({ outcome: 'waiting' });
    await until(() => bob2.received.some((message) => message.text === text), 'it is sent', 60_000);
    expect(bob2.received).toMatchObject([{ text, level: 'e2e' }]);
    await Promise.all([carol.stop(), bob2.stop()]);
  }, 90_000);

  test('a KMS whose certificate proves another name than the key is made for', async () => {
    const outcome = await open('carol', kms('carol', 'gba-digest', { serverName: 'other.lab.test' }));
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-unreachable' } });
  }, 60_000);
});

test('resynchronisation: a network that has lost count is told by the SIM', async () => {
  const dave = await start('dave', { kms: 'gba-aka' });
  const bob2 = await start('bob', { kms: 'gba-digest' });
  lab.faults.akaSequence = 'ahead';
  await sendEndToEnd(dave, bob2);
  expect(bootstrappings()).toBeGreaterThanOrEqual(1);
  await Promise.all([dave.stop(), bob2.stop()]);
}, 60_000);

test('no key stands in any log', () => {
  for (const { sim, password } of lab.users) {
    const text = everything.join('\n');
    expect(text).not.toContain(password);
    for (const secret of [sim.k, sim.opc])
      expect(text).not.toContain(secret.use((octets) => Buffer.from(octets).toString('hex')));
  }
  expect(everything.some((line) => line.includes('@bsf.lab.test'))).toBe(true);
});
