import { describe, expect, test } from 'vitest';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { LabAuthenticationCentre } from '../../src/lab/authentication-centre.ts';
import { AkaAuthenticator } from '../../src/lab/edge/aka-authentication.ts';
import type { Verdict } from '../../src/lab/edge/authentication.ts';
import type { LabFaults } from '../../src/lab/faults.ts';
import { createUsers, type UserOptions } from '../../src/lab/users.ts';
import {
  akaDigestPassword,
  decodeAkaNonce,
  emptySequenceWindow,
  Usim,
  type SequenceWindow,
} from '../../src/protocol/gba/index.ts';
import { akaAlgorithms, answerChallenge, readChallenge, refuseChallenge } from '../../src/protocol/digest/digest.ts';
import { SipMessage } from '../../src/protocol/sip/message.ts';
import { seededRandom } from '../support/seeded-random.ts';

const uri = 'sip:lab.test';
const empty = new SecretBytes(new Uint8Array());

function stage(faults: LabFaults = {}) {
  const random = seededRandom('lab-aka');
  const users = createUsers(['alice', 'bob'], 'lab.test', random, { authentication: { alice: 'aka', bob: 'aka' } });
  const authenticator = new AkaAuthenticator('lab.test', new LabAuthenticationCentre(faults, random), 'AKAv1-MD5');
  const [alice, bob] = [users.get('alice')!, users.get('bob')!];
  const verify = (authorization: string | undefined, user = alice, now = 0): Verdict => {
    const request = SipMessage.request('REGISTER', uri);
    if (authorization !== undefined) request.headers.add('Authorization', authorization);
    return authenticator.verify(request, user, now);
  };
  const ask = () => {
    const challenge = readChallenge(authenticator.challenge(alice, 0), akaAlgorithms);
    const { rand, autn } = decodeAkaNonce(challenge.nonce);
    const authorization = (password: SecretBytes, more: { auts?: string; username?: string } = {}): string =>
      answerChallenge({
        challenge,
        username: alice.privateIdentity,
        password,
        method: 'REGISTER',
        uri,
        body: new Uint8Array(),
        nonceCount: 1,
        cnonce: 'c',
        ...more,
      });
    const run = (window: SequenceWindow = emptySequenceWindow) => new Usim(alice.sim).authenticate(rand, autn, window);
    const rightAnswer = (): string => {
      const outcome = run();
      if (outcome.outcome !== 'success') throw new Error(outcome.outcome);
      return authorization(akaDigestPassword('AKAv1-MD5', outcome.keys));
    };
    return { challenge, authorization, run, rightAnswer };
  };
  return { alice, bob, verify, ask, faults };
}

describe('the registrar of the lab', () => {
  test('takes the right answer once', () => {
    const { verify, ask } = stage();
    const answer = ask().rightAnswer();
    expect(verify(answer)).toEqual({ kind: 'accepted', algorithm: 'AKAv1-MD5' });
    expect(verify(answer)).toEqual({ kind: 'challenge', stale: true });
  });

  test.each(['wrong', ''])('refuses the response of password %j, and the right one after it', (password) => {
    const { verify, ask } = stage();
    const { authorization, rightAnswer } = ask();
    expect(verify(authorization(new SecretBytes(Buffer.from(password))))).toEqual({ kind: 'refused' });
    expect(verify(rightAnswer())).toEqual({ kind: 'challenge', stale: true });
  });

  test('takes an answer from nobody else, and not for ever', () => {
    const { verify, ask, bob } = stage();
    expect(verify(ask().rightAnswer(), bob)).toEqual({ kind: 'challenge', stale: true });
    expect(verify(ask().rightAnswer(), undefined, 60_001)).toEqual({ kind: 'challenge', stale: true });
    expect(verify(undefined)).toEqual({ kind: 'challenge', stale: false });
  });

  test('understands that it did not prove itself', () => {
    const { verify, ask, alice } = stage({ akaWrongKey: true });
    const { challenge, run } = ask();
    expect(run().outcome).toBe('mac-failure');
    expect(verify(refuseChallenge(challenge, alice.privateIdentity, uri))).toEqual({ kind: 'refused' });
  });

  test('counts on from where the SIM says that it is', () => {
    const { verify, ask, faults } = stage({ akaSequence: 'ahead' });
    const first = ask();
    const outcome = first.run();
    if (outcome.outcome !== 'sync-failure') throw new Error(outcome.outcome);
    const auts = Buffer.from(outcome.auts).toString('base64');
    expect(verify(first.authorization(empty, { auts }))).toEqual({ kind: 'challenge', stale: false });
    // The fault is still set: what the SIM said counts for one vector.
    expect(ask().run().outcome).toBe('success');
    expect(faults.akaSequence).toBe('ahead');
    expect(ask().run().outcome).toBe('sync-failure');
  });

  test('does not count on from an AUTS that the SIM did not make', () => {
    const { verify, ask } = stage({ akaSequence: 'ahead' });
    for (const auts of ['AAAA', 'not base64', Buffer.alloc(14).toString('base64')]) {
      expect(verify(ask().authorization(empty, { auts }))).toEqual({ kind: 'refused' });
    }
    const { authorization, run } = ask();
    const outcome = run();
    if (outcome.outcome !== 'sync-failure') throw new Error(outcome.outcome);
    const auts = Buffer.from(outcome.auts).toString('base64');
    expect(verify(authorization(new SecretBytes(Buffer.from('x')), { auts }))).toEqual({ kind: 'refused' });
  });

  test('repeats the last number on demand', () => {
    const { ask, faults } = stage();
    const first = ask().run();
    if (first.outcome !== 'success') throw new Error(first.outcome);
    faults.akaSequence = 'repeated';
    expect(ask().run(first.window).outcome).toBe('sync-failure');
    expect(ask().run().outcome).toBe('success');
  });

  test('has no authentication and no SIM for somebody who is no user', () => {
    const create = (options: UserOptions) => () => createUsers(['alice'], 'lab.test', seededRandom('x'), options);
    expect(create({ authentication: { mallory: 'aka' } })).toThrow(RangeError);
    expect(create({ sims: { mallory: { k: empty, opc: empty } } })).toThrow(RangeError);
  });
});
