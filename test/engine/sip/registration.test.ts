import { afterEach, describe, expect, it } from 'vitest';
import type { SipUserAgent } from '../../../src/engine/sip/index.ts';
import { readAuthParams } from '../../../src/protocol/digest/auth-params.ts';
import type { SipMessage } from '../../../src/protocol/sip/message.ts';
import { branchOf } from '../../support/scripted-sip-server.ts';
import {
  challenges,
  createClient,
  createRegisteredClient,
  isAuthorized,
  registrar,
  securityServer,
  serve,
  settled,
  type SipClient,
} from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

function client(account: Parameters<typeof createClient>[0] = {}): SipClient {
  const created = createClient(account);
  started.push(created.userAgent);
  return created;
}

async function registered(account: Parameters<typeof createClient>[0] = {}): Promise<SipClient> {
  const created = await createRegisteredClient(account);
  started.push(created.userAgent);
  return created;
}

const authorization = (message: SipMessage): ReadonlyMap<string, string> =>
  readAuthParams(message.headers.get('Authorization') ?? '', 'test').values;

describe('register', () => {
  it('answers the strongest challenge and tells the grant', async () => {
    const { server, userAgent, states } = client();
    server.onRequest = (received) => registrar(received, { 'P-Associated-URI': '<sip:alice@lab.test>, <tel:+49123>' });
    const state = await userAgent.register();
    expect(state).toEqual({
      state: 'registered',
      expires: 3600,
      associatedIdentities: ['sip:alice@lab.test', 'tel:+49123'],
    });
    expect(states.map(({ state: name }) => name)).toEqual(['registering', 'registered']);
    const [first, second] = server.requests;
    expect(authorization(first!).get('nonce')).toBe('');
    expect(authorization(first!).get('username')).toBe('alice-private@lab.test');
    expect(authorization(second!).get('algorithm')).toBe('SHA-256');
    expect(second!.headers.getAll('Authorization')).toHaveLength(1);
    expect(second!.start).toMatchObject({ method: 'REGISTER', uri: 'sip:lab.test' });
    expect(server.count('REGISTER')).toBe(2);
  });

  it('answers MD5 where the server has nothing better', async () => {
    const { server, userAgent } = client();
    server.onRequest = (received) => {
      if (isAuthorized(received)) registrar(received);
      else
        received.reply(401, {
          'WWW-Authenticate': ['Digest realm="x", nonce="y", algorithm=AKAv1-MD5', challenges.md5],
        });
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(authorization(server.last('REGISTER')).get('algorithm')).toBe('MD5');
  });

  it('stops after one retry when the credentials are wrong', async () => {
    const { server, userAgent } = client();
    server.onRequest = ({ reply }) => reply(401, { 'WWW-Authenticate': challenges.md5 });
    const state = await userAgent.register();
    expect(state).toMatchObject({ state: 'failed', code: 'authentication-failed', status: 401, willRetry: false });
    expect(server.count('REGISTER')).toBe(2);
  });

  it('does not answer a challenge that it cannot answer', async () => {
    const { server, userAgent } = client();
    server.onRequest = ({ reply }) =>
      reply(401, { 'WWW-Authenticate': 'Digest realm="x", nonce="y", algorithm=AKAv1-MD5' });
    await expect(userAgent.register()).resolves.toMatchObject({ code: 'authentication-failed' });
    expect(server.count('REGISTER')).toBe(1);
  });

  it('takes a longer life when the registrar wants one', async () => {
    const { server, userAgent } = client({ expiresSeconds: 60 });
    server.onRequest = (received) => {
      if (received.message.headers.get('Expires') === '60') received.reply(423, { 'Min-Expires': '600' });
      else registrar(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered', expires: 600 });
  });

  it.each([
    [403, 'refused', false],
    [421, 'extension-required', false],
    [494, 'security-agreement-failed', false],
    [500, 'server-error', true],
    [504, 'timeout', true],
  ])('explains %i', async (status, code, willRetry) => {
    const { server, userAgent } = client();
    server.onRequest = ({ reply }) => reply(status);
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code, status, willRetry });
  });

  it('is not registered by a 200 that does not hold our contact', async () => {
    const { server, userAgent } = client();
    server.onRequest = ({ reply }) => reply(200, { Contact: '<sip:other@192.0.2.99>;expires=3600' });
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'invalid-answer' });
  });

  it('gives up waiting, says so, and tries again later', async () => {
    const { server, userAgent, clock } = client();
    const state = userAgent.register();
    await settled();
    clock.advance(33_000);
    await expect(state).resolves.toMatchObject({ state: 'failed', code: 'timeout', willRetry: true });
    server.onRequest = registrar;
    clock.advance(1_000);
    await settled();
    expect(userAgent.registration.state).toBe('registered');
  });

  it('says that the server cannot be reached, and registers when it comes back', async () => {
    const { server, userAgent, clock } = client();
    server.isDown = true;
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'unreachable',
      willRetry: true,
    });
    await expect(userAgent.start()).rejects.toThrow('refused');
    server.isDown = false;
    server.onRequest = registrar;
    clock.advance(1_000);
    await settled();
    expect(userAgent.registration.state).toBe('registered');
  });

  it('renews before the end with the next nonce count', async () => {
    const { server, userAgent, clock } = await registered();
    clock.advance(2_999_000);
    await settled();
    expect(server.count('REGISTER')).toBe(2);
    clock.advance(2_000);
    await settled();
    expect(server.count('REGISTER')).toBe(3);
    expect(authorization(server.last('REGISTER')).get('nc')).toBe('00000002');
    expect(userAgent.registration.state).toBe('registered');
  });

  it('renews under the nonce that the registrar named', async () => {
    const { server, userAgent, clock } = client();
    server.onRequest = (received) => registrar(received, { 'Authentication-Info': 'nextnonce="fresh"' });
    await userAgent.register();
    clock.advance(3_001_000);
    await settled();
    expect(server.count('REGISTER')).toBe(3);
    expect(authorization(server.last('REGISTER')).get('nonce')).toBe('fresh');
    expect(authorization(server.last('REGISTER')).get('nc')).toBe('00000001');
  });

  it('unregisters with an expiry of zero and forgets the route', async () => {
    const { server, userAgent } = await registered();
    await expect(userAgent.unregister()).resolves.toEqual({ state: 'unregistered' });
    expect(server.last('REGISTER').headers.get('Contact')).toMatch(/;expires=0$/);
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
    serve(server, ({ reply }) => reply(200));
    await userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() });
    expect(server.last('MESSAGE').headers.has('Route')).toBe(false);
  });
});

describe('security agreement', () => {
  it('announces, takes the list of the 401, and echoes it from then on', async () => {
    const { server, userAgent } = await registered();
    const [first, second] = server.requests;
    expect(first!.headers.getAll('Security-Client')).toEqual(['tls', 'msrp-tls;mediasec']);
    expect(first!.headers.has('Security-Verify')).toBe(false);
    expect(first!.headers.get('Require')).toBe('sec-agree');
    expect(second!.headers.getAll('Security-Verify')).toEqual(securityServer);
    expect(userAgent.flow?.securityAgreement).toEqual({
      client: ['tls', 'msrp-tls;mediasec'],
      server: securityServer,
      tls: true,
      msrpTls: true,
    });
    serve(server, ({ reply }) => reply(200));
    await userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() });
    const message = server.last('MESSAGE');
    expect(message.headers.getAll('Security-Verify')).toEqual(securityServer);
    expect(message.headers.has('Security-Client')).toBe(false);
    expect(message.headers.get('Proxy-Require')).toBe('sec-agree');
    expect(message.headers.getAll('Route')).toEqual(['<sip:orig@scscf.lab.test;lr>']);
  });

  it.each(['pin', 'first-use'] as const)(
    'believes nothing of a server whose certificate is only remembered (%s)',
    async (proof) => {
      const { server, userAgent } = client();
      server.serverProof = proof;
      server.onRequest = (received) => registrar(received);
      expect(await userAgent.register()).toMatchObject({ state: 'registered' });
      expect(userAgent.flow).toMatchObject({ protocol: 'tls', tls: { serverProof: proof } });
      expect(userAgent.flow?.securityAgreement).toBeUndefined();
    },
  );

  it('announces nothing over TCP and believes nothing there', async () => {
    const { server, userAgent } = await registered({ target: { host: '127.0.0.1', port: 5060, protocol: 'tcp' } });
    expect(server.requests.some(({ headers }) => headers.has('Security-Client') || headers.has('Require'))).toBe(false);
    expect(userAgent.flow).toEqual({ protocol: 'tcp', localAddress: expect.any(String) as string });
  });

  it('agrees on nothing when the server lists no TLS', async () => {
    const { server, userAgent } = client();
    server.onRequest = (received) =>
      received.reply(401, {
        'WWW-Authenticate': challenges.md5,
        'Security-Server': 'ipsec-3gpp;q=0.5;alg=hmac-sha-1-96',
      });
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'security-agreement-failed' });
    expect(server.requests.some(isAuthorizedHeader)).toBe(false);
  });

  it('takes a list of media mechanisms only, which agrees on no signalling mechanism', async () => {
    const { server, userAgent } = client();
    server.onRequest = (received) => {
      if (isAuthorized(received)) registrar(received);
      else received.reply(401, { 'WWW-Authenticate': challenges.md5, 'Security-Server': 'msrp-tls;mediasec' });
    };
    await userAgent.register();
    expect(userAgent.flow?.securityAgreement).toMatchObject({ tls: false, msrpTls: true });
  });

  it('goes on without what the server calls unsupported', async () => {
    const { server, userAgent } = client({ mediasecOptionTag: true });
    server.onRequest = (received) => {
      const required = received.message.headers.get('Require') ?? '';
      if (required.includes('mediasec')) received.reply(420, { Unsupported: 'mediasec' });
      else if (required !== '') received.reply(420, { Unsupported: 'sec-agree' });
      else registrar(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(server.requests[0]!.headers.get('Require')).toBe('sec-agree, mediasec');
    expect(userAgent.flow).toMatchObject({ protocol: 'tls', tls: { version: 'TLSv1.3' } });
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });

  it('verifies the list of a 494 once', async () => {
    const { server, userAgent } = client();
    server.onRequest = (received) => {
      if (received.message.headers.has('Security-Verify')) registrar(received);
      else received.reply(494, { 'Security-Server': securityServer });
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  });
});

describe('connection', () => {
  it('tells the loss, answers open requests with 503 at once, comes back and registers', async () => {
    const { server, userAgent, clock, states } = await registered();
    const flows: unknown[] = [];
    userAgent.events.on('flow', (flow) => flows.push(flow));
    const open = userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() });
    await settled();
    server.drop();
    await expect(open).resolves.toMatchObject({ status: 503, local: 'connection-lost' });
    expect(states.at(-1)).toMatchObject({ state: 'failed', code: 'connection-lost', willRetry: true });
    expect(userAgent.flow).toBeUndefined();
    const unsent = userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() });
    await expect(unsent).resolves.toMatchObject({ status: 503, local: 'connection-lost' });
    clock.advance(1_000);
    await settled();
    expect(userAgent.registration.state).toBe('registered');
    expect(flows).toEqual([{ connected: false, error: 'reset by peer' }, { connected: true }]);
    expect(server.last('REGISTER').headers.get('Contact')).toContain('@192.0.2.10:40002;');
  });

  it('pauses longer after each failure to come back', async () => {
    const { server, clock } = await registered();
    server.isDown = true;
    server.drop();
    clock.advance(600_000);
    for (let minute = 0; minute < 10; minute++) {
      await settled();
      clock.advance(60_000);
    }
    expect(server.targets.length).toBeLessThan(25);
    expect(server.targets.length).toBeGreaterThan(8);
  });

  it('keeps alive, and takes a server that stops answering for dead', async () => {
    const { server, userAgent, clock } = await registered();
    const nextPing = (): number => {
      const [before, start] = [server.pings, clock.now()];
      while (server.pings === before) clock.advance(100);
      return clock.now() - start;
    };
    // RFC 5626 clause 4.4.1: each pause is another one between 96 and 120 s.
    const pauses = [0, 1, 2].map(() => {
      const pause = nextPing();
      server.sendBytes(Uint8Array.of(0x0d, 0x0a));
      return pause;
    });
    expect(pauses.every((pause) => pause >= 95_900 && pause <= 120_100)).toBe(true);
    expect(new Set(pauses).size).toBeGreaterThan(1);
    nextPing();
    clock.advance(10_000);
    expect(userAgent.flow).toBeUndefined();
  });

  it('does not hold a server to keep-alive that never answered it', async () => {
    const { server, userAgent, clock } = await registered();
    clock.advance(400_000);
    expect(server.pings).toBeGreaterThan(2);
    expect(userAgent.flow).toBeDefined();
  });

  it('stops while the server is silent', async () => {
    const { server, userAgent, clock } = await registered();
    server.onRequest = () => undefined;
    const open = userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() });
    await settled();
    const stopped = userAgent.stop();
    await settled();
    clock.advance(4_000);
    await stopped;
    await expect(open).resolves.toMatchObject({ status: 503 });
    expect(userAgent.flow).toBeUndefined();
    expect(userAgent.registration).toEqual({ state: 'unregistered' });
  });

  it('can be started again after it was stopped', async () => {
    const { userAgent } = await registered();
    await userAgent.stop();
    expect(userAgent.flow).toBeUndefined();
    await userAgent.start();
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  });

  it('uses branches with 64 random bits, and refuses responses to others', async () => {
    const { server, userAgent } = await registered();
    expect(branchOf(server.requests[0]!)).toMatch(/^z9hG4bK\d+\.[0-9a-f]{16}$/);
    serve(server, ({ answer, reply }) => {
      const forged = answer(200);
      forged.headers.set('Via', forged.headers.get('Via')!.replace(/\.[0-9a-f]{16}/, '.0000000000000000'));
      server.send(forged);
      reply(480);
    });
    const reply = userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() });
    await expect(reply).resolves.toMatchObject({ status: 480 });
    expect(server.last('MESSAGE').headers.get('Via')).toContain('TLS 192.0.2.10:40001;');
  });
});

function isAuthorizedHeader({ headers }: SipMessage): boolean {
  return /response="[^"]/.test(headers.get('Authorization') ?? '');
}

describe('a change of mind', () => {
  const isLast = (message: SipMessage): boolean => (message.headers.get('Contact') ?? '').endsWith('expires=0');

  it('while the binding is given back: it is asked for anew, and stays', async () => {
    const { server, userAgent } = await registered();
    const left = userAgent.unregister();
    const back = userAgent.register();
    await expect(left).resolves.toBeDefined();
    await expect(back).resolves.toMatchObject({ state: 'registered' });
    await settled();
    expect(isLast(server.last('REGISTER'))).toBe(false);
    expect(userAgent.registration).toMatchObject({ state: 'registered' });
    expect(userAgent.flow?.securityAgreement).toMatchObject({ tls: true });
  });

  it('while the registrar thinks: what was asked for last counts', async () => {
    const { server, userAgent } = client();
    const waiting: (() => void)[] = [];
    server.onRequest = (received) => void waiting.push(() => registrar(received));
    const first = userAgent.register();
    await settled();
    const left = userAgent.unregister();
    const back = userAgent.register();
    server.onRequest = registrar;
    for (const go of waiting) go();
    await Promise.all([first, left, back]);
    await settled();
    expect(userAgent.registration).toMatchObject({ state: 'registered' });
    expect(server.requests.some(isLast)).toBe(false);
  });

  it('before there is a connection: nothing is asked for', async () => {
    const { server, userAgent } = client();
    const connect = server.connect.bind(server);
    let open: () => void = () => undefined;
    server.connect = async (hop) => {
      await new Promise<void>((resolve) => (open = resolve));
      return connect(hop);
    };
    const first = userAgent.register();
    await settled();
    const left = userAgent.unregister();
    open();
    await Promise.all([first, left]);
    expect(server.requests).toEqual([]);
    expect(userAgent.registration).toEqual({ state: 'unregistered' });
  });
});

it('a server that says "again at once" each time is not asked without a pause', async () => {
  const { server, userAgent, clock } = client();
  server.onRequest = ({ reply }) => reply(503, { 'Retry-After': '0' });
  await userAgent.register();
  for (let passed = 0; passed < 10_000; passed += 100) {
    clock.advance(100);
    await settled();
  }
  expect(server.count('REGISTER')).toBeGreaterThan(3);
  expect(server.count('REGISTER')).toBeLessThan(10);
});
