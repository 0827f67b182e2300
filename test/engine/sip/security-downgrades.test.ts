import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { SipAccount, SipUserAgent } from '../../../src/engine/sip/index.ts';
import type { Received } from '../../support/scripted-sip-server.ts';
import { challenges, createClient, isAuthorized, settled, type SipClient } from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

const list = ['tls;q=0.2, digest;q=0.1;d-alg=SHA-256', 'msrp-tls;mediasec'];
const message = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: utf8('Hello') };
const failed = { state: 'failed', code: 'security-agreement-failed' };

/** A server that states `list` in its 401 and says yes to who mirrors it; what differs is the test's. */
class Edge {
  /** In the 200; none when empty. */
  inAnswer: readonly string[] = list;
  /** Not undefined: the mirrored list is refused with a 494 that states this one. */
  in494: readonly string[] | undefined;
  inChallenge: readonly string[] = list;
  onOther: (received: Received) => void = ({ reply }) => reply(200);

  readonly onRequest = (received: Received): void => {
    const { message: request, reply } = received;
    if (request.method !== 'REGISTER') {
      this.onOther(received);
      return;
    }
    const contact = request.headers.get('Contact') ?? '';
    if (!isAuthorized(received)) {
      reply(401, { 'WWW-Authenticate': challenges.sha256, 'Security-Server': [...this.inChallenge] });
    } else if (this.in494 !== undefined) reply(494, { 'Security-Server': [...this.in494] });
    else if (contact.endsWith('expires=0')) reply(200);
    else reply(200, { Contact: contact, 'Security-Server': [...this.inAnswer] });
  };
}

function network(account: Partial<SipAccount> = {}): SipClient & { readonly edge: Edge } {
  const client = createClient(account);
  started.push(client.userAgent);
  const edge = new Edge();
  client.server.onRequest = edge.onRequest;
  return { ...client, edge };
}

const others: readonly (readonly [string, readonly string[]])[] = [
  ['shorter by a mechanism', ['tls;q=0.2', 'msrp-tls;mediasec']],
  ['shorter by a media mechanism', ['tls;q=0.2, digest;q=0.1;d-alg=SHA-256']],
  ['with other preferences', ['tls;q=0.1, digest;q=0.2;d-alg=SHA-256', 'msrp-tls;mediasec']],
  ['in another order', ['digest;q=0.1;d-alg=SHA-256, tls;q=0.2', 'msrp-tls;mediasec']],
  ['with another parameter', ['tls;q=0.2, digest;q=0.1;d-alg=MD5', 'msrp-tls;mediasec']],
  ['longer by a mechanism', ['tls;q=0.2, digest;q=0.1;d-alg=SHA-256, ipsec-3gpp;q=0.05', 'msrp-tls;mediasec']],
  ['that is no list', ['tls;=']],
];

describe('a list of mechanisms that is another one', () => {
  it.each(others)('in the 200: %s', async (_, other) => {
    const { edge, userAgent } = network();
    edge.inAnswer = other;
    await expect(userAgent.register()).resolves.toMatchObject({ ...failed, willRetry: false });
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });

  it.each(others)('in a 494: %s', async (_, other) => {
    const { edge, server, userAgent } = network();
    edge.in494 = other;
    await expect(userAgent.register()).resolves.toMatchObject({ ...failed, willRetry: false });
    expect(server.count('REGISTER')).toBe(2);
  });

  it.each(others)('in a 494 to a renewal: %s', async (_, other) => {
    const { edge, userAgent } = network();
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    edge.in494 = other;
    // A server that was set up anew deserves one agreement from the beginning.
    await expect(userAgent.register()).resolves.toMatchObject({ ...failed, willRetry: true });
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });

  it('gets no credentials where it stands in a challenge to a renewal', async () => {
    const { edge, server, userAgent } = network();
    await userAgent.register();
    const before = server.requests.length;
    server.onRequest = ({ reply }) =>
      reply(401, { 'WWW-Authenticate': challenges.sha256, 'Security-Server': ['tls;q=0.9'] });
    await expect(userAgent.register()).resolves.toMatchObject(failed);
    expect(server.requests.length).toBe(before + 1);
    server.onRequest = edge.onRequest;
  });
});

describe('a list that stays', () => {
  it('does so where the 200 does not repeat it, and is mirrored in whatever follows', async () => {
    const { edge, server, userAgent } = network();
    edge.inAnswer = [];
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(userAgent.flow?.securityAgreement).toMatchObject({ tls: true, msrpTls: true });
    await userAgent.sendMessage(message);
    expect(server.last('MESSAGE').headers.getAll('Security-Verify').join(', ')).toBe(list.join(', '));
  });

  it('may be repeated by its media entries alone, with more of them', async () => {
    const { edge, userAgent } = network();
    edge.inAnswer = ['msrp-tls;mediasec, sdes-srtp;mediasec'];
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(userAgent.flow?.securityAgreement).toMatchObject({ tls: true, msrpTls: true });
  });

  it('is verified once more after a 494 that states it, and not a third time', async () => {
    const { edge, server, userAgent } = network();
    edge.in494 = list;
    await expect(userAgent.register()).resolves.toMatchObject({ ...failed, status: 494, willRetry: false });
    const verified = server.requests.filter(({ headers }) => headers.has('Security-Verify'));
    expect(verified.every(({ headers }) => headers.getAll('Security-Verify').join(', ') === list.join(', '))).toBe(
      true,
    );
    expect(verified).toHaveLength(2);
    expect(server.count('REGISTER')).toBe(3);
  });
});

describe('later requests', () => {
  it.each([
    [494, { 'Security-Server': ['tls;q=0.1'] }],
    [421, { Require: 'sec-agree' }],
  ])('answered with %i fail, and the registrar is asked whether the agreement stands', async (status, headers) => {
    const { edge, server, userAgent } = network();
    await userAgent.register();
    const before = server.count('REGISTER');
    edge.onOther = ({ reply }) => reply(status, headers);
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status });
    await settled();
    expect(server.count('REGISTER')).toBe(before + 1);
    expect(server.last('REGISTER').headers.getAll('Security-Verify').join(', ')).toBe(list.join(', '));
    // The registrar says that it stands: what somebody else stated counts for nothing.
    expect(userAgent.registration.state).toBe('registered');
    expect(userAgent.flow?.securityAgreement?.server.join(', ')).toBe(list.join(', '));
  });

  it('answered with 494 end the registration when the registrar states another list too', async () => {
    const { edge, userAgent } = network();
    await userAgent.register();
    edge.onOther = ({ reply }) => reply(494, { 'Security-Server': ['tls;q=0.1'] });
    edge.in494 = ['tls;q=0.1'];
    await userAgent.sendMessage(message);
    await settled();
    expect(userAgent.registration).toMatchObject(failed);
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });
});

describe('option tags', () => {
  it('sends mediasec where the account wants it, and once without it after a 420', async () => {
    const { edge, server, userAgent } = network({ mediasecOptionTag: true });
    server.onRequest = (received) => {
      const tags = received.message.headers.get('Proxy-Require') ?? '';
      if (tags.includes('mediasec')) received.reply(420, { Unsupported: 'mediasec' });
      else edge.onRequest(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(server.requests.map(({ headers }) => headers.get('Require'))).toEqual([
      'sec-agree, mediasec',
      'sec-agree',
      'sec-agree',
    ]);
    expect(userAgent.flow?.securityAgreement?.msrpTls).toBe(true);
  });

  it('are not dropped by a server that has agreed already', async () => {
    const { server, userAgent } = network();
    await userAgent.register();
    server.onRequest = ({ reply }) => reply(420, { Unsupported: 'sec-agree' });
    await expect(userAgent.register()).resolves.toMatchObject(failed);
    expect(userAgent.flow?.securityAgreement).toBeUndefined();
  });

  it('say why a server that insists on an agreement cannot be used without TLS', async () => {
    const { server, userAgent } = network({ target: { host: '127.0.0.1', port: 5060, protocol: 'tcp' } });
    server.onRequest = ({ reply }) => reply(421, { Require: 'sec-agree' });
    await expect(userAgent.register()).resolves.toMatchObject({
      ...failed,
      explanation: expect.stringContaining('over TLS only') as string,
    });
    expect(server.requests.some(({ headers }) => headers.has('Security-Client'))).toBe(false);
  });
});
