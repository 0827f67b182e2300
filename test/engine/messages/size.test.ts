import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { profile } from '../../../src/protocol/profile.ts';
import { reply } from '../support/memory-sip.ts';
import { sentBy } from '../support/wire.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const bobUri = 'sip:bob@lab.test';

let world: World;
let users: User[];

beforeEach(() => {
  world = new World();
  users = [];
});

afterEach(() => Promise.all(users.map(({ account }) => account.stop())));

async function two(options: UserOptions = {}) {
  const [alice, bob] = [await world.user('alice', options), await world.user('bob')];
  users.push(alice, bob);
  return { alice, bob };
}

async function send({ account }: User, octets: number, policy: 'require-e2e' | 'require-e2ae' | 'any' = 'require-e2e') {
  const outcome = await account.sendMessage({ to: bobUri, text: 'x'.repeat(octets), way: 'message', policy });
  await settle();
  return outcome;
}

describe('a text that does not fit a message', () => {
  test.each([
    ['require-e2e', 5_500, 'message'],
    ['require-e2e', 7_000, 'msrp'],
    ['require-e2ae', 7_000, 'message'],
    ['any', 8_000, 'msrp'],
  ] as const)(
    '%s, %i octets: goes by %s, and no larger request than the profile allows',
    async (policy, octets, way) => {
      const { alice, bob } = await two();
      expect(await send(alice, octets, policy)).toMatchObject({ outcome: 'sent', message: { way } });
      expect(bob.received).toMatchObject([{ way, text: 'x'.repeat(octets) }]);
      for (const { body } of sentBy(world, 'alice')) expect(body.length).toBeLessThanOrEqual(profile.message.maxOctets);
    },
  );

  test('goes in a session that protects no less: end to end stays end to end', async () => {
    const { alice, bob } = await two();
    expect(await send(alice, 9_000)).toMatchObject({ message: { way: 'msrp', level: 'e2e' } });
    expect(bob.received).toMatchObject([{ way: 'msrp', level: 'e2e' }]);
  });

  test('is not sent weaker where no such session can be had', async () => {
    const { alice, bob } = await two({ noPskTls: true });
    expect(await send(alice, 9_000)).toMatchObject({ outcome: 'refused', refusal: { code: 'psk-tls-unavailable' } });
    expect(bob.received).toEqual([]);
  });

  test('is judged by the limit of the account', async () => {
    const { alice } = await two({ messages: { maxOctets: 3_000 } });
    expect(await send(alice, 1_000)).toMatchObject({ message: { way: 'msrp' } });
    expect(await send(alice, 500)).toMatchObject({ message: { way: 'message' } });
  });

  test.each([413, 513])('by the word of the network (%i) goes in a session, once, and says so', async (status) => {
    const { alice, bob } = await two();
    world.sip.answers = () => reply(status, 'Too Large');
    expect(await send(alice, 100)).toMatchObject({ outcome: 'sent', message: { way: 'msrp', level: 'e2e' } });
    expect(bob.received).toMatchObject([{ way: 'msrp' }]);
    expect(sentBy(world, 'alice')).toHaveLength(1);
  });
});
