import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { World, type User } from '../support/world.ts';

let world: World;
let alice: User;
let bob: User;
/** `a=setup` of what was answered. */
let answered: (string | undefined)[];

beforeEach(async () => {
  world = new World();
  alice = await world.user('alice', { host: '192.0.2.1' });
  bob = await world.user('bob', { host: '192.0.2.2' });
  answered = [];
  world.sip.changeAnswer = (sdp) => {
    answered.push(/a=setup:(\w+)/.exec(sdp)?.[1]);
    return sdp;
  };
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  expect(world.clock.waiting).toBe(0);
});

function send(): Promise<object> {
  return alice.account.sendMessage({
    to: 'sip:bob@lab.test',
    text: 'hello',
    way: 'msrp',
    policy: 'require-e2e',
  });
}

describe('an offer that leaves the choice (actpass)', () => {
  test('is answered active where the answerer can connect', async () => {
    expect(await send()).toMatchObject({ outcome: 'sent', message: { level: 'e2e', evidence: { role: 'passive' } } });
    expect(answered).toEqual(['active']);
  });

  test('is answered passive where it cannot, and the offerer connects', async () => {
    world.msrp.unreachable.add('192.0.2.2');
    expect(await send()).toMatchObject({ outcome: 'sent', message: { level: 'e2e', evidence: { role: 'active' } } });
    expect(answered).toEqual(['passive']);
  });

  test('fails for both where neither can connect', async () => {
    world.msrp.unreachable.add('192.0.2.1').add('192.0.2.2');
    const sending = send();
    await world.pass(60_000);
    expect(await sending).toMatchObject({ outcome: 'waiting' });
    expect([alice.account.status().sessions, bob.account.status().sessions]).toEqual([[], []]);
  });

  test('says where we can be reached, as every offer', async () => {
    await send();
    const [offer = ''] = world.sip.invites.map(({ offer: sent }) => sent);
    expect(offer.match(/a=setup:.*/g)).toEqual(['a=setup:actpass']);
    const port = /^m=message (\d+) /m.exec(offer)?.[1];
    expect(offer).toMatch(new RegExp(`a=path:msrps://192\\.0\\.2\\.1:${port}/`));
    expect(offer).not.toMatch(/a=connection/);
  });

  test('is answered active with port 9, as RFC 4145 has it', async () => {
    const answers: string[] = [];
    world.sip.changeAnswer = (sdp) => {
      answers.push(sdp);
      return sdp;
    };
    await send();
    expect(answers).toMatchObject([expect.stringMatching(/^m=message 9 /m)]);
    expect(answers[0]).not.toMatch(/a=connection/);
  });

  test('that says passive is answered active without trying first', async () => {
    world.sip.changeOffer = (sdp) => sdp.replace('a=setup:actpass', 'a=setup:passive');
    expect(await send()).toMatchObject({ outcome: 'sent' });
    expect(answered).toEqual(['active']);
  });
});

describe('what else an offer or an answer may say', () => {
  test.each(['new', 'existing'])('a=connection:%s is ignored', async (value) => {
    world.sip.changeOffer = (sdp) => `${sdp}a=connection:${value}\r\n`;
    world.sip.changeAnswer = (sdp) => `${sdp}a=connection:${value}\r\n`;
    expect(await send()).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
  });

  test.each([
    ['holdconn', 'a=setup:holdconn\r\n'],
    ['nothing', ''],
  ])('%s in an offer: the offerer connects (RFC 4975)', async (_, line) => {
    world.sip.changeOffer = (sdp) => sdp.replace('a=setup:actpass\r\n', line);
    expect(await send()).toMatchObject({ outcome: 'sent', message: { evidence: { role: 'active' } } });
    expect(answered).toEqual(['passive']);
  });

  test.each([
    ['holdconn', 'a=setup:holdconn\r\n'],
    ['nothing', ''],
  ])('%s in an answer: the offerer connects (RFC 4975)', async (_, line) => {
    world.msrp.unreachable.add('192.0.2.2');
    world.sip.changeAnswer = (sdp) => sdp.replace('a=setup:passive\r\n', line);
    expect(await send()).toMatchObject({ outcome: 'sent', message: { evidence: { role: 'active' } } });
  });

  test.each(['actpass', 'both'])('%s in an answer is refused', async (setup) => {
    world.sip.changeAnswer = (sdp) => sdp.replace(/a=setup:\w+/, `a=setup:${setup}`);
    expect(await send()).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-incompatible' } });
  });
});
