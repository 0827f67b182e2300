import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toBase64, toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { decodeBody, readBody } from '../../../src/kms/http/body.ts';
import { PeerClient } from '../../../src/kms/http/peer-client.ts';
import { ServedCertificate } from '../../../src/kms/http/served-certificate.ts';
import { tlsProfile } from '../../../src/kms/http/tls-profile.ts';
import { readPeers, type KmsPeerConfig } from '../../../src/kms/peers.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import {
  bytesIdentity,
  decodeMessage,
  forwardResolve,
  readErrorMessage,
  uriIdentity,
  type GrantedTicket,
  type TicketPayload,
} from '../../../src/protocol/mikey/index.ts';
import {
  authority,
  identityFor,
  Log,
  messageIn,
  obtain,
  person,
  post,
  receive,
  resolveAt,
  startDomain,
  stopDomains,
  transferTo,
  type Domain,
  type DomainOptions,
  type Person,
} from './support/domain.ts';

const alice = person('alice@a.test');
const bob = person('bob@b.test');
const carol = person('carol@c.test');
const common = new SecretBytes(secureRandom.bytes(32));
const pskId = 'a.test and b.test';
const peerB: KmsPeerConfig = { identity: 'sip:kms.b.test', domains: ['b.test'], pskId, psk: common };
const peerA: KmsPeerConfig = { identity: 'sip:kms.a.test', domains: ['a.test'], pskId, psk: common };

const answers: Uint8Array[] = [];
let isTampered = false;
let a: Domain;
let b: Domain;

/** A KMS of b.test that asks the one of a.test. */
const startB = (peer: Partial<KmsPeerConfig> = {}, options: Partial<DomainOptions> = {}): Promise<Domain> =>
  startDomain({ name: 'b.test', people: [bob], peers: [{ ...peerA, url: a.server.peersUrl!, ...peer }], ...options });

beforeAll(async () => {
  a = await startDomain({
    name: 'a.test',
    people: [alice, person('mallory@b.test')],
    peers: [peerB],
    listensToPeers: true,
    server: {
      transformAnswer: (answer) => {
        answers.push(answer);
        const changed = Uint8Array.from(answer);
        if (isTampered) changed[60] = changed[60]! ^ 1;
        return changed;
      },
    },
  });
  b = await startB();
});
afterAll(stopDomains);

/** Bob's UE asks his own KMS to resolve what came from somebody. */
async function resolveAtOwn(domain: Domain, ticket: GrantedTicket, from: Person, self = bob) {
  const transfer = transferTo(ticket, from, self);
  const resolve = resolveAt(receive(transfer.message, self), self, domain.kms);
  return { transfer, resolve, reply: await post(domain.url, 'ticketresolve', resolve.message) };
}

const lastLine = async (domain: Domain) => (await domain.audit()).at(-1)!;

describe('a ticket of another domain', () => {
  it('opens at the own KMS, which asks the issuer: both ends get one key', async () => {
    const { transfer, resolve, reply } = await resolveAtOwn(b, await obtain(alice, a, [bob]), alice);
    expect(reply.status).toBe(200);
    const resolved = resolve.accept(messageIn(reply), Date.now());
    expect(resolved.originProven).toBe(true);
    const response = resolved.respond({ now: Date.now(), random: secureRandom });
    const { tek, responder } = transfer.accept(response.message, Date.now());
    expect(responder).toEqual(bob.identity);
    expect(tek.use(toHex)).toBe(response.tek.use(toHex));
  });

  it('of messages, too, opens for who cannot answer', async () => {
    const { transfer, resolve, reply } = await resolveAtOwn(b, await obtain(alice, a, [bob], 'message'), alice);
    const resolved = resolve.accept(messageIn(reply), Date.now());
    expect(resolved.sessionKey().use(toHex)).toBe(transfer.sessionKey().use(toHex));
  });

  it('is forked with the modifier of its issuer, and answered in the name of the own KMS', async () => {
    const { reply } = await resolveAtOwn(b, await obtain(alice, a, [bob]), alice);
    const [issued, given] = [answers.at(-1)!, messageIn(reply)].map((message) => decodeMessage(message).payloads);
    const modifier = (payloads: typeof issued) =>
      payloads!.filter(
        (payload) =>
          (payload.payload === 'RANDR' && payload.role === 3) || (payload.payload === 'IDR' && payload.role === 2),
      );
    expect(modifier(given)).toEqual(modifier(issued));
    expect(modifier(given)).toHaveLength(2);
    expect(given).toContainEqual({ payload: 'IDR', role: 3, idType: 1, data: utf8('sip:kms.b.test') });
  });

  it('leaves a line in the audit of both', async () => {
    await resolveAtOwn(b, await obtain(alice, a, [bob]), alice);
    const forwarded = await lastLine(b);
    const resolved = await lastLine(a);
    expect(forwarded).toMatchObject({
      action: 'ticketresolve',
      outcome: 'answered',
      user: bob.uri,
      asker: bob.uri,
      issuer: 'sip:kms.a.test',
    });
    expect(resolved).toMatchObject({
      action: 'ticketresolve',
      outcome: 'answered',
      user: 'sip:kms.b.test',
      asker: bob.uri,
      responders: [bob.uri],
      ticket: forwarded.ticket,
    });
    expect(resolved.issuer).toBeUndefined();
  });

  it('is not resolved a second time for the same question', async () => {
    const { resolve } = await resolveAtOwn(b, await obtain(alice, a, [bob]), alice);
    const count = answers.length;
    const again = await post(b.url, 'ticketresolve', resolve.message);
    expect(readErrorMessage(messageIn(again)).errorNumbers).toEqual([1]);
    expect(answers).toHaveLength(count);
  });
});

describe('the KMS that forwards refuses', () => {
  const refusedWith = async (domain: Domain, ticket: GrantedTicket, from: Person) => {
    const { resolve, reply } = await resolveAtOwn(domain, ticket, from);
    expect(() => resolve.accept(messageIn(reply), Date.now())).toThrow(/refused/);
    return readErrorMessage(messageIn(reply)).errorNumbers;
  };

  it('a ticket for somebody else, without asking', async () => {
    const ticket = await obtain(alice, a, [carol]);
    const count = answers.length;
    const { reply } = await resolveAtOwn(b, ticket, alice);
    expect(reply.status).toBe(403);
    expect(answers).toHaveLength(count);
    expect(await lastLine(b)).toMatchObject({ outcome: 'forbidden', issuer: 'sip:kms.a.test' });
  });

  it('a ticket of a KMS that it does not know', async () => {
    const stranger = await startDomain({ name: 'c.test', people: [carol] });
    expect(await refusedWith(b, await obtain(carol, stranger, [bob]), carol)).toEqual([14]);
    expect(await lastLine(b)).toMatchObject({ outcome: 'refused', issuer: 'sip:kms.c.test' });
  });

  it('a ticket of a peer that speaks for our own users', async () => {
    const mallory = person('mallory@b.test');
    const count = answers.length + 1;
    expect(await refusedWith(b, await obtain(mallory, a, [bob]), mallory)).toEqual([14]);
    expect(answers).toHaveLength(count);
    expect((await lastLine(b)).reason).toContain('does not speak for this initiator');
  });

  it('with the number of the issuer what the issuer refuses', async () => {
    const renewed = await startDomain({ name: 'a.test', people: [alice], peers: [peerB], listensToPeers: true });
    const elsewhere = await startB({ url: renewed.server.peersUrl! });
    expect(await refusedWith(elsewhere, await obtain(alice, a, [bob]), alice)).toEqual([14]);
    expect((await lastLine(renewed)).reason).toContain('unknown ticket protection key');
    expect((await lastLine(elsewhere)).reason).toContain('refused by the KMS that issued the ticket');
  });
});

describe('the KMS that issued refuses', () => {
  /** What the KMS of b.test could send if it wanted, on a connection of its own. */
  async function forward(
    ticket: TicketPayload,
    responder: Person,
    options: {
      readonly tls?: Awaited<ReturnType<typeof identityFor>>;
      readonly issuer?: string;
      readonly url?: string;
    } = {},
  ) {
    const { tls = await identityFor(['kms.b.test']), issuer = 'sip:kms.a.test', url = a.server.peersUrl! } = options;
    const question = forwardResolve(
      { issuer: uriIdentity(issuer), initiator: undefined, responder: responder.identity, ticket },
      { psk: common, pskId: bytesIdentity(utf8(pskId)) },
      { now: Date.now(), random: secureRandom },
    );
    const client = { cert: tls.certificatePem, key: tls.privateKeyPem };
    return { question, reply: await post(url, 'ticketresolve', question.message, client) };
  }
  const ticketFor = async (...to: readonly Person[]): Promise<TicketPayload> => {
    const ticket = await obtain(alice, a, to);
    const [found] = decodeMessage(transferTo(ticket, alice, to[0]!).message).payloads.filter(
      (payload) => payload.payload === 'TICKET',
    );
    return found!;
  };

  it('nothing of what a peer may ask', async () => {
    const { question, reply } = await forward(await ticketFor(bob), bob);
    expect(question.accept(messageIn(reply), Date.now()).answer).toBe('keys');
  });

  it('a peer that speaks for a foreign domain', async () => {
    const { reply } = await forward(await ticketFor(carol, bob), carol);
    expect(reply.status).toBe(403);
    expect(readErrorMessage(messageIn(reply)).errorNumbers).toEqual([7]);
    expect(await lastLine(a)).toMatchObject({ outcome: 'forbidden', user: 'sip:kms.b.test', asker: carol.uri });
  });

  it('a peer for another of its users than the one it names', async () => {
    const { reply } = await forward(await ticketFor(bob), person('eve@b.test'));
    expect(reply.status).toBe(403);
  });

  it('a certificate of nobody that it knows', async () => {
    const other = await createCertificateAuthority({ commonName: 'Other CA', now: Date.now() });
    const tls = await identityFor(['kms.b.test'], { issuer: other });
    await expect(forward(await ticketFor(bob), bob, { tls })).rejects.toThrow();
  });

  it('a certificate of the right authority that names no peer, or only in its subject', async () => {
    const { reply } = await forward(await ticketFor(bob), bob, { tls: await identityFor(['kms.c.test']) });
    expect(reply).toMatchObject({ status: 403, body: Buffer.alloc(0) });
    const wildcard = await forward(await ticketFor(bob), bob, { tls: await identityFor(['*.b.test']) });
    expect(wildcard.reply.status).toBe(403);
  });

  it('the right certificate with the key of another peer, like a stranger', async () => {
    const two = await startDomain({
      name: 'a.test',
      people: [alice],
      peers: [peerB, { ...peerB, identity: 'sip:kms.c.test', domains: ['c.test'], pskId: 'a and c' }],
      listensToPeers: true,
    });
    const tls = await identityFor(['kms.c.test']);
    const { reply } = await forward(await ticketFor(bob), bob, { tls, url: two.server.peersUrl! });
    expect(reply.status).toBe(401);
  });

  it("a peer's key on the users' side, and a user's key on the peers'", async () => {
    const { reply } = await forward(await ticketFor(bob), bob, { url: a.url });
    expect(reply.status).toBe(401);
    const tls = await identityFor(['kms.b.test']);
    const transfer = transferTo(await obtain(alice, a, [alice]), alice, alice);
    const own = resolveAt(receive(transfer.message, alice), alice, a.kms);
    const client = { cert: tls.certificatePem, key: tls.privateKeyPem };
    expect((await post(a.server.peersUrl!, 'ticketresolve', own.message, client)).status).toBe(401);
    expect((await post(a.url, 'ticketresolve', own.message)).status).toBe(200);
  });

  it('to make tickets for a peer', async () => {
    const tls = await identityFor(['kms.b.test']);
    const client = { cert: tls.certificatePem, key: tls.privateKeyPem };
    expect((await post(a.server.peersUrl!, 'ticketrequest', Uint8Array.of(1), client)).status).toBe(403);
  });

  it('to hand a question on: one hop and no more', async () => {
    const b2 = await startDomain({
      name: 'b.test',
      people: [bob],
      peers: [
        { ...peerA, url: a.server.peersUrl! },
        { ...peerB, identity: 'sip:kms.c.test', domains: ['c.test'], pskId: 'b and c' },
      ],
      listensToPeers: true,
    });
    const ticket = await ticketFor(carol);
    const question = forwardResolve(
      { issuer: b2.kms, initiator: undefined, responder: carol.identity, ticket },
      { psk: common, pskId: bytesIdentity(utf8('b and c')) },
      { now: Date.now(), random: secureRandom },
    );
    const tls = await identityFor(['kms.c.test']);
    const count = answers.length;
    const reply = await post(b2.server.peersUrl!, 'ticketresolve', question.message, {
      cert: tls.certificatePem,
      key: tls.privateKeyPem,
    });
    expect(question.accept(messageIn(reply), Date.now())).toMatchObject({
      answer: 'refused',
      error: { hint: { mikey: 14 } },
    });
    expect(answers).toHaveLength(count);
    expect((await lastLine(b2)).reason).toContain('the ticket of a third KMS');
  });
});

describe('an issuer', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  it('that is down makes a 503, and a line in the audit', async () => {
    const gone = await startDomain({ name: 'a.test', people: [alice], peers: [peerB], listensToPeers: true });
    const ticket = await obtain(alice, gone, [bob]);
    const lonely = await startB({ url: gone.server.peersUrl! });
    await gone.stop();
    const { reply } = await resolveAtOwn(lonely, ticket, alice);
    expect(reply.status).toBe(503);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect(await lastLine(lonely)).toMatchObject({ outcome: 'issuer-away', user: bob.uri, issuer: 'sip:kms.a.test' });
  });

  it('that changes its answer makes a 502', async () => {
    const ticket = await obtain(alice, a, [bob]);
    isTampered = true;
    const { reply } = await resolveAtOwn(b, ticket, alice).finally(() => (isTampered = false));
    expect(reply.status).toBe(502);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect(await lastLine(b)).toMatchObject({ outcome: 'issuer-failed', issuer: 'sip:kms.a.test' });
  });

  it.each([
    ['cannot prove its name', { certificateName: 'kms.other.test' }, {}],
    ['does not take our certificate for ours', {}, { tls: 'kms.stranger.test' }],
    ['has another key than we', { psk: new SecretBytes(new Uint8Array(32)) }, {}],
  ])('that %s makes a 502', async (_, peer, { tls }: { tls?: string }) => {
    const wrong = await startB(peer, tls === undefined ? {} : { peerTls: await identityFor([tls]) });
    const { reply } = await resolveAtOwn(wrong, await obtain(alice, a, [bob]), alice);
    expect(reply.status).toBe(502);
    expect(await lastLine(wrong)).toMatchObject({ outcome: 'issuer-failed' });
  });

  it('of another authority makes a 502', async () => {
    const other = await createCertificateAuthority({ commonName: 'Other CA', now: Date.now() });
    const wrong = await startB({}, { peerCa: other.certificatePem });
    const { reply } = await resolveAtOwn(wrong, await obtain(alice, a, [bob]), alice);
    expect(reply.status).toBe(502);
  });

  /** Stands where the KMS of a.test should. */
  async function standIn(listener: Parameters<typeof createServer>[1]): Promise<string> {
    const { certificatePem, privateKeyPem } = await identityFor(['kms.a.test']);
    const server = createServer(
      {
        ...tlsProfile,
        cert: certificatePem,
        key: privateKeyPem,
        requestCert: true,
        ca: (await authority).certificatePem,
      },
      listener,
    );
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it.each([
    ['429 with its time', 429, { 'Retry-After': '7' }, '', 503, '7'],
    ['503 without one', 503, {}, '', 503, '10'],
    ['503 with an endless one', 503, { 'Retry-After': '99999999' }, '', 503, '3600'],
    ['500', 500, {}, '', 502, '60'],
    ['200 without a message', 200, { 'Content-Type': 'text/html' }, '<p>', 502, '60'],
    ['something that is no MIKEY', 200, { 'Content-Type': 'application/mikey' }, 'AQIDBA==', 502, '60'],
    ['no base64', 200, { 'Content-Type': 'application/mikey' }, '*', 502, '60'],
    ['more than any message', 200, { 'Content-Type': 'application/mikey' }, 'A'.repeat(20_000), 502, '60'],
  ])('that answers %s', async (_, status, headers, body, seen, retryAfter) => {
    const url = await standIn((request, response) => {
      request.resume();
      response.writeHead(status, headers).end(body);
    });
    const { reply } = await resolveAtOwn(await startB({ url }), await obtain(alice, a, [bob]), alice);
    expect(reply.status).toBe(seen);
    expect(reply.headers['retry-after']).toBe(retryAfter);
  });

  it('that refuses without proof makes a 502', async () => {
    const url = await standIn((request, response) => {
      void readBody(request).then((body) => {
        const csbId = decodeBody(body!).message.subarray(4, 8);
        const error = Uint8Array.of(1, 6, 5, 1, ...csbId, 0, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0);
        response.writeHead(200, { 'Content-Type': 'application/mikey' }).end(toBase64(error));
      });
    });
    const { reply } = await resolveAtOwn(await startB({ url }), await obtain(alice, a, [bob]), alice);
    expect(reply.status).toBe(502);
  });

  it('that never answers makes a 503', async () => {
    const url = await standIn((request) => request.resume());
    const hasty = await startB({ url }, { peerTimeoutMilliseconds: 300 });
    const { reply } = await resolveAtOwn(hasty, await obtain(alice, a, [bob]), alice);
    expect(reply.status).toBe(503);
  });

  it('that never answers holds a bounded number of questions', async () => {
    const url = await standIn((request) => request.resume());
    const certificate = new ServedCertificate(await identityFor(['kms.b.test']), {
      clock: systemClock,
      log: new Log(),
    });
    const [peer] = readPeers([{ ...peerA, url }], 'sip:kms.b.test');
    const client = new PeerClient({
      peer: { ...peer!, url },
      certificate,
      trustedCa: a.ca,
      clock: systemClock,
      random: secureRandom,
      log: new Log(),
      timeoutMilliseconds: 30_000,
    });
    const { ticketPayload } = await obtain(alice, a, [bob]);
    const foreign = { issuer: a.kms, initiator: alice.identity, responder: bob.identity, ticket: ticketPayload };
    const waiting = Array.from({ length: 256 }, () => client.resolve(foreign));
    expect(await client.resolve(foreign)).toMatchObject({ answer: 'away', error: { kind: 'policy-denied' } });
    client.stop();
    for (const answer of await Promise.all(waiting)) expect(answer.answer).toBe('away');
  });

  it('that closed a kept connection is asked anew, with another question', async () => {
    const seen: string[] = [];
    const used = new WeakSet<object>();
    const url = await standIn((request, response) => {
      void readBody(request).then(async (body) => {
        const { message } = decodeBody(body!);
        seen.push(toHex(message));
        if (used.has(request.socket)) {
          request.socket.destroy();
          return;
        }
        used.add(request.socket);
        const outcome = await a.service.handle('ticketresolve', message, { address: '', peers: ['sip:kms.b.test'] });
        if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
        response.writeHead(200, { 'Content-Type': 'application/mikey' }).end(toBase64(outcome.message));
      });
    });
    const patient = await startB({ url });
    const ticket = await obtain(alice, a, [bob]);
    for (let count = 0; count < 2; count++) expect((await resolveAtOwn(patient, ticket, alice)).reply.status).toBe(200);
    expect(new Set(seen).size).toBe(3);
  });
});
