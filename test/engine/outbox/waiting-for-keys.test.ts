import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settle, World, type User } from '../support/world.ts';

const bobUri = 'sip:bob@lab.test';
const carolUri = 'sip:carol@lab.test';

describe('messages that wait for the KMS', () => {
  let world: World;
  let alice: User;
  let bob: User;

  beforeEach(async () => {
    world = new World();
    alice = await world.user('alice');
    bob = await world.user('bob');
  });
  afterEach(async () => {
    await Promise.all([alice.account.stop(), bob.account.stop()]);
    expect(world.clock.waiting).toBe(0);
  });

  const send = (text: string, more: object = {}) =>
    alice.account.sendMessage({ to: bobUri, text, way: 'message', policy: 'require-e2e', ...more });

  it('say why, keep their id, and are sent end to end when it is back', async () => {
    world.kms.fault = 'down';
    const waiting = await send('hello');
    expect(waiting).toMatchObject({
      outcome: 'waiting',
      message: { state: 'queued', problem: { code: 'kms-unreachable', nextAttempt: expect.any(Number) as number } },
    });
    await world.kmsReturns();
    expect(bob.received).toMatchObject([{ text: 'hello', level: 'e2e' }]);
    const { id } = (waiting as { message: { id: string } }).message;
    expect(alice.states.map(({ state }) => state)).toEqual(['queued', 'queued', 'sent', 'accepted']);
    expect(alice.states.at(-1)).toMatchObject({ id, level: 'e2e', evidence: { kind: 'message-psk-mime' } });
    expect(alice.states.at(-1)?.problem).toBeUndefined();
  });

  it('go at once when the user has it tried now', async () => {
    world.kms.fault = 'down';
    await send('hello');
    world.kms.fault = 'none';
    expect(await alice.account.retryKms()).toMatchObject({ state: 'ready' });
    await settle();
    expect(bob.received).toMatchObject([{ text: 'hello', level: 'e2e' }]);
  });

  it('are taken back by the user, and not when they are gone', async () => {
    world.kms.fault = 'down';
    await send('one');
    await send('two');
    const [one, two] = alice.account.conversations()[0]?.messages ?? [];
    expect(alice.account.cancelMessage(one?.id ?? '')).toBe(true);
    expect(alice.account.cancelMessage(one?.id ?? '')).toBe(false);
    await world.kmsReturns();
    expect(bob.received.map(({ text }) => text)).toEqual(['two']);
    expect(alice.account.cancelMessage(two?.id ?? '')).toBe(false);
    expect(alice.account.conversations()[0]?.messages.map(({ text }) => text)).toEqual(['two']);
  });

  it('are not sent weaker, whatever is allowed or agreed meanwhile, and nothing overtakes them', async () => {
    world.kms.fault = 'down';
    await send('sealed', { policy: 'prefer-e2e' });
    alice.account.setContactPolicy(bobUri, 'any');
    expect(await send('open', { policy: 'any' })).toMatchObject({
      outcome: 'waiting',
      message: { state: 'queued', problem: { code: 'kms-unreachable' } },
    });
    expect(await send('agreed', { policy: 'prefer-e2e', consent: true })).toMatchObject({ outcome: 'waiting' });
    await world.pass(60_000);
    expect(world.sip.messages).toEqual([]);
    await world.kmsReturns();
    expect(bob.received.map(({ text, level }) => `${text} ${level}`)).toEqual([
      'sealed e2e',
      'open e2ae',
      'agreed e2e',
    ]);
  });

  it('end as refused when the KMS comes back and refuses', async () => {
    world.kms.fault = 'down';
    await send('hello');
    world.kms.forbidden.add('sip:alice@lab.test');
    await world.kmsReturns();
    expect(alice.states.at(-1)).toMatchObject({ state: 'refused', problem: { code: 'kms-refused' } });
    expect(world.sip.messages).toEqual([]);
  });

  it('are kept over a sign-out, which is said, and go once the account registers again', async () => {
    world.kms.fault = 'down';
    await send('hello');
    await alice.account.unregister();
    expect(alice.states.at(-1)).toMatchObject({ state: 'queued', problem: { code: 'not-registered' } });
    await world.kmsReturns();
    expect(bob.received).toEqual([]);
    await alice.account.register();
    await settle();
    expect(bob.received).toMatchObject([{ text: 'hello', level: 'e2e' }]);
  });

  it('of a session are refused with the time of the next attempt', async () => {
    world.kms.fault = 'down';
    const { kms } = alice.account.status();
    expect(kms.state).toBe('ready');
    const opened = await alice.account.openSession({ to: bobUri, policy: 'require-e2e' });
    const { nextAttempt } = alice.account.status().kms;
    expect(nextAttempt).toBeGreaterThan(world.clock.now());
    expect(opened).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-unreachable', nextAttempt } });
  });
});

type Step =
  | { readonly do: 'send'; readonly to: string; readonly policy: 'require-e2e' | 'prefer-e2e' }
  | { readonly do: 'cancel'; readonly which: number }
  | { readonly do: 'kms'; readonly fault: 'down' | 'server-error' | 'none' }
  | { readonly do: 'pass'; readonly milliseconds: number }
  | { readonly do: 'retry' }
  | { readonly do: 'forget' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      to: fc.constantFrom(bobUri, carolUri),
      policy: fc.constantFrom('require-e2e' as const, 'prefer-e2e' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('kms' as const),
      fault: fc.constantFrom('down' as const, 'server-error' as const, 'none' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), milliseconds: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'retry' as const }) },
  // What makes the next message need a ticket again.
  { weight: 1, arbitrary: fc.constant({ do: 'forget' as const }) },
);

it('however outages fall, each message is sent exactly once, end to end, in the order of its conversation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const world = new World();
      const users = {
        alice: await world.user('alice'),
        bob: await world.user('bob'),
        carol: await world.user('carol'),
      };
      const { account } = users.alice;
      const sent = new Map<string, string[]>([
        [bobUri, []],
        [carolUri, []],
      ]);
      const cancelled = new Set<string>();
      const running: Promise<unknown>[] = [];
      let count = 0;
      for (const one of steps) {
        switch (one.do) {
          case 'send': {
            const text = `message ${count++}`;
            sent.get(one.to)?.push(text);
            running.push(account.sendMessage({ to: one.to, text, way: 'message', policy: one.policy }));
            // One conversation's messages are written one after the other.
            await settle();
            break;
          }
          case 'cancel': {
            const waiting = account
              .conversations()
              .flatMap(({ messages }) => messages.filter(({ state }) => state === 'queued'));
            const message = waiting[one.which % Math.max(waiting.length, 1)];
            if (message !== undefined && account.cancelMessage(message.id)) cancelled.add(message.text);
            break;
          }
          case 'kms':
            world.kms.fault = one.fault;
            break;
          case 'pass':
            world.clock.advance(one.milliseconds);
            await settle();
            break;
          case 'retry':
            await account.retryKms();
            break;
          case 'forget':
            await account.dropTickets();
            break;
        }
      }
      await Promise.all(running);
      await world.kmsReturns();
      await account.retryKms();
      await settle();
      for (const [peer, user] of [
        [bobUri, users.bob],
        [carolUri, users.carol],
      ] as const) {
        // Receivers may themselves have been waiting for the KMS: what counts is each message once, and the order of sending.
        const expected = (sent.get(peer) ?? []).filter((text) => !cancelled.has(text));
        const own = account.conversations().find((conversation) => conversation.peer === peer)?.messages ?? [];
        expect(own.map(({ text, state, level }) => [text, state, level])).toEqual(
          expected.map((text) => [text, 'accepted', 'e2e']),
        );
        const arrived = user.account.conversations()[0]?.messages ?? [];
        expect(arrived.map(({ text }) => text)).toEqual(expected);
        expect(arrived.every(({ level, state }) => level === 'e2e' && state === 'received')).toBe(true);
      }
      for (const { message } of world.sip.messages) {
        expect(new TextDecoder('latin1').decode(message.body)).not.toContain('message ');
      }
      await Promise.all(Object.values(users).map((user) => user.account.stop()));
    }),
    { seed: 20_260_401, numRuns: 60 },
  );
}, 120_000);
