import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import type { IncomingMessage, SipUserAgent } from '../../../src/engine/sip/index.ts';
import { serialiseSipMessage } from '../../../src/protocol/sip/message.ts';
import {
  challenges,
  createClient,
  createRegisteredClient,
  isAuthorized,
  serve,
  settled,
} from '../../support/sip-client.ts';
import type { SipClient } from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

async function registered(): Promise<SipClient & { readonly incoming: IncomingMessage[] }> {
  const client = await createRegisteredClient();
  started.push(client.userAgent);
  const incoming: IncomingMessage[] = [];
  client.userAgent.events.on('message', (message) => incoming.push(message));
  return { ...client, incoming };
}

/** Every octet, in an order that is no UTF-8. */
const binary = Uint8Array.from({ length: 1024 }, (_, index) => (index * 7 + 0x80) & 0xff);
const empty = new Uint8Array();

describe('sendMessage', () => {
  it('sends octets as they are, with their right length', async () => {
    const { server, userAgent } = await registered();
    serve(server, ({ reply }) => reply(202, { 'X-Stored': 'yes' }, binary));
    const to = 'sip:bob@lab.test';
    const headers = { 'X-Test': 'a' };
    const reply = await userAgent.sendMessage({
      to,
      contentType: 'multipart/mixed;boundary="x y"',
      body: binary,
      headers,
    });
    expect(reply).toMatchObject({ status: 202, reason: 'Status 202', body: binary });
    expect(reply.local).toBeUndefined();
    expect(reply.headers.get('x-stored')).toBe('yes');
    const message = server.last('MESSAGE');
    expect(message.body).toEqual(binary);
    expect(message.start).toMatchObject({ uri: 'sip:bob@lab.test' });
    expect(message.headers.get('Content-Length')).toBe('1024');
    expect(message.headers.get('Content-Type')).toBe('multipart/mixed;boundary="x y"');
    expect(message.headers.get('X-Test')).toBe('a');
    expect(message.headers.get('Call-ID')).toMatch(/^[0-9a-f]{32}$/);
  });

  it('answers a proxy that asks for credentials, over the body where it must', async () => {
    const { server, userAgent } = await registered();
    serve(server, (received) => {
      if (isAuthorized(received)) received.reply(200);
      else received.reply(407, { 'Proxy-Authenticate': challenges.sha256.replace('auth,auth-int', 'auth-int') });
    });
    const reply = await userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'x/y', body: binary });
    expect(reply.status).toBe(200);
    expect(server.last('MESSAGE').headers.get('Proxy-Authorization')).toContain('qop=auth-int');
    expect(server.last('MESSAGE').body).toEqual(binary);
  });

  it('sends to telephone numbers', async () => {
    const { server, userAgent } = await registered();
    serve(server, ({ reply }) => reply(200));
    await userAgent.sendMessage({ to: 'tel:+49123;phone-context=x', contentType: 'text/plain', body: empty });
    expect(server.last('MESSAGE').start).toMatchObject({ uri: 'tel:+49123;phone-context=x' });
    expect(server.last('MESSAGE').headers.get('To')).toBe('<tel:+49123;phone-context=x>');
  });

  it('reports 408 when nobody answers', async () => {
    const { userAgent, clock } = await registered();
    const reply = userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: empty });
    await settled();
    clock.advance(33_000);
    await expect(reply).resolves.toMatchObject({ status: 408, local: 'timeout' });
  });

  it('refuses what cannot be sent before anything leaves', async () => {
    const { server, userAgent } = await registered();
    const send = (change: object): Promise<unknown> =>
      userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: empty, ...change });
    await expect(send({ body: new Uint8Array(64 * 1024 + 1) })).rejects.toMatchObject({ hint: { sip: 413 } });
    await expect(send({ to: 'bob' })).rejects.toMatchObject({ kind: 'local', field: 'sip.to' });
    await expect(send({ to: 'sip:bob@lab.test>\r\nX: y' })).rejects.toMatchObject({ kind: 'local' });
    await expect(send({ headers: { 'X-Test': 'a\r\nVia: evil' } })).rejects.toMatchObject({ kind: 'local' });
    await expect(send({ contentType: 'a/b\r\nVia: evil' })).rejects.toMatchObject({ kind: 'local' });
    expect(server.count('MESSAGE')).toBe(0);
  });

  it('is 503 without a connection', async () => {
    const { userAgent } = createClient();
    const reply = userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: empty });
    await expect(reply).resolves.toMatchObject({ status: 503, local: 'connection-lost' });
  });
});

describe('incoming MESSAGE', () => {
  const headers = {
    'Content-Type': 'multipart/related;type="application/mikey";boundary=---',
    'P-Asserted-Identity': '"Bob" <sip:bob@lab.test>, <tel:+1>',
    'Original-Content-Type': 'text/forged',
  };

  it('arrives octet for octet and is answered by the application', async () => {
    const { server, userAgent, incoming } = await registered();
    server.send(server.createRequest('MESSAGE', server.contactUri(), headers, binary));
    await settled();
    const [message] = incoming;
    expect(message).toMatchObject({
      from: 'sip:bob@lab.test',
      to: 'sip:alice@lab.test',
      assertedIdentity: 'sip:bob@lab.test',
      contentType: headers['Content-Type'],
      body: binary,
      onRegisteredFlow: true,
    });
    expect(message!.header('call-id')).toBe('call-1');
    message!.respond(200, { headers: { 'X-Done': '1' }, contentType: 'a/b', body: binary });
    message!.respond(500);
    await settled();
    expect(server.responses).toHaveLength(1);
    expect(server.responses[0]).toMatchObject({ status: 200, body: binary });
    expect(server.responses[0]!.headers.get('X-Done')).toBe('1');
    expect(server.responses[0]!.headers.get('Via')).toBe('SIP/2.0/TLS edge.lab.test:5061;branch=z9hG4bKedge1');
    expect(userAgent.registration.state).toBe('registered');
  });

  it('arrives whole however the network splits it, text after text', async () => {
    const { server, incoming } = await registered();
    const text = utf8('héllo ✓');
    const first = server.createRequest('MESSAGE', server.contactUri(), { 'Content-Type': 'text/plain' }, text);
    const second = server.createRequest('MESSAGE', server.contactUri(), { 'Content-Type': 'text/plain' }, binary);
    const stream = concatBytes(serialiseSipMessage(first), serialiseSipMessage(second));
    for (let offset = 0; offset < stream.length; offset += 100) server.sendBytes(stream.subarray(offset, offset + 100));
    await settled();
    expect(incoming.map(({ body }) => body)).toEqual([text, binary]);
  });

  it('shows telephone numbers and answers with them', async () => {
    const { server, incoming } = await registered();
    const from = '<tel:+49-123;phone-context=x>;tag=1';
    server.send(server.createRequest('MESSAGE', server.contactUri(), { From: from, To: 'tel:+49456' }, binary));
    await settled();
    expect(incoming[0]).toMatchObject({ from: 'tel:+49-123;phone-context=x', to: 'tel:+49456' });
    incoming[0]!.respond(200);
    await settled();
    expect(server.responses[0]!.headers.get('From')).toBe(from);
    expect(server.responses[0]!.headers.get('To')).toMatch(/^<?tel:\+49456>?;tag=/);
  });

  it('is answered 500 when the application does not answer', async () => {
    const { server, clock, incoming } = await registered();
    server.send(server.createRequest('MESSAGE', server.contactUri(), headers, binary));
    await settled();
    clock.advance(30_000);
    await settled();
    expect(server.responses.map(({ status }) => status)).toEqual([500]);
    incoming[0]!.respond(200);
    await settled();
    expect(server.responses).toHaveLength(1);
  });

  it('is refused when it is too large or one of too many', async () => {
    const { server, incoming } = await registered();
    server.send(server.createRequest('MESSAGE', server.contactUri(), headers, new Uint8Array(64 * 1024 + 1)));
    await settled();
    expect(server.responses.map(({ status }) => status)).toEqual([413]);
    for (let count = 0; count < 70; count++) {
      server.send(server.createRequest('MESSAGE', server.contactUri(), headers, binary));
    }
    await settled();
    expect(incoming).toHaveLength(64);
    expect(server.responses.filter(({ status }) => status === 503)).toHaveLength(6);
  });

  it.each([
    ['what was compressed', 'deflate', deflateSync(binary), undefined],
    ['the same in capitals', 'DEFLATE', deflateSync(binary), undefined],
    ['what was not', 'identity', binary, undefined],
    ['what is damaged', 'deflate', deflateSync(binary).subarray(1), 400],
    ['what is not compressed after all', 'deflate', binary, 400],
    ['what grows too large', 'deflate', deflateSync(new Uint8Array(64 * 1024 + 1)), 413],
    ['another compression', 'gzip', gzipSync(binary), 415],
    ['two, one over the other', 'deflate, deflate', deflateSync(deflateSync(binary)), 415],
  ] as const)('judges a body by how it was compressed: %s', async (_name, encoding, body, refused) => {
    const { server, incoming } = await registered();
    const coded = { ...headers, 'Content-Encoding': encoding };
    server.send(server.createRequest('MESSAGE', server.contactUri(), coded, new Uint8Array(body)));
    await settled();
    expect(incoming.map((message) => message.body)).toEqual(refused === undefined ? [binary] : []);
    expect(server.responses.map(({ status }) => status)).toEqual(refused === undefined ? [] : [refused]);
    if (refused === 415) expect(server.responses[0]!.headers.get('Accept-Encoding')).toBe('deflate, identity');
  });

  it('is refused with 420 when it requires what we do not know', async () => {
    const { server, incoming } = await registered();
    server.send(server.createRequest('MESSAGE', server.contactUri(), { Require: 'sec-agree, magic' }, binary));
    await settled();
    expect(server.responses[0]!.headers.get('Unsupported')).toBe('magic');
    expect(incoming).toHaveLength(0);
  });

  it('does not count as on the registered flow before registration is done', async () => {
    const { server, userAgent, incoming } = await registered();
    await userAgent.unregister();
    server.send(server.createRequest('MESSAGE', server.contactUri(), headers, binary));
    await settled();
    expect(incoming[0]!.onRegisteredFlow).toBe(false);
  });
});

describe('malformed input', () => {
  it.each([
    ['a From that is no address', { From: 'nobody at all' }],
    ['a CSeq for another method', { CSeq: '1 INVITE' }],
    ['a Max-Forwards that is no number', { 'Max-Forwards': 'many' }],
  ])('%s gets 400 and the connection goes on', async (_, headers) => {
    const { server, userAgent, incoming } = await registered();
    server.send(server.createRequest('MESSAGE', server.contactUri(), headers, binary));
    await settled();
    expect(server.responses.map(({ status }) => status)).toEqual([400]);
    expect(incoming).toHaveLength(0);
    serve(server, ({ reply }) => reply(200));
    const reply = await userAgent.sendMessage({ to: 'sip:bob@lab.test', contentType: 'text/plain', body: empty });
    expect(reply.status).toBe(200);
  });

  it('what cannot be framed ends the connection', async () => {
    const { server, userAgent } = await registered();
    server.sendBytes(utf8('MESSAGE sip:a@b SIP/2.0\r\n\r\n'));
    expect(userAgent.flow).toBeUndefined();
    expect(userAgent.registration).toMatchObject({ state: 'failed', code: 'connection-lost' });
  });

  it('requests that are not for us, or of unknown methods, are refused', async () => {
    const { server } = await registered();
    server.send(server.createRequest('MESSAGE', 'sip:stranger@lab.test', {}, binary));
    server.send(server.createRequest('PUBLISH', server.contactUri()));
    server.send(server.createRequest('OPTIONS', server.contactUri()));
    await settled();
    expect(server.responses.map(({ status }) => status)).toEqual([404, 405, 200]);
  });
});
