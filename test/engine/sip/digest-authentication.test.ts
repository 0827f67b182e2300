import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { SdpNegotiator, SipAccount, SipUserAgent } from '../../../src/engine/sip/index.ts';
import { alice, credentialsFor, credentialsOf, isRight } from '../../support/digest-credentials.ts';
import { challenge, digestNetwork, grant, home, message, proxy, register } from '../../support/digest-network.ts';
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

describe('a proxy that asks', () => {
  const asks = ({ message: request, reply }: Received): void => {
    if (request.method === 'ACK') return;
    if (isRight(request, proxy(request))) reply(200);
    else reply(407, { 'Proxy-Authenticate': challenge('lab.test', 'p1') });
  };

  it('is answered, and from then on before it asks, with the next count', async () => {
    const { server, userAgent } = network(asks);
    await userAgent.register();
    for (let round = 0; round < 3; round++) {
      await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    }
    const counts = server.requests
      .filter(({ method }) => method === 'MESSAGE')
      .map((request) => proxy(request).get('nc'));
    expect(counts).toEqual([undefined, '00000001', '00000002', '00000003']);
    const nonces = server.requests.flatMap((request) => credentialsOf(request, 'Proxy-Authorization'));
    expect(new Set(nonces.map((values) => values.get('cnonce'))).size).toBe(3);
    // What only the registrar asked for goes to nobody else.
    expect(credentialsOf(server.last('MESSAGE'), 'Authorization')).toEqual([]);
  });

  it('counts requests under one nonce together, whoever named it', async () => {
    const { server, userAgent } = network(({ message: request, reply }) => {
      if (isRight(request, proxy(request))) reply(200);
      else reply(407, { 'Proxy-Authenticate': challenge('lab.test', 'r1') });
    });
    await userAgent.register();
    await userAgent.sendMessage(message);
    expect(home(server.last('REGISTER')).get('nc')).toBe('00000001');
    expect(proxy(server.last('MESSAGE')).get('nc')).toBe('00000002');
  });

  it('gets the credentials of an INVITE in its ACK, and none in a CANCEL', async () => {
    const sdp =
      'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/a;tcp\r\n';
    const negotiator: SdpNegotiator = {
      createOffer: () => Promise.resolve(sdp),
      acceptAnswer: () => Promise.resolve(),
      createAnswer: () => Promise.resolve(sdp),
      close: () => undefined,
    };
    const described = { Contact: '<sip:bob@198.51.100.7;transport=tls>', 'Content-Type': 'application/sdp' };
    let isRinging = false;
    const { server, userAgent } = network((received) => {
      const { message: request, answer, reply } = received;
      if (request.method === 'CANCEL') {
        reply(200);
        const ringing = server.last('INVITE');
        const ended = answer(487);
        ended.headers.set('CSeq', ringing.headers.get('CSeq') ?? '');
        server.send(ended);
      } else if (request.method !== 'INVITE') asks(received);
      else if (!isRight(request, proxy(request))) asks(received);
      else if (isRinging) reply(180, { Contact: described.Contact });
      else reply(200, described, utf8(sdp));
    });
    await userAgent.register();
    const outcome = await userAgent.invite({ to: message.to, negotiator });
    expect(outcome.outcome).toBe('established');
    await settled();
    const ack = server.requests.findLast(({ method }) => method === 'ACK');
    expect(ack?.headers.get('CSeq')).toBe('2 ACK');
    expect(ack?.headers.getAll('Proxy-Authorization')).toEqual(
      server.last('INVITE').headers.getAll('Proxy-Authorization'),
    );
    isRinging = true;
    const abort = new AbortController();
    const ringing = userAgent.invite({ to: message.to, negotiator, signal: abort.signal });
    await settled();
    abort.abort();
    await expect(ringing).resolves.toMatchObject({ outcome: 'failed' });
    expect(server.count('CANCEL')).toBe(1);
    expect(credentialsOf(server.last('CANCEL'), 'Proxy-Authorization')).toEqual([]);
  });

  it('is answered again when it says that the nonce is stale, and not without end', async () => {
    let nonce = 0;
    const { server, userAgent } = network(({ message: request, reply }) => {
      if (nonce > 1 && isRight(request, proxy(request))) reply(200);
      else reply(407, { 'Proxy-Authenticate': `${challenge('lab.test', `p${++nonce}`)}, stale=true` });
    });
    await userAgent.register();
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    expect(server.count('MESSAGE')).toBe(3);
    nonce = Number.NEGATIVE_INFINITY;
    let asked = 0;
    server.onRequest = ({ reply }) =>
      reply(407, { 'Proxy-Authenticate': `${challenge('lab.test', `q${++asked}`)}, stale=true` });
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 407 });
    expect(asked).toBeLessThan(9);
  });

  it('is not answered twice under one nonce', async () => {
    const { server, userAgent } = network(({ reply }) =>
      reply(407, { 'Proxy-Authenticate': challenge('lab.test', 'p1') }),
    );
    await userAgent.register();
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 407 });
    expect(server.count('MESSAGE')).toBe(2);
    // Nor is what was refused sent unasked.
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 407 });
    expect(server.requests.filter((request) => proxy(request).has('nonce'))).toHaveLength(2);
  });

  it('in front of a server that asks too gets its own header', async () => {
    const { server, userAgent } = network(({ message: request, reply }) => {
      if (!isRight(request, proxy(request))) reply(407, { 'Proxy-Authenticate': challenge('lab.test', 'p1') });
      else if (!isRight(request, home(request))) reply(401, { 'WWW-Authenticate': challenge('lab.test', 'u1') });
      else reply(200);
    });
    await userAgent.register();
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    const last = server.last('MESSAGE');
    expect(proxy(last).get('nc')).toBe('00000002');
    expect(home(last).get('nonce')).toBe('u1');
    expect(server.count('MESSAGE')).toBe(3);
  });
});

describe('several realms', () => {
  const visited = { realm: 'visited.test', username: 'guest', password: new SecretBytes(utf8('guest password')) };
  const guest = { username: 'guest', password: 'guest password' };

  it('in one answer are answered together, each with its own credentials and in its own header', async () => {
    const { server, userAgent } = network(
      ({ message: request, reply }) => {
        const atVisited = credentialsFor(request, 'Proxy-Authorization', 'visited.test');
        const isDone = isRight(request, home(request)) && isRight(request, atVisited, guest);
        if (isDone && isRight(request, proxy(request))) reply(200);
        else
          reply(407, {
            'Proxy-Authenticate': [
              challenge('lab.test', 'p1', 'algorithm=MD5, qop="auth"'),
              challenge('visited.test', 'v1', 'qop="auth"'),
              challenge('lab.test', 'p2'),
              challenge('elsewhere.test', 'e1'),
            ],
            'WWW-Authenticate': challenge('lab.test', 'u1'),
          });
      },
      { credentials: [visited] },
    );
    await userAgent.register();
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    expect(server.count('MESSAGE')).toBe(2);
    const realms = credentialsOf(server.last('MESSAGE'), 'Proxy-Authorization').map((values) => [
      values.get('realm'),
      values.get('nonce'),
      values.get('username'),
    ]);
    expect(realms.sort()).toEqual([
      ['lab.test', 'p2', alice.username],
      ['visited.test', 'v1', 'guest'],
    ]);
  });

  it('of a registration: the home network is chosen, wherever it stands', async () => {
    const { server, userAgent } = network();
    server.onRequest = (received) => {
      if (isRight(received.message, home(received.message))) grant(received);
      else
        received.reply(401, { 'WWW-Authenticate': [challenge('elsewhere.test', 'e1'), challenge('lab.test', 'r1')] });
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(credentialsOf(server.last('REGISTER'), 'Authorization')).toHaveLength(1);
  });

  it('get nothing of the account where they are not its own', async () => {
    const { server, userAgent } = network(({ reply }) =>
      reply(401, { 'WWW-Authenticate': challenge('elsewhere.test', 'e1') }),
    );
    await userAgent.register();
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 401 });
    expect(server.count('MESSAGE')).toBe(1);
  });
});

describe('algorithms and qualities of protection', () => {
  it.each([
    ['algorithm=MD5-sess, qop="auth"'],
    ['algorithm=SHA-256-sess, qop="auth"'],
    ['algorithm=SHA-512-256, qop="auth"'],
    ['algorithm=SHA-512-256-sess, qop="auth"'],
    ['algorithm=SHA-256, qop="auth-int"'],
    ['algorithm=SHA-256'],
    ['opaque=""'],
  ])('registers and sends with %s', async (more) => {
    const { server, userAgent } = network(({ message: request, reply }) => {
      if (isRight(request, proxy(request))) reply(200);
      else reply(407, { 'Proxy-Authenticate': challenge('lab.test', 'p1', more) });
    });
    const other = server.onRequest;
    server.onRequest = (received) => {
      if (received.message.method === 'REGISTER') register(received, challenge('lab.test', 'r1', more));
      else other(received);
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    const body = Uint8Array.of(0x30, 0x82, 0xff, 0x00, 0x0d, 0x0a);
    for (let round = 0; round < 2; round++) {
      await expect(userAgent.sendMessage({ ...message, body })).resolves.toMatchObject({ status: 200 });
    }
    expect(server.count('MESSAGE')).toBe(3);
  });

  it('keeps the client nonce of a session variant, whose key is bound to it', async () => {
    const { server, userAgent } = network();
    server.onRequest = (received) => register(received, challenge('lab.test', 'r1', 'algorithm=MD5-sess, qop="auth"'));
    await userAgent.register();
    const first = home(server.last('REGISTER'));
    await userAgent.register();
    const second = home(server.last('REGISTER'));
    expect([first.get('nc'), second.get('nc')]).toEqual(['00000001', '00000002']);
    expect(second.get('cnonce')).toBe(first.get('cnonce'));
  });

  it('covers the body where the account wants it and the server can', async () => {
    const { server, userAgent } = network(undefined, { digestQop: 'auth-int' });
    server.onRequest = (received) => register(received, challenge('lab.test', 'r1', 'qop="auth,auth-int"'));
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(home(server.last('REGISTER')).get('qop')).toBe('auth-int');
  });
});
