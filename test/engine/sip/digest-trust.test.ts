import { afterEach, describe, expect, it } from 'vitest';
import type { SipAccount, SipUserAgent } from '../../../src/engine/sip/index.ts';
import { isRight, responseAuth } from '../../support/digest-credentials.ts';
import { challenge, digestNetwork, grant, home, message, register } from '../../support/digest-network.ts';
import type { Received } from '../../support/scripted-sip-server.ts';
import { settled, type SipClient } from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

function network(onRequest?: (received: Received) => void, account?: Partial<SipAccount>): SipClient {
  const client = digestNetwork(onRequest, account);
  started.push(client.userAgent);
  return client;
}

describe('a weaker algorithm than at the beginning', () => {
  const weak = challenge('lab.test', 'weak', 'algorithm=MD5, qop="auth"');
  const weakRegistrar = (received: Received): void => {
    if (isRight(received.message, home(received.message)) && home(received.message).get('nonce') === 'weak') {
      grant(received);
    } else received.reply(401, { 'WWW-Authenticate': weak });
  };

  it('is not answered at a renewal, and said', async () => {
    const { server, userAgent } = network();
    await userAgent.register();
    server.onRequest = weakRegistrar;
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'authentication-failed',
      explanation: expect.stringContaining('weaker method') as string,
      willRetry: false,
    });
    expect(home(server.last('REGISTER')).get('nonce')).toBe('r1');
  });

  it('is not answered after the connection broke either', async () => {
    const { server, userAgent, clock } = network();
    await userAgent.register();
    server.onRequest = weakRegistrar;
    server.drop();
    clock.advance(60_000);
    await settled();
    expect(userAgent.registration).toMatchObject({ state: 'failed', code: 'authentication-failed' });
    expect(server.requests.some((request) => home(request).get('nonce') === 'weak')).toBe(false);
  });

  it.each(['SHA-256', 'MD5'])(
    'is not answered either without the quality of protection that it had: %s',
    async (name) => {
      const { server, userAgent } = network();
      await userAgent.register();
      const bare = challenge('lab.test', 'bare', `algorithm=${name}`);
      server.onRequest = ({ reply }) => reply(401, { 'WWW-Authenticate': bare });
      await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'authentication-failed' });
      expect(server.requests.some((request) => home(request).get('nonce') === 'bare')).toBe(false);
    },
  );

  it('is answered after the user signed out', async () => {
    const { server, userAgent } = network();
    await userAgent.register();
    await userAgent.unregister();
    server.onRequest = weakRegistrar;
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  });
});

describe('the proof of the server', () => {
  const prove = (received: Received, change: (proof: string) => string = (proof) => proof): Record<string, string> => {
    const values = home(received.message);
    const proof = change(responseAuth(received.message, values));
    return {
      'Authentication-Info': `qop=auth, rspauth="${proof}", cnonce="${values.get('cnonce') ?? ''}", nc=${values.get('nc') ?? ''}, nextnonce="fresh"`,
    };
  };
  const wrong = (proof: string): string => proof.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));

  it('is checked, and its next nonce used', async () => {
    const { server, userAgent } = network();
    server.onRequest = (received) => {
      if (isRight(received.message, home(received.message))) grant(received, prove(received));
      else register(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    await userAgent.register();
    expect(home(server.last('REGISTER')).get('nonce')).toBe('fresh');
    expect(home(server.last('REGISTER')).get('nc')).toBe('00000001');
  });

  it('when it is wrong makes no registration', async () => {
    const { server, userAgent } = network();
    server.onRequest = (received) => {
      if (isRight(received.message, home(received.message))) grant(received, prove(received, wrong));
      else register(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({
      state: 'failed',
      code: 'network-not-authentic',
      willRetry: false,
    });
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });

  it('when it is wrong makes a message that was not sent', async () => {
    const { userAgent } = network((received) => {
      if (isRight(received.message, home(received.message))) received.reply(200, prove(received, wrong));
      else received.reply(401, { 'WWW-Authenticate': challenge('lab.test', 'u1') });
    });
    await userAgent.register();
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({
      status: 403,
      reason: 'Answer Not Authentic',
    });
  });
});
