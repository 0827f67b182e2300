import { afterEach, describe, expect, it } from 'vitest';
import type { SipUserAgent } from '../../../src/engine/sip/index.ts';
import { challenges, createClient, isAuthorized, registrar, securityServer, serve } from '../../support/sip-client.ts';
import type { SipClient } from '../../support/sip-client.ts';
import type { Received } from '../../support/scripted-sip-server.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

function client(onRequest: (received: Received) => void): SipClient {
  const created = createClient();
  started.push(created.userAgent);
  created.server.onRequest = onRequest;
  return created;
}

const message = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() };

describe('an answer that pretends to be to a REGISTER', () => {
  /** A network without security agreement, which hands on what the callee sends. */
  async function withoutAgreement(forge: (received: Received) => void): Promise<SipClient> {
    const created = client((received) => {
      if (received.message.method !== 'REGISTER') forge(received);
      else if (isAuthorized(received)) registrar(received);
      else received.reply(401, { 'WWW-Authenticate': challenges.sha256 });
    });
    await created.userAgent.register();
    return created;
  }

  it('makes no security agreement', async () => {
    const { server, userAgent } = await withoutAgreement(({ answer, reply }) => {
      const forged = answer(200, { 'Security-Server': securityServer });
      forged.headers.set('CSeq', forged.headers.get('CSeq')!.replace('MESSAGE', 'REGISTER'));
      server.send(forged);
      reply(200);
    });
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
    await userAgent.register();
    expect(server.last('REGISTER').headers.has('Security-Verify')).toBe(false);
  });
});

describe('a challenge to a request that others answer', () => {
  async function challenged(value: string, status = 407): Promise<SipClient> {
    const created = client(registrar);
    await created.userAgent.register();
    serve(created.server, ({ reply }) =>
      reply(status, { [status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate']: value }),
    );
    await expect(created.userAgent.sendMessage(message)).resolves.toMatchObject({ status });
    return created;
  }

  it.each([
    ['for another realm', 'Digest realm="elsewhere", nonce="n", algorithm=SHA-256, qop="auth"', 407],
    ['for another realm, of the callee', 'Digest realm="elsewhere", nonce="n", algorithm=SHA-256, qop="auth"', 401],
    ['under a weaker hash than the registrar has', challenges.md5, 407],
  ])('%s gets no credentials', async (_, value, status) => {
    const { server } = await challenged(value, status);
    expect(server.count('MESSAGE')).toBe(1);
  });

  it('of the home network gets them', async () => {
    const { server } = await challenged(challenges.sha256);
    expect(server.count('MESSAGE')).toBe(2);
  });
});

describe('a list of security mechanisms that changes', () => {
  const changed = ['tls;q=0.1', 'ipsec-3gpp;q=0.5;alg=hmac-sha-1-96'];

  it('between 401 and 200 is no agreement', async () => {
    const { userAgent } = client((received) =>
      registrar(received, isAuthorized(received) ? { 'Security-Server': changed } : {}),
    );
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'security-agreement-failed' });
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });

  it('by a 494 to the list that was mirrored is no agreement', async () => {
    const { server, userAgent } = client((received) => {
      if (isAuthorized(received)) received.reply(494, { 'Security-Server': changed });
      else registrar(received);
    });
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'security-agreement-failed' });
    expect(server.count('REGISTER')).toBe(2);
  });

  it('at a renewal is agreed anew', async () => {
    const { server, userAgent, clock } = client(registrar);
    await userAgent.register();
    let list = changed;
    server.onRequest = (received) => {
      const mirrored = received.message.headers.getAll('Security-Verify');
      if (mirrored.join() !== list.join()) received.reply(494, { 'Security-Server': list });
      else if (isAuthorized(received)) registrar(received);
      else received.reply(401, { 'WWW-Authenticate': challenges.sha256, 'Security-Server': list });
    };
    list = ['tls;q=0.3'];
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', willRetry: true });
    clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(userAgent.flow?.securityAgreement).toMatchObject({ server: list, tls: true, msrpTls: false });
  });
});
