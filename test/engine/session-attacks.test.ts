import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromBase64, fromUtf8, toBase64, utf8 } from '../../src/base/bytes.ts';
import type { Policy } from '../../src/base/protection-level.ts';
import { createDeviceCertificate } from '../../src/crypto/certificate.ts';
import type { OpenSessionOutcome } from '../../src/engine/chat-message.ts';
import { decodeMessage, encodeMessage } from '../../src/protocol/mikey/index.ts';
import { flows } from './support/memory-sip.ts';
import { settle, World, type User, type UserOptions } from './support/world.ts';

let world: World;
let alice: User;
let bob: User;

async function start(options: UserOptions = {}, bobOptions: UserOptions = {}): Promise<void> {
  alice = await world.user('alice', options);
  bob = await world.user('bob', bobOptions);
}

function open(policy: Policy): Promise<OpenSessionOutcome> {
  return alice.account.openSession({ to: 'sip:bob@lab.test', policy });
}

function refused(code: string, more: object = {}): object {
  return { outcome: 'refused', refusal: { code, ...more } };
}

function opened(level: string, more: object = {}): object {
  return { outcome: 'opened', session: { level, ...more } };
}

async function expectNothingOpen(): Promise<void> {
  await settle();
  expect([alice.account.status().sessions, bob.account.status().sessions]).toEqual([[], []]);
}

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  expect(world.clock.waiting).toBe(0);
});

describe('the answer to a request for e2ae', () => {
  test('without the network saying so is refused under a requirement, and the call ends', async () => {
    await start();
    expect(await open('require-e2ae')).toMatchObject(
      refused('no-network-indication', { reached: 'unverified', required: 'require-e2ae' }),
    );
    expect(alice.userAgent.sessions[0]?.ended).toBeDefined();
    await expectNothingOpen();
  });

  test('without the network saying so is shown as unverified where that is allowed', async () => {
    await start({}, { policy: 'any' });
    expect(await open('any')).toMatchObject(
      opened('unverified', { evidence: { indication: 'none', vouchedBy: 'nobody' } }),
    );
    expect(bob.account.status().sessions).toMatchObject([{ level: 'unverified', evidence: { vouchedBy: 'nobody' } }]);
  });

  test('without the network saying so is e2ae where the account infers it', async () => {
    await start({ e2aeInferFromRegistration: true });
    expect(await open('require-e2ae')).toMatchObject(
      opened('e2ae', { evidence: { indication: 'inferred-from-registration', vouchedBy: 'network' } }),
    );
  });

  test('in clear is refused under a requirement', async () => {
    await start();
    world.sip.changeAnswer = (sdp) => sdp.replace('TCP/TLS/MSRP', 'TCP/MSRP').replace(/a=fingerprint.*\r\n/, '');
    expect(await open('require-e2ae')).toMatchObject(refused('policy-not-met', { reached: 'none' }));
    await expectNothingOpen();
  });

  test('with TLS and no fingerprint is refused under every policy', async () => {
    await start();
    world.sip.changeAnswer = (sdp) => `${sdp.replace(/a=fingerprint.*\r\n/, '')}a=3ge2ae:applied\r\n`;
    expect(await open('any')).toMatchObject(refused('peer-incompatible'));
    await expectNothingOpen();
  });

  test('with a weak fingerprint only is refused', async () => {
    await start();
    world.sip.changeAnswer = (sdp) =>
      sdp.replace(/a=fingerprint.*\r\n/, `a=fingerprint:sha-1 ${'AB:'.repeat(19)}AB\r\n`);
    expect(await open('any')).toMatchObject(refused('peer-incompatible'));
  });

  test('with a certificate that is not the announced one', async () => {
    await start();
    const other = await createDeviceCertificate({ commonName: 'other', now: world.clock.now() });
    world.sip.changeAnswer = (sdp) =>
      `${sdp.replace(/a=fingerprint.*\r\n/, `a=fingerprint:sha-256 ${other.sha256}\r\n`)}a=3ge2ae:applied\r\n`;
    expect(await open('require-e2ae')).toMatchObject(refused('fingerprint-mismatch'));
    await expectNothingOpen();
  });

  test('is not asked for where the network did not announce it', async () => {
    await start({ flow: flows.withoutEdgeMedia });
    expect(await open('require-e2ae')).toMatchObject(refused('no-network-indication'));
    expect(world.sip.invites).toEqual([]);
    expect(await open('any')).toMatchObject(opened('none'));
    expect(world.sip.invites[0]?.offer).not.toContain('3ge2ae');
  });
});

describe('an offer of less than the called side demands', () => {
  test.each<[Policy, Policy, string]>([
    ['any', 'require-e2e', 'policy-not-met'],
    ['any', 'require-e2ae', 'no-network-indication'],
  ])('%s meets %s', async (calling, called, code) => {
    await start({}, { policy: called });
    expect(await open(calling)).toMatchObject(refused('peer-incompatible'));
    expect(bob.refused).toMatchObject([{ way: 'msrp', refusal: { code } }]);
    expect(world.msrp.connections).toBe(0);
  });

  test('in clear meets require-e2ae', async () => {
    await start({ flow: flows.clear }, { policy: 'require-e2ae' });
    expect(await open('any')).toMatchObject(refused('peer-incompatible'));
    expect(bob.refused).toMatchObject([{ refusal: { code: 'policy-not-met', reached: 'none' } }]);
  });

  test('`applied` from a network that does not do it is worth nothing', async () => {
    await start({}, { policy: 'any', flow: flows.withoutEdgeMedia });
    world.sip.changeOffer = (sdp) => sdp.replace('a=3ge2ae:requested', 'a=3ge2ae:applied');
    await open('any');
    expect(bob.account.status().sessions).toMatchObject([{ level: 'unverified' }]);
  });
});

describe('end to end', () => {
  test('key management taken out of the offer: no session, nothing weaker', async () => {
    await start();
    world.sip.changeOffer = (sdp) => sdp.replace(/a=key-mgmt.*\r\n/, '');
    expect(await open('require-e2e')).toMatchObject(refused('peer-incompatible'));
    await expectNothingOpen();
  });

  test('key management taken out of the answer: BYE', async () => {
    await start();
    world.sip.changeAnswer = (sdp) => sdp.replace(/a=key-mgmt.*\r\n/, '');
    expect(await open('require-e2e')).toMatchObject(refused('peer-incompatible'));
    expect(alice.userAgent.sessions[0]?.ended).toBeDefined();
    await expectNothingOpen();
  });

  test('a changed offer: 488 with a Warning and a MIKEY Error', async () => {
    await start();
    world.sip.changeOffer = (sdp) =>
      sdp.replace(
        /(a=key-mgmt:mikey .{60})(.)/,
        (_all, head: string, one: string) => `${head}${one === 'A' ? 'B' : 'A'}`,
      );
    const outcome = await open('require-e2e');
    expect(outcome).toMatchObject(refused('peer-incompatible'));
    expect(bob.refused).toHaveLength(1);
    await expectNothingOpen();
  });

  test('a repeated offer is refused', async () => {
    await start();
    await open('require-e2e');
    const { from, offer } = world.sip.invites[0]!;
    const answer = await bob.userAgent.receiveInvite(from, offer);
    expect(answer).toMatchObject({ status: 488 });
    await settle();
    expect(bob.refused).toMatchObject([{ refusal: { code: 'replayed' } }]);
  });

  test('an offer is no repetition of a forged one that has its MAC', async () => {
    await start();
    world.sip.changeOffer = (sdp) =>
      sdp.replace(/(?<=a=key-mgmt:mikey )\S+/, (message) => {
        const { header, payloads } = decodeMessage(fromBase64(message));
        const changed = payloads.map((one) => (one.payload === 'RANDR' ? { ...one, value: new Uint8Array(32) } : one));
        return toBase64(encodeMessage({ header, payloads: changed }));
      });
    expect(await open('require-e2e')).toMatchObject({ outcome: 'refused' });
    const { from, offer } = world.sip.invites[0]!;
    expect(await bob.userAgent.receiveInvite(from, offer)).toHaveProperty('sdp');
  });

  test('an offer under somebody else’s name is refused', async () => {
    await start();
    await open('require-e2e');
    const { offer } = world.sip.invites[0]!;
    expect(await bob.userAgent.receiveInvite('sip:mallory@lab.test', offer)).toMatchObject({ status: 488 });
    await settle();
    expect(bob.refused).toMatchObject([{ peer: 'sip:mallory@lab.test', refusal: { code: 'ticket-invalid' } }]);
  });

  test('a third party cannot answer for the called one', async () => {
    await start();
    const mallory = await world.user('mallory');
    world.sip.agents.set('sip:bob@lab.test', mallory.userAgent);
    expect(await open('require-e2e')).toMatchObject(refused('peer-incompatible'));
    expect(mallory.account.status().sessions).toEqual([]);
    expect(mallory.refused).toMatchObject([{ refusal: { code: 'ticket-invalid' } }]);
    await mallory.account.stop();
  });

  test('another key at the other end of the connection: the handshake fails, and nothing less is offered', async () => {
    await start();
    world.msrp.tamper = () => ({ mode: 'plain' });
    expect(await open('prefer-e2e')).toMatchObject(refused('tls-failed'));
    await expectNothingOpen();
  });

  test('an answer that asks for CEMA to be ignored while its addresses differ', async () => {
    await start();
    world.sip.changeAnswer = (sdp) =>
      sdp
        .replace('a=msrp-cema\r\n', '')
        .replaceAll('192.0.2.10 ', '198.51.100.7 ')
        .replace(/c=IN IP4 \S+/g, 'c=IN IP4 198.51.100.7');
    expect(await open('require-e2e')).toMatchObject(refused('peer-incompatible'));
  });

  test('the called side’s KMS is away', async () => {
    await start();
    await alice.account.sendMessage({ to: 'sip:bob@lab.test', text: 'x', way: 'msrp', policy: 'require-e2e' });
    for (const { id } of alice.account.status().sessions) await alice.account.closeSession(id);
    world.kms.fault = 'down';
    expect(await open('require-e2e')).toMatchObject(refused('peer-unreachable'));
    expect(bob.refused).toMatchObject([{ refusal: { code: 'kms-unreachable' } }]);
  });
});

describe('roles', () => {
  test.each(['active', 'passive', 'actpass'])('an offer with a=setup:%s works', async (setup) => {
    await start();
    world.sip.changeOffer = (sdp) => sdp.replace('a=setup:actpass', `a=setup:${setup}`);
    const role = setup === 'active' ? 'active' : 'passive';
    expect(await open('require-e2e')).toMatchObject(opened('e2e', { evidence: { role } }));
    const text = 'hello';
    const both = await Promise.all([
      alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'msrp', policy: 'require-e2e' }),
      bob.account.sendMessage({ to: 'sip:alice@lab.test', text, way: 'msrp', policy: 'require-e2e' }),
    ]);
    expect(both.map(({ outcome }) => outcome)).toEqual(['sent', 'sent']);
  });

  test('a connection that nobody makes is waited for no longer than its deadline', async () => {
    await start();
    world.sip.changeAnswer = (sdp) => sdp.replace('a=setup:active', 'a=setup:passive');
    const opening = open('require-e2e');
    await settle();
    world.clock.advance(20_000);
    expect(await opening).toMatchObject({ outcome: 'refused' });
    world.clock.advance(20_000);
    await expectNothingOpen();
  });
});

test.each(['', 'v=0', 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n', 'not sdp at all'])(
  'an offer that is none is refused, and the account goes on: %j',
  async (offer) => {
    await start();
    const answer = await bob.userAgent.receiveInvite('sip:alice@lab.test', offer);
    expect('status' in answer && [400, 488].includes(answer.status)).toBe(true);
    expect(await open('require-e2e')).toMatchObject(opened('e2e'));
  },
);

describe('a text in a session whose envelope names another sender', () => {
  const forge = (bytes: Uint8Array): Uint8Array =>
    utf8(fromUtf8(bytes).replace('From: <sip:alice@lab.test>', 'From: <sip:carol@lab.test>'));

  test.each<[Policy, object[], object]>([
    ['require-e2e', [], { state: 'failed', problem: { code: 'peer-refused' } }],
    ['any', [{ text: 'I am Carol', level: 'unverified', from: 'sip:alice@lab.test' }], { state: 'delivered' }],
  ])('under %s', async (policy, shown, told) => {
    await start({}, { policy });
    world.msrp.change = forge;
    await alice.account.sendMessage({ to: 'sip:bob@lab.test', text: 'I am Carol', way: 'msrp', policy: 'require-e2e' });
    await settle();
    expect(bob.received).toMatchObject(shown);
    const doubts = { code: 'policy-not-met', reached: 'unverified', required: policy };
    expect(bob.refused).toMatchObject(shown.length > 0 ? [] : [{ way: 'msrp', refusal: doubts }]);
    expect(alice.account.history.page('sip:bob@lab.test').messages).toMatchObject([told]);
  });
});
