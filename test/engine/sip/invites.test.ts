import { afterEach, describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { decodeMultipart, encodeMultipart, headerValue, parseMediaType } from '../../../src/protocol/mime/index.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import type {
  IncomingInvite,
  InviteOutcome,
  SdpNegotiator,
  SipSession,
  SipUserAgent,
} from '../../../src/engine/sip/index.ts';
import { limits } from '../../../src/engine/limits.ts';
import type { SipMessage } from '../../../src/protocol/sip/message.ts';
import { branchOf, type Received } from '../../support/scripted-sip-server.ts';
import { createRegisteredClient, securityServer, serve, settled, type SipClient } from '../../support/sip-client.ts';

const sdp = (version: number): string =>
  `v=0\r\no=- 1 ${version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/é;tcp\r\n`;
const offer = sdp(1);
const answer = sdp(2);
const contact = { Contact: '<sip:bob@198.51.100.7;transport=tls>' };
const described = { ...contact, 'Content-Type': 'application/sdp' };

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

async function registered(): Promise<SipClient & { readonly invites: IncomingInvite[] }> {
  const client = await createRegisteredClient();
  started.push(client.userAgent);
  const invites: IncomingInvite[] = [];
  client.userAgent.events.on('invite', (invite) => invites.push(invite));
  return { ...client, invites };
}

class Negotiator implements SdpNegotiator {
  accepted: string | undefined;
  offered: string | undefined;
  closes = 0;
  problem: Error | undefined;

  createOffer(): Promise<string> {
    return Promise.resolve(offer);
  }

  acceptAnswer(text: string): Promise<void> {
    this.accepted = text;
    return this.problem === undefined ? Promise.resolve() : Promise.reject(this.problem);
  }

  createAnswer(text: string): Promise<string> {
    this.offered = text;
    return this.problem === undefined ? Promise.resolve(answer) : Promise.reject(this.problem);
  }

  close(): void {
    this.closes++;
  }
}

const to = 'sip:bob@lab.test';

function sessionOf(outcome: InviteOutcome): SipSession {
  if (outcome.outcome !== 'established') throw new Error(outcome.outcome);
  return outcome.session;
}

describe('outgoing INVITE', () => {
  it('negotiates, acknowledges and ends', async () => {
    const { server, userAgent } = await registered();
    const negotiator = new Negotiator();
    serve(server, ({ message, reply }) => {
      if (message.method === 'INVITE') {
        reply(100);
        reply(180, contact);
        reply(200, described, utf8(answer));
      } else if (message.method !== 'ACK') reply(200);
    });
    const session = sessionOf(await userAgent.invite({ to, negotiator }));
    await settled();
    expect(session.remote).toBe(to);
    expect(negotiator.accepted).toBe(answer);
    const invite = server.last('INVITE');
    expect(fromUtf8(invite.body)).toBe(offer);
    expect(invite.headers.get('Content-Type')).toBe('application/sdp');
    expect(invite.headers.get('Contact')).toContain('@192.0.2.10:40001;transport=tls');
    expect(server.count('ACK')).toBe(1);
    expect(server.last('ACK').headers.has('Security-Verify')).toBe(false);
    const ends: string[] = [];
    session.onEnded((why) => ends.push(why));
    await session.end('done "here"');
    expect(server.last('BYE').start).toMatchObject({ uri: 'sip:bob@198.51.100.7;transport=tls' });
    expect(server.last('BYE').headers.get('Reason')).toBe('SIP;cause=200;text="done \'here\'"');
    expect(server.last('BYE').headers.getAll('Security-Verify')).toEqual(securityServer);
    expect(ends).toEqual(['done "here"']);
    expect(negotiator.closes).toBe(1);
    await session.end();
    session.onEnded((why) => ends.push(why));
    expect(ends).toHaveLength(2);
  });

  it('sends what goes with the offer as multipart/related, the SDP its root', async () => {
    const { server, userAgent } = await registered();
    const negotiator = new Negotiator();
    serve(server, ({ message, reply }) => {
      if (message.method === 'INVITE') reply(200, described, utf8(answer));
      else if (message.method !== 'ACK') reply(200);
    });
    const bytes = Uint8Array.of(0x89, 0x0d, 0x0a, 0x2d, 0x2d, 0x00, 0xff);
    const related = [{ contentId: 'icon@alice.test', contentType: 'image/png', bytes }];
    const session = sessionOf(await userAgent.invite({ to, negotiator, related }));
    const { headers, body } = server.last('INVITE');
    const mediaType = parseMediaType(headers.get('Content-Type')!);
    expect([mediaType.type, mediaType.parameters.get('type')]).toEqual(['multipart/related', 'application/sdp']);
    expect(headers.get('Content-Length')).toBe(String(body.length));
    expect(headers.has('Original-Content-Type')).toBe(false);
    const [root, icon] = decodeMultipart(mediaType, body);
    expect(fromUtf8(root!.body)).toBe(offer);
    expect(headerValue(icon!.headers, 'Content-ID')).toBe('<icon@alice.test>');
    expect(icon!.body).toEqual(bytes);
    expect(negotiator.accepted).toBe(answer);
    expect(server.last('ACK').body.length).toBe(0);
    await session.end();
  });

  it('tells a rejection with its warning and body', async () => {
    const { server, userAgent } = await registered();
    const negotiator = new Negotiator();
    serve(server, ({ message, reply }) => {
      if (message.method !== 'INVITE') return;
      const warning = ['399 x "no key"', '306 x "attribute"'];
      reply(488, { Warning: warning, 'Content-Type': 'application/sdp' }, utf8(answer));
    });
    const outcome = await userAgent.invite({ to, negotiator });
    expect(outcome).toEqual({
      outcome: 'rejected',
      status: 488,
      reason: 'Status 488',
      warning: 'no key; attribute',
      contentType: 'application/sdp',
      body: utf8(answer),
    });
    await settled();
    expect(branchOf(server.last('ACK'))).toBe(branchOf(server.last('INVITE')));
    expect(negotiator.closes).toBe(1);
  });

  it.each([
    ['refused by the negotiator', answer, new ProtocolError('peer-misbehaved', 'no', { field: 'x' })],
    ['malformed', 'v=0\r\nnonsense', undefined],
    ['missing', '', undefined],
  ])('an answer that is %s is acknowledged, and the dialog ended', async (_, text, problem) => {
    const { server, userAgent } = await registered();
    const negotiator = new Negotiator();
    negotiator.problem = problem;
    serve(server, ({ message, reply }) => {
      if (message.method === 'INVITE') reply(200, text === '' ? contact : described, utf8(text));
      else if (message.method === 'BYE') reply(200);
    });
    const outcome = await userAgent.invite({ to, negotiator });
    if (outcome.outcome !== 'failed') throw new Error(outcome.outcome);
    expect(outcome.error).toBeInstanceOf(ProtocolError);
    if (problem !== undefined) expect(outcome.error).toBe(problem);
    await settled();
    expect([server.count('ACK'), server.count('BYE'), negotiator.closes]).toEqual([1, 1, 1]);
  });

  it('is cancelled when nobody answers in time, with the branch of the INVITE', async () => {
    const { server, userAgent, clock } = await registered();
    const negotiator = new Negotiator();
    let open: Received | undefined;
    serve(server, (received) => {
      if (received.message.method === 'INVITE') {
        open = received;
        received.reply(180, contact);
      } else if (received.message.method === 'CANCEL') {
        received.reply(200);
        open?.reply(487);
      }
    });
    const outcome = userAgent.invite({ to, negotiator, timeoutMilliseconds: 10_000 });
    await settled();
    clock.advance(10_000);
    await expect(outcome).resolves.toMatchObject({ outcome: 'rejected', status: 408 });
    await settled();
    expect(branchOf(server.last('CANCEL'))).toBe(branchOf(server.last('INVITE')));
    expect(server.last('CANCEL').headers.has('Require')).toBe(false);
    expect(negotiator.closes).toBe(1);
  });

  it('can be cancelled by the caller; a late answer is ended', async () => {
    const { server, userAgent } = await registered();
    const negotiator = new Negotiator();
    const controller = new AbortController();
    let open: Received | undefined;
    serve(server, (received) => {
      if (received.message.method === 'INVITE') {
        open = received;
        received.reply(180, contact);
      } else if (received.message.method !== 'ACK') received.reply(200);
    });
    const outcome = userAgent.invite({ to, negotiator, signal: controller.signal });
    await settled();
    controller.abort();
    await expect(outcome).resolves.toMatchObject({ outcome: 'failed' });
    open!.reply(200, described, utf8(answer));
    await settled();
    expect([server.count('ACK'), server.count('BYE')]).toEqual([1, 1]);
    expect(negotiator.accepted).toBeUndefined();
  });

  it('fails at once when the connection breaks or the user agent stops', async () => {
    const { server, userAgent } = await registered();
    const lost = userAgent.invite({ to, negotiator: new Negotiator() });
    await settled();
    server.drop();
    await expect(lost).resolves.toMatchObject({ outcome: 'failed' });
    await userAgent.register();
    const stopped = userAgent.invite({ to, negotiator: new Negotiator() });
    await settled();
    await userAgent.stop();
    await expect(stopped).resolves.toMatchObject({ outcome: 'failed' });
    await expect(userAgent.invite({ to: 'nobody', negotiator: new Negotiator() })).resolves.toMatchObject({
      outcome: 'failed',
      error: { field: 'sip.to' },
    });
  });

  it('refuses a transfer inside the session, a changed description, and takes a refresh', async () => {
    const { server, userAgent } = await registered();
    serve(server, ({ message, reply }) => {
      if (message.method === 'INVITE') reply(200, described, utf8(answer));
      else if (message.method === 'BYE') reply(200);
    });
    const session = sessionOf(await userAgent.invite({ to, negotiator: new Negotiator() }));
    await settled();
    const invite = server.last('INVITE');
    let sequence = 10;
    const inside = async (method: string, body: string, more = {}): Promise<SipMessage> => {
      const before = server.responses.length;
      const headers = {
        From: `<${to}>;tag=s3rver`,
        To: invite.headers.get('From') ?? '',
        'Call-ID': invite.headers.get('Call-ID') ?? '',
        CSeq: `${++sequence} ${method}`,
        'Content-Type': 'application/sdp',
        ...more,
      };
      server.send(server.createRequest(method, server.contactUri(), headers, utf8(body)));
      await settled();
      return server.responses.slice(before).find(({ status }) => (status ?? 0) >= 200)!;
    };
    const refreshed = await inside('INVITE', answer);
    expect(refreshed.status).toBe(200);
    expect(fromUtf8(refreshed.body)).toBe(offer);
    server.send(server.createRequest('ACK', server.contactUri(), { ...dialogOf(refreshed), CSeq: `${sequence} ACK` }));
    await settled();
    const renumbered = await inside('INVITE', sdp(9));
    expect(renumbered.status).toBe(200);
    server.send(server.createRequest('ACK', server.contactUri(), { ...dialogOf(renumbered), CSeq: `${sequence} ACK` }));
    await settled();
    // Another address, a stream that was put on hold, a second stream: each would be another session (profile 3.6).
    const moved = sdp(10).replaceAll('192.0.2.1', '198.51.100.9');
    const held = `${sdp(11)}a=inactive\r\n`;
    const joined = `${sdp(12)}m=audio 4000 RTP/AVP 0\r\n`;
    for (const changed of [moved, held, joined]) expect((await inside('INVITE', changed)).status).toBe(488);
    expect((await inside('REFER', '', { 'Refer-To': '<sip:evil@example.org>' })).status).toBe(603);
    expect(server.count('INVITE')).toBe(1);
    const ends: string[] = [];
    session.onEnded((why) => ends.push(why));
    expect((await inside('BYE', '', { Reason: 'SIP;cause=200;text="tired"' })).status).toBe(200);
    expect(ends).toEqual(['tired']);
  });
});

function dialogOf(response: SipMessage): Record<string, string> {
  return Object.fromEntries(['From', 'To', 'Call-ID'].map((name) => [name, response.headers.get(name) ?? '']));
}

describe('incoming INVITE', () => {
  const receive = async (client: SipClient, body: string | Uint8Array = offer, headers = {}): Promise<SipMessage> => {
    const { server } = client;
    const octets = typeof body === 'string' ? utf8(body) : body;
    const all = { 'Content-Type': 'application/sdp', ...headers };
    const request = server.createRequest('INVITE', server.contactUri(), all, octets);
    server.send(request);
    await settled();
    return request;
  };
  const final = ({ server }: SipClient): SipMessage | undefined =>
    server.responses.find(({ status }) => (status ?? 0) >= 200);

  it('is answered in the 200, and lasts until BYE', async () => {
    const client = await registered();
    const request = await receive(client, offer, { 'P-Asserted-Identity': '<sip:bob@lab.test>' });
    const [invite] = client.invites;
    expect(invite).toMatchObject({ from: to, offer, assertedIdentity: to, onRegisteredFlow: true });
    const negotiator = new Negotiator();
    const session = await invite!.accept(negotiator);
    await settled();
    expect(negotiator.offered).toBe(offer);
    const ok = final(client)!;
    expect(ok.status).toBe(200);
    expect(fromUtf8(ok.body)).toBe(answer);
    expect(ok.headers.get('Contact')).toContain('@192.0.2.10:40001');
    const inside = { ...dialogOf(ok), Via: 'SIP/2.0/TLS edge.lab.test;branch=z9hG4bKack' };
    client.server.send(client.server.createRequest('ACK', client.server.contactUri(), { ...inside, CSeq: '1 ACK' }));
    const bye = { ...dialogOf(ok), CSeq: '2 BYE' };
    const ends: string[] = [];
    session.onEnded((why) => ends.push(why));
    client.server.send(client.server.createRequest('BYE', client.server.contactUri(), bye));
    await settled();
    expect(client.server.responses.at(-1)!.headers.get('CSeq')).toBe('2 BYE');
    expect(ends).toEqual(['ended by the other side']);
    expect(negotiator.closes).toBe(1);
    expect(request.headers.get('CSeq')).toBe('1 INVITE');
    await expect(invite!.accept(new Negotiator())).rejects.toMatchObject({ kind: 'expired' });
  });

  it('takes the SDP out of a multipart body, and gives what came with it', async () => {
    const client = await registered();
    const icon = {
      headers: [{ name: 'Content-Type', value: 'image/png' }],
      body: Uint8Array.of(0x89, 0x0d, 0x0a, 0xff),
    };
    const named = { ...icon, headers: [...icon.headers, { name: 'Content-ID', value: '<icon@bob.test>' }] };
    const root = { headers: [{ name: 'Content-Type', value: 'application/sdp' }], body: utf8(offer) };
    const { contentType, body } = encodeMultipart({
      subtype: 'related',
      type: 'application/sdp',
      parts: [root, named, icon],
      random: secureRandom,
    });
    await receive(client, body, { 'Content-Type': contentType });
    const [invite] = client.invites;
    expect(invite).toMatchObject({ offer });
    expect(invite!.related).toEqual([{ contentId: 'icon@bob.test', contentType: 'image/png', bytes: icon.body }]);
    await invite!.accept(new Negotiator());
    await settled();
    const ok = final(client)!;
    expect(ok.status).toBe(200);
    expect(fromUtf8(ok.body)).toBe(answer);
    expect(ok.headers.get('Content-Type')).toBe('application/sdp');
    const { server } = client;
    const inside = { ...dialogOf(ok), Via: 'SIP/2.0/TLS edge.lab.test;branch=z9hG4bKack' };
    server.send(server.createRequest('ACK', server.contactUri(), { ...inside, CSeq: '1 ACK' }));
    server.send(server.createRequest('BYE', server.contactUri(), { ...dialogOf(ok), CSeq: '2 BYE' }));
    await settled();
  });

  it.each([
    [
      'without an SDP as its root',
      'multipart/related; boundary=b',
      '--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--',
      415,
    ],
    [
      'that starts with a part that is not there',
      'multipart/related; boundary=b; start="<x@y>"',
      `--b\r\nContent-Type: application/sdp\r\n\r\n${offer}\r\n--b--`,
      415,
    ],
    ['that does not end', 'multipart/related; boundary=b', `--b\r\nContent-Type: application/sdp\r\n\r\n${offer}`, 400],
    ['without a boundary', 'multipart/related; x=y', offer, 400],
  ])('a multipart body %s is refused', async (_, contentType, body, status) => {
    const client = await registered();
    await receive(client, body, { 'Content-Type': contentType });
    expect(final(client)!.status).toBe(status);
    if (status === 415) expect(final(client)!.headers.get('Accept')).toContain('multipart/related');
    expect(client.invites).toHaveLength(0);
  });

  it('can be refused with warning and body', async () => {
    const client = await registered();
    await receive(client);
    client.invites[0]!.reject(488, { warning: 'no "key"\r\nX: y', contentType: 'application/sdp', body: answer });
    client.invites[0]!.reject(486);
    await settled();
    const response = final(client)!;
    expect(response.status).toBe(488);
    expect(response.headers.get('Warning')).toBe('399 tessera "no \'key\' X: y"');
    expect(response.headers.get('Content-Type')).toBe('application/sdp');
    expect(fromUtf8(response.body)).toBe(answer);
  });

  it.each([
    ['malformed', 'v=0\r\nnonsense', {}, 400],
    ['no UTF-8', Uint8Array.of(0x76, 0x3d, 0x30, 0x0a, 0x73, 0x3d, 0xff), {}, 400],
    ['absent', '', {}, 488],
    ['of another type', 'x', { 'Content-Type': 'text/plain' }, 415],
    ['with unknown demands', offer, { Require: 'precondition' }, 420],
  ])('an offer that is %s never reaches the application', async (_, body, headers, status) => {
    const client = await registered();
    await receive(client, body, headers);
    expect(final(client)!.status).toBe(status);
    expect(client.invites).toHaveLength(0);
  });

  it('is refused with the hint of the negotiator, who is closed', async () => {
    const client = await registered();
    await receive(client);
    const negotiator = new Negotiator();
    negotiator.problem = new ProtocolError('malformed', 'bad', { field: 'sdp.path', hint: { sip: 400 } });
    await expect(client.invites[0]!.accept(negotiator)).rejects.toBe(negotiator.problem);
    client.invites[0]!.reject(486);
    await settled();
    expect(final(client)!.status).toBe(400);
    expect(final(client)!.headers.get('Warning')).toContain('sdp.path');
    expect(negotiator.closes).toBe(1);
  });

  it('tells when the caller gives up', async () => {
    const client = await registered();
    const request = await receive(client);
    let cancelled = 0;
    client.invites[0]!.onCancelled(() => cancelled++);
    const cancel = client.server.createRequest('CANCEL', client.server.contactUri(), {
      Via: request.headers.get('Via') ?? '',
      'Call-ID': request.headers.get('Call-ID') ?? '',
    });
    client.server.send(cancel);
    await settled();
    expect(cancelled).toBe(1);
    expect(client.server.responses.map(({ status }) => status)).toEqual([100, 180, 200, 487]);
    await expect(client.invites[0]!.accept(new Negotiator())).rejects.toMatchObject({ kind: 'expired' });
    client.invites[0]!.reject(486);
  });

  it('leaves nothing open when the user agent stops', async () => {
    const client = await registered();
    await receive(client);
    await client.userAgent.stop();
    expect(final(client)!.status).toBe(480);
  });

  it('is busy when too many wait', async () => {
    const client = await registered();
    for (let count = 0; count < 18; count++) await receive(client);
    expect(client.invites).toHaveLength(16);
    expect(client.server.responses.filter(({ status }) => status === 486)).toHaveLength(2);
  });
});

it('a flood of invitations that nobody acknowledges fills no memory', async () => {
  const { server, invites } = await registered();
  const flood = limits.sipOpenRequests + 50;
  for (let count = 0; count < flood; count++) {
    server.send(server.createRequest('INVITE', server.contactUri(), described, utf8(offer)));
  }
  await settled();
  expect(invites.length).toBeGreaterThan(0);
  const refused = server.responses.filter(({ status }) => status === 503);
  expect(refused).toHaveLength(50);
  expect(refused.every(({ headers }) => headers.get('Retry-After') === '10')).toBe(true);
});
