import { afterEach, describe, expect, it } from 'vitest';
import { sessionTypes } from '../../../src/engine/sessions/session-content.ts';
import { World, type User } from '../support/world.ts';

const stopping: User[] = [];

afterEach(async () => {
  await Promise.all(stopping.splice(0).map(({ account }) => account.stop()));
});

const lineOf = (sdp: string, start: string): string[] =>
  (sdp.split('\r\n').find((line) => line.startsWith(start)) ?? '').slice(start.length).split(' ');

describe('the SDP of a chat session', () => {
  it('says where we are by a path of our own, with port and a secret of more than 80 bits, and what we take', async () => {
    const world = new World();
    const alice = await world.user('alice');
    const bob = await world.user('bob');
    const carol = await world.user('carol');
    stopping.push(alice, bob, carol);
    const offers: string[] = [];
    const answers: string[] = [];
    world.sip.changeOffer = (sdp) => {
      offers.push(sdp);
      return sdp;
    };
    world.sip.changeAnswer = (sdp) => {
      answers.push(sdp);
      return sdp;
    };
    for (const name of ['bob', 'carol']) {
      const outcome = await alice.account.openSession({ to: `sip:${name}@lab.test`, policy: 'require-e2e' });
      expect(outcome.outcome).toBe('opened');
    }
    const secrets = new Set<string>();
    for (const sdp of [...offers, ...answers]) {
      const [, host, port, secret = ''] =
        /^msrps:\/\/([^:/]+):(\d+)\/([0-9a-f]+);tcp$/.exec(lineOf(sdp, 'a=path:').join(' ')) ?? [];
      expect(lineOf(sdp, 'c=')).toEqual(['IN', 'IP4', host]);
      expect(lineOf(sdp, 'm=')).toEqual(['message', port, 'TCP/TLS/MSRP', '*']);
      expect(secret.length * 4).toBeGreaterThanOrEqual(80);
      secrets.add(secret);
      expect(lineOf(sdp, 'a=accept-types:')).toEqual([...sessionTypes]);
      expect(lineOf(sdp, 'a=accept-types:').slice(0, 2)).toEqual(['message/cpim', 'text/plain']);
      expect(Number(lineOf(sdp, 'a=max-size:')[0])).toBeGreaterThan(0);
    }
    expect([offers.length, answers.length, secrets.size]).toEqual([2, 2, 4]);
  });

  it('is refused with 488 when the other side takes no text in it', async () => {
    const world = new World();
    const alice = await world.user('alice');
    const bob = await world.user('bob');
    stopping.push(alice, bob);
    for (const lists of ['a=accept-types:image/png', 'a=accept-types:message/cpim', 'a=no-types:here']) {
      world.sip.changeOffer = (sdp) =>
        sdp.replace(/a=accept-types:.*/, lists).replace(/a=accept-wrapped-types:.*\r\n/, '');
      const outcome = await alice.account.openSession({ to: 'sip:bob@lab.test', policy: 'require-e2e' });
      expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-incompatible' } });
      expect(JSON.stringify(outcome)).toContain('488');
    }
    expect(bob.account.status().sessions).toEqual([]);
    expect(bob.refused.map(({ refusal }) => refusal.code)).toEqual(Array(3).fill('peer-incompatible'));
  });

  it('is heeded: too long a text, or one to a peer that takes none, is refused before anything is sent', async () => {
    for (const [change, code] of [
      [(sdp: string) => sdp.replace(/a=max-size:\d+/, 'a=max-size:500'), 'too-large'],
      [(sdp: string) => sdp.replace(/a=accept-types:.*/, 'a=accept-types:image/png'), 'peer-incompatible'],
    ] as const) {
      const world = new World();
      const alice = await world.user('alice');
      const bob = await world.user('bob');
      stopping.push(alice, bob);
      world.sip.changeAnswer = change;
      const request = { to: 'sip:bob@lab.test', text: 'x'.repeat(1000), way: 'msrp', policy: 'require-e2e' } as const;
      expect(await alice.account.sendMessage(request)).toMatchObject({ outcome: 'refused', refusal: { code } });
      expect(bob.received).toEqual([]);
    }
  });
});
