import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { cpimText } from '../../src/engine/text-content.ts';
import { settle, World, type User } from './support/world.ts';

const text = 'the eagle lands at noon';

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

async function send(policy: 'require-e2e' | 'require-e2ae' = 'require-e2e') {
  const outcome = await alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'message', policy });
  await settle();
  return outcome;
}

describe('a protected message', () => {
  test('that comes a second time is answered 200 and not shown', async () => {
    await send();
    const [{ from, message }] = world.sip.messages as [(typeof world.sip.messages)[number]];
    expect(await bob.userAgent.receiveMessage(from, message)).toMatchObject({ status: 200 });
    await settle();
    expect(bob.received).toHaveLength(1);
    expect(bob.refused).toMatchObject([{ way: 'message', refusal: { code: 'replayed' } }]);
  });

  test('that comes a second time after days is not shown either', async () => {
    await send();
    world.clock.advance(5 * 24 * 3_600_000);
    const [{ from, message }] = world.sip.messages as [(typeof world.sip.messages)[number]];
    await bob.userAgent.receiveMessage(from, message);
    await settle();
    expect(bob.received).toHaveLength(1);
  });

  test('with a flipped bit in the CMS is answered 493, and the sender is told', async () => {
    world.sip.changeMessage = (message) => {
      const body = Uint8Array.from(message.body);
      // Inside the ciphertext, well before the closing boundary.
      body[body.length - 150] = (body[body.length - 150] ?? 0) ^ 1;
      return { ...message, body };
    };
    expect(await send()).toMatchObject({ outcome: 'refused', refusal: { code: 'decryption-failed' } });
    expect(bob.received).toEqual([]);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'decryption-failed' } }]);
  });

  test('asks the network to keep it no longer than its ticket lives', async () => {
    await send();
    world.clock.advance(3_600_000);
    await send();
    await send('require-e2ae');
    const week = 7 * 24 * 3600;
    expect(world.sip.messages.map(({ message }) => message.headers)).toEqual([
      { Expires: `${week}`, Date: 'Wed, 01 Apr 2026 12:00:00 GMT' },
      { Expires: `${week - 3600}`, Date: 'Wed, 01 Apr 2026 13:00:00 GMT' },
      undefined,
    ]);
  });

  test('for somebody else is not read', async () => {
    const carol = await world.user('carol');
    await send();
    const [{ from, message }] = world.sip.messages as [(typeof world.sip.messages)[number]];
    expect((await carol.userAgent.receiveMessage(from, message)).status).toBe(493);
    expect(carol.received).toEqual([]);
    await carol.account.stop();
  });

  test('whose ticket the KMS resolves for others only is kept undecryptable', async () => {
    world.kms.forbidden.add('sip:bob@lab.test');
    await send();
    expect(bob.received).toMatchObject([
      { state: 'undecryptable', text: '', level: 'unverified', problem: { code: 'kms-refused' } },
    ]);
  });

  test('under a false name is shown as unverified, from the one who holds the key', async () => {
    world.sip.assertedIdentity = () => 'sip:mallory@lab.test';
    await send();
    expect(bob.received).toMatchObject([{ from: 'sip:alice@lab.test', level: 'unverified', text }]);
  });

  test('under a false name is refused where the policy demands e2e', async () => {
    world.sip.assertedIdentity = () => 'sip:mallory@lab.test';
    bob.account.setContactPolicy('sip:alice@lab.test', 'require-e2e');
    await send();
    expect(bob.received).toEqual([]);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'policy-not-met', reached: 'unverified' } }]);
  });

  test('while the KMS is away is kept, and read when it is back', async () => {
    await send();
    world.kms.fault = 'down';
    expect(await send()).toMatchObject({ outcome: 'sent' });
    const kept = bob.received[1];
    expect(kept).toMatchObject({ state: 'undecryptable', text: '', problem: { code: 'kms-unreachable' } });
    world.clock.advance(4_000);
    await settle();
    expect(bob.states).toEqual([]);
    await world.kmsReturns();
    expect(bob.states).toMatchObject([{ id: kept?.id, state: 'received', text, level: 'e2e' }]);
    expect(bob.states[0]?.problem).toBeUndefined();
    expect(bob.account.conversations()[0]?.messages).toHaveLength(2);
  });

  test('whose KMS never comes back is tried until its ticket ends, and no longer', async () => {
    await send();
    world.kms.fault = 'down';
    await send();
    const days = async (count: number): Promise<number> => {
      for (let hour = 0; hour < 24 * count; hour++) {
        world.clock.advance(3_600_000);
        await settle();
      }
      return world.kms.resolves;
    };
    const first = await days(6);
    expect(await days(2)).toBeGreaterThan(first);
    const last = world.kms.resolves;
    expect(await days(2)).toBe(last);
    expect(world.clock.waiting).toBe(0);
  });
});

describe('a message by signalling alone', () => {
  test('in plain text from a peer without CPIM is taken', async () => {
    await bob.userAgent.receiveMessage('sip:alice@lab.test', {
      to: 'sip:bob@lab.test',
      contentType: 'text/plain',
      body: utf8(text),
    });
    expect(bob.received).toMatchObject([{ text, level: 'e2ae', from: 'sip:alice@lab.test' }]);
  });

  test('falls back to bare text for a peer that knows no CPIM, at the same level', async () => {
    bob.userAgent.receiveMessage = (_from, { contentType }) =>
      Promise.resolve({
        status: contentType.startsWith('text/plain') ? 200 : 415,
        reason: '',
        headers: undefined as never,
        body: new Uint8Array(),
      });
    expect(await send('require-e2ae')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    await send('require-e2ae');
    expect(world.sip.messages.map(({ message }) => message.contentType.split(';')[0])).toEqual([
      'message/cpim',
      'text/plain',
      'text/plain',
    ]);
  });

  test('with a Message-ID that came before is dropped', async () => {
    await send('require-e2ae');
    const [{ from, message }] = world.sip.messages as [(typeof world.sip.messages)[number]];
    expect((await bob.userAgent.receiveMessage(from, message)).status).toBe(200);
    expect(bob.received).toHaveLength(1);
  });

  test('with another From inside is shown as unverified', async () => {
    const content = cpimText({
      from: 'sip:carol@lab.test',
      to: 'sip:bob@lab.test',
      at: world.clock.now(),
      messageId: 'm1',
      text,
    });
    await bob.userAgent.receiveMessage('sip:alice@lab.test', { to: 'sip:bob@lab.test', ...content });
    expect(bob.received).toMatchObject([{ from: 'sip:alice@lab.test', level: 'unverified' }]);
  });

  test.each([
    ['image/png', 'x', 415],
    ['text/plain;charset=koi8-r', 'x', 415],
    ['message/cpim', 'nonsense', 400],
    ['multipart/mixed;boundary=b', 'nonsense', 400],
    ['multipart/mixed', 'x', 400],
    ['', 'x', 400],
    ['multipart/mixed;boundary=b', '--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--', 415],
  ])('of type %j that cannot be read is answered', async (contentType, body, status) => {
    const answer = await bob.userAgent.receiveMessage('sip:alice@lab.test', {
      to: 'sip:bob@lab.test',
      contentType,
      body: utf8(body),
    });
    expect(answer.status).toBe(status);
    expect(bob.received).toEqual([]);
    expect(bob.refused).toHaveLength(1);
  });
});
