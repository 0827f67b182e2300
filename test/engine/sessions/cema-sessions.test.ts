import { afterEach, beforeEach, expect, test } from 'vitest';
import { settle, World, type User } from '../support/world.ts';

let world: World;
let alice: User;
let bob: User;

beforeEach(async () => {
  world = new World();
  alice = await world.user('alice', { policy: 'any' });
  bob = await world.user('bob', { policy: 'any' });
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  expect(world.clock.waiting).toBe(0);
});

const elsewhere = (sdp: string): string => sdp.replace(/c=IN IP4 \S+/g, 'c=IN IP4 198.51.100.7');
const withoutCema = (sdp: string): string => sdp.replace('a=msrp-cema\r\n', '');
const open = () => alice.account.openSession({ to: 'sip:bob@lab.test' });

test('every offer and answer without a relay speaks CEMA', async () => {
  const answers: string[] = [];
  world.sip.changeAnswer = (sdp) => {
    answers.push(sdp);
    return sdp;
  };
  expect(await open()).toMatchObject({ outcome: 'opened' });
  expect(world.sip.invites[0]?.offer).toContain('a=msrp-cema');
  expect(answers[0]).toContain('a=msrp-cema');
});

test('an answer from behind a middlebox that does not know CEMA: the session is offered again without it', async () => {
  world.sip.changeAnswer = (sdp) => withoutCema(elsewhere(sdp));
  expect(await open()).toMatchObject({ outcome: 'opened', session: { level: 'unverified' } });
  expect(world.sip.invites.map(({ offer }) => offer.includes('a=msrp-cema'))).toEqual([true, false]);
  await settle();
  // The dialog of the first offer is over.
  expect(bob.account.status().sessions).toHaveLength(1);
});

test('end to end nothing is offered again: the session is refused', async () => {
  world.sip.changeAnswer = (sdp) => withoutCema(elsewhere(sdp));
  const outcome = await alice.account.openSession({ to: 'sip:bob@lab.test', policy: 'require-e2e' });
  expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-incompatible' } });
  expect(world.sip.invites).toHaveLength(1);
});

test('an offer whose addresses differ is taken with CEMA and refused with 488 without', async () => {
  world.sip.changeOffer = elsewhere;
  expect(await open()).toMatchObject({ outcome: 'opened' });
  world.sip.changeOffer = (sdp) => withoutCema(elsewhere(sdp));
  const answered = await bob.userAgent.receiveInvite(
    'sip:carol@lab.test',
    world.sip.changeOffer(world.sip.invites[0]!.offer),
  );
  expect(answered).toMatchObject({ status: 488 });
  await settle();
  expect(bob.refused).toMatchObject([{ peer: 'sip:carol@lab.test', refusal: { code: 'peer-incompatible' } }]);
});
