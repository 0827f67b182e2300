import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';

import { FakeClock } from '../../../src/base/clock.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { TrustedProxies } from '../../../src/kms/http/client-address.ts';
import { ConnectionGate } from '../../../src/kms/http/connection-gate.ts';
import { httpAnswerOf, routeQuestion } from '../../../src/kms/http/exchange.ts';
import { createAdmission } from '../../../src/kms/http/limits.ts';
import { urlOf } from '../../../src/kms/http/listening.ts';
import { KmsMetrics } from '../../../src/kms/http/metrics.ts';
import { readPeers, withPeers, type KmsPeerConfig } from '../../../src/kms/peers.ts';
import { bytesIdentity, uriIdentity, type KmsDirectory, type KmsOutcome } from '../../../src/protocol/mikey/index.ts';
import { alice, bob } from '../../protocol/mikey/parties.ts';
import { Log } from './support/domain.ts';

const error = new ProtocolError('local', 'no', { field: 'x' });
const subject = { asker: alice.identity, responders: [] };
const message = Uint8Array.of(1, 2, 3);

describe('an outcome in HTTP', () => {
  const subscriber = 'sip:alice@a.test';
  const outcomes: readonly (readonly [KmsOutcome, number, Readonly<Record<string, string>>])[] = [
    [{ outcome: 'answered', message, subscriber, subject }, 200, {}],
    [{ outcome: 'refused', message, subscriber, error, subject, isReplay: false }, 200, {}],
    [{ outcome: 'forbidden', message, subscriber, error, subject }, 403, {}],
    [
      { outcome: 'not-authenticated', message, error },
      401,
      { 'WWW-Authenticate': 'Digest realm="3GPP-bootstrapping@kms.a.test"' },
    ],
    [{ outcome: 'malformed', message: undefined, error }, 400, {}],
    [{ outcome: 'limited', subscriber, error, retryAfterSeconds: 3 }, 429, { 'Retry-After': '3' }],
    [{ outcome: 'issuer-away', subscriber, error, subject, retryAfterSeconds: 4 }, 503, { 'Retry-After': '4' }],
    [{ outcome: 'issuer-failed', subscriber, error, subject }, 502, { 'Retry-After': '60' }],
    [{ outcome: 'overloaded', error }, 503, { 'Retry-After': '60' }],
  ];
  it.each(outcomes)('%o', (outcome, status, headers) => {
    const sent = 'message' in outcome ? outcome.message : undefined;
    const answer = httpAnswerOf('ticketresolve', outcome, sent, true, 'kms.a.test');
    expect(answer).toMatchObject({ status, headers, log: { outcome: outcome.outcome, request: 'ticketresolve' } });
    expect(answer.headers['Content-Type']).toBe(sent === undefined ? undefined : 'application/mikey');
    expect(Buffer.from(answer.body).toString()).toBe(sent === undefined ? '' : 'AQID');
    expect(httpAnswerOf('ticketresolve', outcome, sent, false, '').body).toEqual(sent ?? new Uint8Array());
  });

  it('begins with a target that can be read', () => {
    expect(routeQuestion({ method: 'GET', target: '//[', mediaType: undefined })).toMatchObject({ status: 400 });
  });
});

describe('a connection that has ended before anybody looked', () => {
  it('does not pass the gate, and is counted nowhere', async () => {
    const clock = new FakeClock();
    const metrics = new KmsMetrics({
      now: () => clock.now(),
      tpkCreatedAt: () => undefined,
      auditBacklog: () => 0,
      openConnections: () => ({ public: gate.open }),
      certificates: () => ({}),
    });
    const gate: ConnectionGate = new ConnectionGate({
      limits: undefined,
      maxKeys: 1,
      proxies: new TrustedProxies([]),
      proxyProtocol: false,
      timeoutMilliseconds: 1000,
      clock,
      log: new Log(),
      metrics,
    });
    const socket = new Socket();
    expect(await gate.admit(socket)).toBe(false);
    expect(socket.destroyed).toBe(true);
    expect(gate.open).toBe(0);
    expect(gate.addressOf(socket)).toBe('unknown');
    const { text } = await metrics.render();
    expect(text).toContain('tessera_kms_open_connections{listener="public"} 0');
    expect(text).toMatch(/^tessera_kms_tpk_age_seconds 0$/m);
  });
});

it('limits users and peers each by their own rate', () => {
  const admit = createAdmission({
    perUser: { perSecond: 1, burst: 1 },
    perPeer: { perSecond: 1, burst: 2 },
    maxKeys: 10,
  });
  const peer = { ...alice, peer: 'sip:kms.b.test' };
  expect([alice, alice, bob, peer, peer, peer].map((who) => admit(who, 0))).toEqual([
    undefined,
    1,
    undefined,
    undefined,
    undefined,
    1,
  ]);
});

it('writes IPv6 addresses into URLs as they must stand there', () => {
  expect([urlOf('https', '::1', 8443), urlOf('http', '127.0.0.1', 80)]).toEqual([
    'https://[::1]:8443',
    'http://127.0.0.1:80',
  ]);
});

describe('peers', () => {
  const entry: KmsPeerConfig = {
    identity: 'sip:kms.b.test',
    domains: ['B.test'],
    pskId: 'a and b',
    psk: new SecretBytes(new Uint8Array(32)),
  };

  it.each([
    ['pskId', { pskId: '' }],
    ['psk', { psk: new SecretBytes(new Uint8Array(16)) }],
  ])('must have a %s', (field, change) => {
    expect(() => readPeers([{ ...entry, ...change }], 'sip:kms.a.test')).toThrow(
      expect.objectContaining({ kind: 'local', field: `kms.config.peers.0.${field}` }),
    );
  });

  const users: KmsDirectory = {
    findSubscriber: () => alice,
    mayRequest: () => true,
    responderFor: (subscriber, responders) => responders.find((one) => subscriber.owns(one)),
  };
  const directory = withPeers(users, readPeers([entry], 'sip:kms.a.test'));
  const bobThere = uriIdentity('sip:bob@b.test');

  it('are found by the name of their key only', async () => {
    const peer = await directory.findSubscriber(bytesIdentity(Buffer.from('a and b')), undefined);
    expect(peer).toMatchObject({ name: 'sip:kms.b.test', peer: 'sip:kms.b.test' });
    expect(await directory.findSubscriber(undefined, bobThere)).toBe(alice);
    expect(await directory.findSubscriber(bytesIdentity(Buffer.from('other')), bobThere)).toBe(alice);
  });

  it('ask for no tickets, and answer for the very user that they name', async () => {
    const peer = (await directory.findSubscriber(bytesIdentity(Buffer.from('a and b')), undefined))!;
    const carolThere = uriIdentity('sip:carol@b.test');
    expect(directory.mayRequest(peer, [])).toBe(false);
    expect(directory.mayRequest(alice, [])).toBe(true);
    expect(directory.responderFor(peer, [carolThere, bobThere], bobThere)).toEqual(bobThere);
    expect(directory.responderFor(peer, [carolThere], bobThere)).toBeUndefined();
    expect(directory.responderFor(peer, [bob.identity], bob.identity)).toBeUndefined();
    expect(directory.responderFor(peer, [bobThere])).toBeUndefined();
    expect(directory.responderFor(alice, [alice.identity], alice.identity)).toEqual(alice.identity);
  });
});
