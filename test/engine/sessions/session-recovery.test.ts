import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Random } from '../../../src/base/random.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../../src/base/protection-level.ts';
import type { SendOutcome } from '../../../src/engine/chat-message.ts';
import { limits } from '../../../src/engine/limits.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { flows } from '../support/memory-sip.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

let world: World;
let alice: User;
let bob: User;

async function start(options: UserOptions = {}, random: Random = seededRandom()): Promise<void> {
  world = new World(random);
  alice = await world.user('alice', options);
  bob = await world.user('bob', options);
  // What the IMS-ALG on each side does, as far as a UE sees it.
  world.sip.changeOffer = (sdp) => sdp.replace('a=3ge2ae:requested', 'a=3ge2ae:applied');
  world.sip.changeAnswer = (sdp) => (sdp.includes('fingerprint') ? `${sdp}a=3ge2ae:applied\r\n` : sdp);
}

function say(from: User, to: string, text: string, policy: Policy): Promise<SendOutcome> {
  return from.account.sendMessage({ to: `sip:${to}@lab.test`, text, way: 'msrp', policy });
}

/** Lets time pass until it is known what became of each. */
async function outcomes(pending: readonly Promise<SendOutcome>[]): Promise<readonly SendOutcome[]> {
  const all = Promise.all(pending);
  const settled = { all: false };
  void all.then(() => (settled.all = true));
  for (let steps = 0; !settled.all && steps < 400; steps++) await world.pass(1_000);
  expect(settled.all).toBe(true);
  return all;
}

function nameOf(text: string): string {
  return text.split(' ').slice(0, 2).join(' ');
}

afterEach(async () => {
  world.msrp.fault = undefined;
  world.sip.fault = 'none';
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  await settle();
  expect(world.clock.waiting).toBe(0);
});

interface Kind {
  readonly policy: Policy;
  readonly level: ProtectionLevel;
  readonly options: UserOptions;
}

const kinds: readonly Kind[] = [
  { policy: 'require-e2e', level: 'e2e', options: {} },
  { policy: 'require-e2ae', level: 'e2ae', options: { policy: 'any' } },
  { policy: 'any', level: 'none', options: { policy: 'any', flow: flows.clear } },
];

describe.each(kinds)('connections that break at random points under $policy', ({ policy, level, options }) => {
  test.each(Array.from({ length: 10 }, (_, seed) => seed + 1))(
    'every message is shown once, in order, no less protected (seed %i)',
    async (seed) => {
      const random = seededRandom(String(seed));
      await start(options, random);
      const chance = (): number => (random.bytes(1)[0] ?? 0) / 256;
      let breaks = 6;
      world.msrp.fault = () => {
        if (breaks === 0 || chance() > 0.06) return undefined;
        breaks -= 1;
        return chance() < 0.7 ? 'cut' : 'lost';
      };
      const pending: Promise<SendOutcome>[] = [];
      const written = { alice: [] as string[], bob: [] as string[] };
      for (let count = 0; count < 40; count++) {
        const [from, name, to] = chance() < 0.5 ? ([alice, 'alice', 'bob'] as const) : ([bob, 'bob', 'alice'] as const);
        // Some of them need several chunks.
        const text = `${name} ${count} ${'x'.repeat(chance() < 0.15 ? 6_000 : 10)}`;
        written[name].push(nameOf(text));
        pending.push(say(from, to, text, policy));
        if (chance() < 0.3) await settle();
        if (chance() < 0.2) await world.pass(Math.floor(chance() * 9_000));
      }
      const results = await outcomes(pending);
      const isOwed = (): boolean => [alice, bob].some(({ account }) => account.outbox.list().length > 0);
      for (let steps = 0; isOwed() && steps < 400; steps++) await world.pass(1_000);
      await settle();
      for (const [writer, reader, name] of [
        [alice, bob, 'alice'],
        [bob, alice, 'bob'],
      ] as const) {
        const shown = reader.received.map(({ text }) => nameOf(text));
        expect(new Set(shown).size).toBe(shown.length);
        expect(shown).toEqual(written[name].filter((text) => shown.includes(text)));
        expect(reader.received.every((message) => isAtLeast(message.level, level))).toBe(true);
        const left = writer.states.filter(({ state }) => state !== 'queued');
        expect(left.every((message) => isAtLeast(message.level, level))).toBe(true);
      }
      const arrived = new Set([...alice.received, ...bob.received].map(({ text }) => text));
      for (const result of results) {
        if (result.outcome === 'sent') expect(arrived.has(result.message.text)).toBe(true);
      }
      expect(results.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
      expect(arrived.size).toBe(pending.length);
    },
  );
});

/** An open session from alice to bob, in which one message has gone each way. */
async function talking(): Promise<void> {
  for (const [from, to] of [
    [alice, 'bob'],
    [bob, 'alice'],
  ] as const) {
    expect(await say(from, to, 'hello', 'require-e2e')).toMatchObject({ outcome: 'sent' });
  }
  await world.pass(limits.sessionShortMilliseconds);
}

function openIds(user: User): string[] {
  return user.account.status().sessions.map(({ id }) => id);
}

describe('a lost session', () => {
  beforeEach(() => start());

  test('is set up again by the side that opened it, with fresh keys', async () => {
    await talking();
    const [before] = alice.account.status().sessions;
    world.msrp.cutAll();
    await world.pass(5_000);
    const [after, ...more] = alice.account.status().sessions;
    expect(more).toEqual([]);
    expect(after).toMatchObject({ peer: before?.peer, level: 'e2e', direction: 'out' });
    const keyOf = (evidence: object | undefined): unknown => (evidence as { keyId?: string } | undefined)?.keyId;
    expect(keyOf(after?.evidence)).not.toBe(keyOf(before?.evidence));
    expect(world.sip.invites.map(({ from }) => from)).toEqual(['sip:alice@lab.test', 'sip:alice@lab.test']);
  });

  test('is set up again by the other side when the one that opened it cannot', async () => {
    await talking();
    alice.userAgent.invite = () => Promise.resolve({ outcome: 'rejected', status: 480, reason: 'no way' });
    const pending = say(bob, 'alice', 'are you there?', 'require-e2e');
    world.msrp.cutAll();
    expect(await outcomes([pending])).toMatchObject([{ outcome: 'sent', message: { level: 'e2e' } }]);
    expect(alice.received.map(({ text }) => text)).toEqual(['hello', 'are you there?']);
    expect(alice.account.status().sessions).toMatchObject([{ direction: 'in', level: 'e2e' }]);
  });

  test('is found out by silence, with a message under way and without', async () => {
    await talking();
    const [first] = openIds(alice);
    world.msrp.loseAll();
    expect(await outcomes([say(alice, 'bob', 'into the void', 'require-e2e')])).toMatchObject([{ outcome: 'sent' }]);
    expect(bob.received.map(({ text }) => text)).toEqual(['hello', 'into the void']);
    const [second] = openIds(alice);
    expect(second).not.toBe(first);
    world.msrp.loseAll();
    await world.pass(100_000);
    expect(openIds(alice)).toHaveLength(1);
    expect(openIds(bob)).toHaveLength(1);
    expect(openIds(alice)).not.toEqual([second]);
  });

  test('is set up again at once when this device has another address, whoever had opened it', async () => {
    for (const { userAgent } of [alice, bob]) userAgent.flow = { ...flows.protected, localAddress: '192.0.2.10' };
    await talking();
    const before = openIds(bob);
    bob.userAgent.flow = { ...flows.protected, localAddress: '198.51.100.7' };
    world.msrp.loseAll();
    await bob.userAgent.register();
    await world.pass(2_500);
    expect(bob.account.status().sessions).toMatchObject([{ direction: 'out', level: 'e2e' }]);
    expect(openIds(bob)).not.toEqual(before);
    expect(await outcomes([say(alice, 'bob', 'still there?', 'require-e2e')])).toMatchObject([{ outcome: 'sent' }]);
  });

  test('stays while the address does', async () => {
    for (const { userAgent } of [alice, bob]) userAgent.flow = { ...flows.protected, localAddress: '192.0.2.10' };
    await talking();
    const before = openIds(bob);
    await bob.userAgent.register();
    await world.pass(2_500);
    expect(openIds(bob)).toEqual(before);
  });

  test('is not set up with less protection: what was under way may have arrived, and is sent again as itself', async () => {
    await start({ policy: 'any' });
    const { changeAnswer } = world.sip;
    expect(await say(alice, 'bob', 'hello', 'any')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    // The network says no more that it protects sessions to its edge.
    world.sip.changeAnswer = (sdp) => sdp;
    world.msrp.loseAll();
    const pending = say(alice, 'bob', 'secret', 'any');
    expect(await outcomes([pending])).toMatchObject([
      { outcome: 'waiting', message: { state: 'sent', level: 'e2ae', problem: { code: 'connection-lost' } } },
    ]);
    expect(bob.received.map(({ text }) => text)).toEqual(['hello']);
    expect(alice.account.status().sessions).toEqual([]);
    world.sip.changeAnswer = changeAnswer;
    await world.pass(10_000);
    expect(bob.received.map(({ text }) => text)).toEqual(['hello', 'secret']);
  });

  test('is given up after a time, visibly; its text waits for another', async () => {
    await talking();
    world.msrp.loseAll();
    const pending = say(alice, 'bob', 'anybody?', 'require-e2e');
    await settle();
    world.sip.fault = 'lost';
    expect(await outcomes([pending])).toMatchObject([
      { outcome: 'waiting', message: { state: 'sent', problem: { code: 'connection-lost' } } },
    ]);
    expect(world.logLines.filter((line) => line.includes('session.recovery-failed'))).not.toEqual([]);
  });

  test('is given up when its contact’s policy forbids it meanwhile', async () => {
    await start({ policy: 'any' });
    expect(await say(alice, 'bob', 'hello', 'any')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    await world.pass(limits.sessionShortMilliseconds);
    world.sip.fault = 'lost';
    world.msrp.cutAll();
    await world.pass(1_000);
    const pending = say(alice, 'bob', 'secret', 'any');
    await settle();
    alice.account.setContactPolicy('sip:bob@lab.test', 'require-e2e');
    world.sip.fault = 'none';
    expect(await outcomes([pending])).toMatchObject([{ outcome: 'waiting' }]);
    await world.pass(10_000);
    // What waited goes on under the stricter policy, and not under the one that it was written for.
    expect(bob.received.map(({ text, level }) => `${text} ${level}`)).toEqual(['hello e2ae', 'secret e2e']);
    expect(alice.account.status().sessions.filter(({ level }) => level !== 'e2e')).toEqual([]);
  });

  test('is not set up again for its own sake when it did not last', async () => {
    await talking();
    world.msrp.cutAll();
    await world.pass(5_000);
    expect(openIds(alice)).toHaveLength(1);
    world.msrp.cutAll();
    await world.pass(60_000);
    expect([openIds(alice), openIds(bob)]).toEqual([[], []]);
    expect(world.sip.invites).toHaveLength(2);
  });

  test('that the other side ended is not set up again when nothing was under way', async () => {
    await talking();
    const [id = ''] = openIds(bob);
    await bob.account.closeSession(id);
    await world.pass(60_000);
    expect([openIds(alice), openIds(bob)]).toEqual([[], []]);
    expect(world.sip.invites).toHaveLength(1);
  });
});
