import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { SimStateStore } from '../../../src/engine/ports.ts';
import { createMemorySimState } from '../../../src/engine/sim/memory-sim-state.ts';
import { SoftwareSim } from '../../../src/engine/sim/index.ts';
import type { SipUserAgent } from '../../../src/engine/sip/index.ts';
import {
  akaDigestPassword,
  AuthenticationCentre,
  decodeAkaNonce,
  decodeAuts,
  encodeAkaNonce,
  type AkaDigestAlgorithm,
  type AuthenticationVector,
  type MilenageKeys,
  type SequenceNumber,
} from '../../../src/protocol/gba/index.ts';
import { readAuthParams } from '../../../src/protocol/digest/auth-params.ts';
import { digestResponse } from '../../../src/protocol/digest/digest.ts';
import type { SipMessage } from '../../../src/protocol/sip/message.ts';
import type { Received } from '../../support/scripted-sip-server.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { createClient, securityServer, settled, type SipClient } from '../../support/sip-client.ts';

const random = seededRandom('aka-registration');
const secret = (): SecretBytes => new SecretBytes(random.bytes(16));
const keys: MilenageKeys = { k: secret(), opc: secret() };

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

function client(state: SimStateStore | undefined = createMemorySimState()): SipClient {
  const created = createClient({ authentication: { mode: 'aka', sim: new SoftwareSim({ keys, state }) } });
  started.push(created.userAgent);
  return created;
}

const credentials = (message: SipMessage): ReadonlyMap<string, string> =>
  readAuthParams(message.headers.get('Authorization') ?? '', 'test').values;

/** The registrar of a home network. */
class Home {
  algorithm: AkaDigestAlgorithm = 'AKAv1-MD5';
  sequence: SequenceNumber = { seq: 100, ind: 0 };
  /** What the next challenges are made with. */
  keys: MilenageKeys[] = [];
  #vector: AuthenticationVector | undefined;

  readonly onRequest = (received: Received): void => {
    const { message, reply } = received;
    const contact = message.headers.get('Contact') ?? '';
    const given = credentials(message);
    if (given.get('auts') !== undefined && this.#vector !== undefined) {
      const back = new AuthenticationCentre(keys).resynchronise(this.#vector.rand, decodeAuts(given.get('auts')!));
      if (back.outcome === 'resynchronised' && this.#isRight(message, new SecretBytes(new Uint8Array()))) {
        this.sequence = back.sequence;
      }
    } else if (this.#vector !== undefined && given.get('response') !== '') {
      if (this.#isRight(message, akaDigestPassword(this.algorithm, this.#vector.keys))) {
        this.#vector = undefined;
        reply(200, contact.endsWith('expires=0') ? {} : { Contact: contact, 'Security-Server': securityServer });
        return;
      }
    }
    this.challenge(received);
  };

  challenge({ reply }: Received, more: readonly string[] = []): void {
    const centre = new AuthenticationCentre(this.keys.shift() ?? keys);
    const { vector, sequence } = centre.createVector(random.bytes(16), this.sequence);
    this.sequence = sequence;
    this.#vector = vector;
    const nonce = encodeAkaNonce({ ...vector, serverData: random.bytes(4) });
    const own = `Digest realm="lab.test", nonce="${nonce}", algorithm=${this.algorithm}, qop="auth,auth-int", opaque="o"`;
    reply(401, { 'WWW-Authenticate': [...more, own], 'Security-Server': securityServer });
  }

  #isRight(message: SipMessage, password: SecretBytes): boolean {
    const given = credentials(message);
    const text = (name: string): string => given.get(name) ?? '';
    const expected = digestResponse({
      algorithm: this.algorithm,
      username: 'alice-private@lab.test',
      realm: 'lab.test',
      password,
      method: 'REGISTER',
      uri: 'sip:lab.test',
      nonce: text('nonce'),
      qop: 'auth',
      nonceCount: text('nc'),
      cnonce: text('cnonce'),
      body: message.body,
    });
    return text('response') === expected && text('uri') === 'sip:lab.test';
  }
}

describe('register with a SIM', () => {
  it.each(['AKAv1-MD5', 'AKAv2-MD5', 'AKAv2-SHA-256'] as const)('answers %s', async (algorithm) => {
    const { server, userAgent } = client();
    const home = new Home();
    home.algorithm = algorithm;
    server.onRequest = home.onRequest;
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered', expires: 3600 });
    const [first, second] = server.requests;
    // TS 24.229 clause 5.1.1.2: the private identity comes before any challenge.
    expect(Object.fromEntries(credentials(first!))).toEqual({
      username: 'alice-private@lab.test',
      realm: 'lab.test',
      uri: 'sip:lab.test',
      nonce: '',
      response: '',
    });
    expect(credentials(second!).get('algorithm')).toBe(algorithm);
    expect(credentials(second!).get('opaque')).toBe('o');
    expect(credentials(second!).has('auts')).toBe(false);
    expect(server.count('REGISTER')).toBe(2);
    // The security agreement goes on as with a password.
    expect(second!.headers.getAll('Security-Verify')).toEqual(securityServer);
    expect(userAgent.flow?.securityAgreement?.msrpTls).toBe(true);
  });

  it('takes the stronger one of two versions', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    home.algorithm = 'AKAv2-MD5';
    let isFirst = true;
    server.onRequest = (received) => {
      if (!isFirst) {
        home.onRequest(received);
        return;
      }
      isFirst = false;
      home.challenge(received, ['Digest realm="lab.test", nonce="old", algorithm=AKAv1-MD5, qop="auth"']);
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  });

  it('runs AKA anew for each renewal, with another password', async () => {
    const { server, userAgent, clock } = client();
    server.onRequest = new Home().onRequest;
    await userAgent.register();
    clock.advance(3_000_000);
    await settled();
    expect(server.count('REGISTER')).toBe(4);
    const [, second, third, fourth] = server.requests;
    expect(credentials(third!).get('nonce')).toBe('');
    expect(credentials(fourth!).get('nonce')).not.toBe(credentials(second!).get('nonce'));
    expect(userAgent.registration.state).toBe('registered');
  });

  it('tells a network that does not know K so, and nothing else', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    home.keys = [{ ...keys, k: secret() }];
    server.onRequest = (received) => {
      if (server.count('REGISTER') > 1) received.reply(403);
      else home.onRequest(received);
    };
    await expect(userAgent.register()).resolves.toEqual({
      state: 'failed',
      code: 'network-not-authentic',
      explanation: expect.stringContaining('The network could not prove itself') as string,
      willRetry: false,
    });
    const answer = credentials(server.last('REGISTER'));
    expect(Object.fromEntries(answer)).toEqual({
      username: 'alice-private@lab.test',
      realm: 'lab.test',
      uri: 'sip:lab.test',
      nonce: expect.any(String) as string,
      response: '',
      algorithm: 'AKAv1-MD5',
      opaque: 'o',
    });
  });

  it('lets the network try once more, and no oftener', async () => {
    const { server, userAgent } = client();
    const wrong = { ...keys, k: secret() };
    const home = new Home();
    home.keys = [wrong];
    server.onRequest = home.onRequest;
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(server.count('REGISTER')).toBe(3);

    const again = client();
    const stubborn = new Home();
    stubborn.keys = Array.from({ length: 10 }, () => wrong);
    again.server.onRequest = stubborn.onRequest;
    await expect(again.userAgent.register()).resolves.toMatchObject({ code: 'network-not-authentic' });
    expect(again.server.count('REGISTER')).toBe(3);
  });

  it.each([
    ['no base64', '???'],
    ['no AUTN', 'AAAAAAAAAAAAAAAAAAAAAA=='],
  ])('takes a nonce with %s for a proof that failed', async (_, nonce) => {
    const { server, userAgent } = client();
    server.onRequest = ({ reply }) =>
      reply(401, { 'WWW-Authenticate': `Digest realm="lab.test", nonce="${nonce}", algorithm=AKAv1-MD5, qop="auth"` });
    await expect(userAgent.register()).resolves.toMatchObject({ code: 'network-not-authentic' });
    expect(server.requests.map((request) => credentials(request).get('response'))).toEqual(['', '', '']);
  });

  it('does not believe a yes without a challenge', async () => {
    const { server, userAgent } = client();
    server.onRequest = ({ message, reply }) => reply(200, { Contact: message.headers.get('Contact') ?? '' });
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'network-not-authentic',
      willRetry: false,
    });
  });

  it('answers no challenge for a password, whoever asks', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    const offers = ['MD5', 'SHA-256'].map(
      (name) => `Digest realm="lab.test", nonce="n", algorithm=${name}, qop="auth"`,
    );
    server.onRequest = ({ reply }) => reply(401, { 'WWW-Authenticate': offers });
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'network-not-authentic',
      explanation: expect.stringContaining('asked for a password') as string,
    });
    expect(server.count('REGISTER')).toBe(1);

    server.onRequest = (received) => {
      if (received.message.method === 'REGISTER') home.onRequest(received);
      else received.reply(407, { 'Proxy-Authenticate': offers });
    };
    await userAgent.register();
    const sent = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() };
    await expect(userAgent.sendMessage(sent)).resolves.toMatchObject({ status: 407 });
    expect(server.count('MESSAGE')).toBe(1);
  });

  it('answers no AKA challenge to another request than REGISTER', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    server.onRequest = (received) => {
      if (received.message.method === 'REGISTER') home.onRequest(received);
      else home.challenge(received);
    };
    await userAgent.register();
    const sent = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() };
    await expect(userAgent.sendMessage(sent)).resolves.toMatchObject({ status: 401 });
    expect(server.count('MESSAGE')).toBe(1);
  });

  it('finds together with a network whose numbers lie too far ahead', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    home.sequence = { seq: 2 ** 40, ind: 7 };
    server.onRequest = home.onRequest;
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(server.requests.map((request) => credentials(request).has('auts'))).toEqual([false, true, false]);
    expect(home.sequence.seq).toBe(1);
  });

  it('gives up when the network does not take its word', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    server.onRequest = (received) => {
      home.sequence = { seq: 2 ** 40, ind: 7 };
      home.challenge(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'sequence-out-of-step',
      willRetry: false,
    });
    expect(server.count('REGISTER')).toBe(3);
  });

  it('takes no challenge a second time, also after a restart', async () => {
    const state = createMemorySimState();
    const first = client(state);
    const home = new Home();
    first.server.onRequest = home.onRequest;
    await first.userAgent.register();
    const { sequence } = home;
    await first.userAgent.stop();

    const second = client(state);
    const replay = new Home();
    replay.sequence = { seq: sequence.seq - 1, ind: (sequence.ind + 31) % 32 };
    second.server.onRequest = replay.onRequest;
    await expect(second.userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(second.server.requests.map((request) => credentials(request).has('auts'))).toEqual([false, true, false]);
  });

  it.each([
    ['cannot be kept', { load: () => undefined, save: fail }],
    ['cannot be read', { load: fail, save: () => undefined }],
  ])('sends no answer when its sequence numbers %s', async (_, state) => {
    const { server, userAgent } = client(state);
    server.onRequest = new Home().onRequest;
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'sim-unusable',
      explanation: expect.stringContaining('no space left') as string,
      willRetry: false,
    });
    expect(server.count('REGISTER')).toBe(1);
  });

  it('says so when this device has no place for sequence numbers', async () => {
    const created = createClient({ authentication: { mode: 'aka', sim: new SoftwareSim({ keys, state: undefined }) } });
    started.push(created.userAgent);
    created.server.onRequest = new Home().onRequest;
    await expect(created.userAgent.register()).resolves.toMatchObject({ code: 'sim-unusable' });
  });

  it('answers a challenge that came because the last answer was late', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    server.onRequest = (received) => {
      if (server.count('REGISTER') !== 2) {
        home.onRequest(received);
        return;
      }
      home.challenge({
        ...received,
        reply: (status, headers) =>
          received.reply(status, {
            ...headers,
            'WWW-Authenticate': [headers?.['WWW-Authenticate'] ?? []].flat().map((value) => `${value}, stale=true`),
          }),
      });
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(server.count('REGISTER')).toBe(3);
  });

  it('gives no response to a RAND or AUTN that was changed, and asks no third time', async () => {
    const change = fc.tuple(fc.nat(300), fc.integer({ min: 0x20, max: 0x7e }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(change, async ([at, code, isCut]) => {
        const { server, userAgent } = client();
        const home = new Home();
        const sent = new Set<string>();
        server.onRequest = (received) => {
          if (credentials(received.message).get('response') !== '') {
            received.reply(403);
            return;
          }
          home.challenge({
            ...received,
            reply: (status, headers) => {
              const [whole = ''] = [headers?.['WWW-Authenticate'] ?? []].flat();
              sent.add(randAndAutn(readAuthParams(whole, 'test').values.get('nonce') ?? ''));
              const nonceAt = whole.indexOf('nonce="') + 7;
              const index = nonceAt + (at % (whole.indexOf('"', nonceAt) - nonceAt));
              const changed = isCut
                ? whole.slice(0, index)
                : `${whole.slice(0, index)}${String.fromCharCode(code)}${whole.slice(index + 1)}`;
              received.reply(status, { 'WWW-Authenticate': changed });
            },
          });
        };
        const state = await userAgent.register();
        expect(state.state).toBe('failed');
        const answers = server.requests.map(credentials).filter((given) => given.get('response') !== '');
        // A change that hit the server's own data, or changed nothing, is none of ours to see.
        for (const given of answers) expect(sent).toContain(randAndAutn(given.get('nonce') ?? ''));
        expect(server.count('REGISTER')).toBeLessThanOrEqual(3);
        await userAgent.stop();
      }),
      { seed: 3310, numRuns: 60 },
    );
  });

  it('says that its answer was not taken when it was not', async () => {
    const { server, userAgent } = client();
    const home = new Home();
    server.onRequest = (received) => {
      if (server.count('REGISTER') === 1) home.onRequest(received);
      else received.reply(401, { 'WWW-Authenticate': 'Digest realm="lab.test", nonce="AAAA", algorithm=AKAv1-MD5' });
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'authentication-failed' });
    expect(server.count('REGISTER')).toBe(2);
  });

  it('unregisters', async () => {
    const { server, userAgent } = client();
    server.onRequest = new Home().onRequest;
    await userAgent.register();
    await expect(userAgent.unregister()).resolves.toEqual({ state: 'unregistered' });
    expect(server.last('REGISTER').headers.get('Expires')).toBe('0');
    expect(credentials(server.last('REGISTER')).get('response')).not.toBe('');
  });
});

function randAndAutn(nonce: string): string {
  const { rand, autn } = decodeAkaNonce(nonce);
  return toHex(rand) + toHex(autn);
}

function fail(): never {
  throw new Error('no space left');
}
