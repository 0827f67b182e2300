import { describe, expect, it } from 'vitest';

import {
  decodeMessage,
  encodeMessage,
  encodeErrorMessage,
  mikeyErrorText,
  msrpTicketFlags,
  receiveTransfer,
  uriIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { makeInitiatorData, readInitiatorData, verifyInitiatorData } from '../../../src/protocol/mikey/base-ticket.ts';
import { dataTypeName, idRole } from '../../../src/protocol/mikey/code-points.ts';
import { checkAnswerHeader } from '../../../src/protocol/mikey/error-message.ts';
import type { CryptoSession, MikeyHeader } from '../../../src/protocol/mikey/message.ts';
import type { Payload } from '../../../src/protocol/mikey/payloads.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { sealResolveResponse } from '../../../src/protocol/mikey/resolve-messages.ts';
import { checkAnswer, cryptoSession, emptySecurityPolicy } from '../../../src/protocol/mikey/session-negotiation.ts';
import { encodeInitiatorData } from '../../../src/protocol/mikey/ticket-codec.ts';
import { keyData, mpkData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import {
  alice,
  bob,
  carol,
  failing,
  hand,
  kmsIdentity,
  makeKms,
  obtain,
  protTypes,
  random,
  receive,
  request,
  resolve,
  resolving,
  start,
} from './parties.ts';

const plain = { ...msrpTicketFlags, I: false };

describe('TRANSFER_INIT', async () => {
  const kms = makeKms();
  const forking = hand(await obtain(kms, alice), alice, bob.identity).message;
  const unforked = hand(await obtain(kms, alice, { flags: plain }), alice, bob.identity).message;
  const changed = (
    message: Uint8Array,
    change: (payloads: readonly Payload[]) => readonly Payload[],
    header: Partial<MikeyHeader> = {},
  ): Uint8Array => {
    const decoded = decodeMessage(message);
    return encodeMessage({ header: { ...decoded.header, ...header }, payloads: change(decoded.payloads) });
  };
  const ticket = (change: (parameters: readonly Payload[]) => readonly Payload[]) => (payloads: readonly Payload[]) =>
    payloads.map((one) =>
      one.payload === 'TICKET' ? { ...one, policy: { ...one.policy, parameters: change(one.policy.parameters) } } : one,
    );
  const withoutRole = (role: number) => (payloads: readonly Payload[]) =>
    payloads.filter((one) => one.payload !== 'IDR' || one.role !== role);

  it('is not taken without V as its last payload', () => {
    const bare = changed(forking, (payloads) => payloads.slice(0, -1));
    expect(failing(() => receive(bare, bob))).toMatchObject({ field: 'mikey.TRANSFER_INIT.V', hint: { mikey: 13 } });
  });

  it('is not taken without a session', () => {
    const none = changed(forking, (payloads) => payloads, { map: { type: 'generic', sessions: [] } });
    expect(failing(() => receive(none, bob))).toMatchObject({ field: 'mikey.TRANSFER_INIT.sessions' });
    const several = () =>
      receiveTransfer(none, { now: start, self: [bob.identity], protTypes, checkFreshness: 'window', maxSessions: 3 });
    expect(failing(several)).toMatchObject({ expected: '1 to 3' });
  });

  it('is not taken when its ticket wishes for keys', () => {
    const { policy } = decodeMessage(request(alice).message).payloads.find((one) => one.payload === 'TP')!;
    const wish = policy.parameters.find(({ payload }) => payload === 'KEMAC')!;
    const wishing = changed(
      forking,
      ticket((parameters) => [...parameters, wish]),
    );
    expect(failing(() => receive(wishing, bob))).toMatchObject({ hint: { mikey: 15 } });
  });

  it('is from whom the ticket names when it names nobody itself, and from nobody else', () => {
    const unnamed = changed(forking, withoutRole(idRole.initiator));
    expect(receive(unnamed, bob).initiator).toEqual(alice.identity);
    const nobody = changed(unforked, (payloads) =>
      ticket(withoutRole(idRole.initiator))(withoutRole(idRole.initiator)(payloads)),
    );
    expect(failing(() => receive(nobody, bob))).toMatchObject({
      field: 'mikey.TRANSFER_INIT.IDRi',
      hint: { mikey: 7 },
    });
  });

  it('tells what its ticket tells: no KMS, no bounds', () => {
    const bare = changed(
      unforked,
      ticket((parameters) => withoutRole(idRole.kms)(parameters).filter(({ payload }) => payload !== 'TR')),
    );
    const received = receive(bare, bob);
    expect([received.kms, received.validFrom, received.validUntil]).toEqual([undefined, undefined, undefined]);
    expect(receive(unforked, bob)).toMatchObject({ kms: kmsIdentity, validUntil: start + 24 * 3_600_000 });
  });

  it('has no endless chain of payloads', () => {
    const many = changed(forking, (payloads) => [
      ...Array.from({ length: 128 }, (): Payload => ({ payload: 'ERR', errorNumber: 1, reserved: 0 })),
      ...payloads,
    ]);
    expect(failing(() => decodeMessage(many))).toMatchObject({ kind: 'malformed', field: 'mikey.payload' });
  });
});

describe('an answer to offered sessions', () => {
  const offered = [cryptoSession(1, 3, Uint8Array.of(1)), cryptoSession(2, 3, Uint8Array.of(2))];
  const policies = new Map([
    [0, emptySecurityPolicy(3, 0)],
    [5, emptySecurityPolicy(0, 5)],
  ]);
  const check = (sessions: readonly CryptoSession[], added: readonly Payload[] = []) =>
    checkAnswer(
      offered,
      decodeMessage(
        encodeMessage({
          header: { dataType: 15, answerWanted: false, prf: 1, csbId: 1, map: { type: 'generic', sessions } },
          payloads: [ntpTimestamp(start), ...added],
        }),
      ),
      policies,
      {},
    );
  const [first, second] = offered as [CryptoSession, CryptoSession];

  it('is taken when it has each with one of its policies', () => {
    expect(check(offered).map(({ csId }) => csId)).toEqual([1, 2]);
  });

  it.each<{ name: string; sessions: readonly CryptoSession[]; added?: readonly Payload[]; error: object }>([
    { name: 'that leaves one out', sessions: [first], error: { field: 'mikey.sessions.csId' } },
    {
      name: 'that has one more',
      sessions: [first, second, cryptoSession(3, 3, Uint8Array.of(3))],
      error: { field: 'mikey.sessions.csId' },
    },
    {
      name: 'of another protocol',
      sessions: [first, { ...second, protType: 0 }],
      error: { field: 'mikey.sessions.protType', hint: { mikey: 9 } },
    },
    {
      name: 'without SPI',
      sessions: [first, { ...second, spi: new Uint8Array() }],
      error: { field: 'mikey.sessions.spi' },
    },
    {
      name: 'without policy',
      sessions: [first, { ...second, policies: [] }],
      error: { field: 'mikey.sessions.policies', hint: { mikey: 9 } },
    },
    {
      name: 'with two policies',
      sessions: [first, { ...second, policies: [0, 0] }],
      error: { field: 'mikey.sessions.policies' },
    },
    {
      name: 'with a policy that nobody has',
      sessions: [first, { ...second, policies: [9] }],
      error: { field: 'mikey.sessions.policies' },
    },
    {
      name: 'with the policy of another protocol',
      sessions: [first, { ...second, policies: [5] }],
      error: { field: 'mikey.sessions.policies' },
    },
    {
      name: 'with a policy of its own that we do not know',
      sessions: [first, { ...second, policies: [7] }],
      added: [{ ...emptySecurityPolicy(3, 7), parameters: [{ type: 1, value: Uint8Array.of(1) }] }],
      error: { field: 'mikey.sessions.SP.parameters', hint: { mikey: 10 } },
    },
  ])('$name is refused', ({ sessions, added, error }) => {
    expect(failing(() => check(sessions, added))).toMatchObject({ kind: 'peer-misbehaved', ...error });
  });
});

describe('RESOLVE_RESP under the right key', async () => {
  const kms = makeKms();
  const { message } = hand(await obtain(kms, alice), alice, bob.identity);

  const answering = (changes: { kms?: typeof kmsIdentity; fork?: boolean }) => {
    const asked = resolving(receive(message, bob), bob);
    const { header, payloads } = decodeMessage(asked.message);
    const rand = payloads.find((one) => one.payload === 'RANDR')!.value;
    const keys = [1, 2].map((spi) => mpkData(random.bytes(32), Uint8Array.of(spi)));
    const answer = sealResolveResponse(
      {
        suite: suites['256'],
        psk: bob.psk,
        csbId: header.csbId,
        timestamp: ntpTimestamp(start),
        rand,
        kms: changes.kms ?? kmsIdentity,
        keys: [...keys, keyData('TGK', random.bytes(32), Uint8Array.of(1))],
      },
      changes.fork === false ? undefined : { responder: bob.identity, rand: random.bytes(32) },
      asked.message,
    );
    return () => asked.accept(answer, start);
  };

  it('is not taken from another KMS', () => {
    expect(failing(answering({ kms: uriIdentity('sip:other') }))).toMatchObject({ field: 'mikey.RESOLVE_RESP.IDRkms' });
  });

  it('is not taken without the name that the key is forked for', () => {
    expect(failing(answering({ fork: false }))).toMatchObject({ field: 'mikey.RESOLVE_RESP.IDRr' });
  });

  it('is not taken with other keys than those of the message', () => {
    expect(failing(answering({}))).toMatchObject({ hint: { mikey: 0 } });
  });
});

describe('wrong calls of our own', async () => {
  const kms = makeKms();
  const ticket = await obtain(kms, alice);
  const resolved = await resolve(kms, receive(hand(ticket, alice, bob.identity).message, bob), bob);
  const respond = (changes: object) => () => resolved.respond({ now: start, random, ...changes });

  it('a ticket for nobody', () => {
    expect(failing(() => request(carol, { responders: [] }))).toMatchObject({
      kind: 'local',
      field: 'ticketRequest.responders',
    });
  });

  it('a session more with two policies', () => {
    const moreSessions = [{ csId: 9, protType: 3, policies: [0, 1] }];
    expect(failing(respond({ moreSessions }))).toMatchObject({ kind: 'local', field: 'transfer.moreSessions' });
  });
});

describe('Initiator Data', () => {
  const mpkr = random.bytes(32);

  it('is not taken when its two MACs differ in their algorithm, or have none', () => {
    const data = (...algorithms: readonly [number, number]): Uint8Array =>
      encodeInitiatorData(algorithms.map((macAlgorithm) => ({ payload: 'V', macAlgorithm, mac: macOf(macAlgorithm) })));
    const macOf = (algorithm: number): Uint8Array => new Uint8Array([0, 20, 32][algorithm]!);
    expect(readInitiatorData(data(2, 2))).toMatchObject({ macAlgorithm: 2 });
    for (const wrong of [data(1, 2), data(0, 0)]) {
      expect(failing(() => readInitiatorData(wrong))).toMatchObject({ field: 'mikey.TICKET.initiatorData' });
    }
  });

  it('proves nothing with a MAC that is weaker than the ticket', () => {
    const strong = makeInitiatorData(suites['256'], mpkr, new Uint8Array(32));
    expect(() => verifyInitiatorData(suites['256'], mpkr, strong)).not.toThrow();
    const weak = makeInitiatorData(suites['256'], mpkr, new Uint8Array(20), suites['128']);
    expect(failing(() => verifyInitiatorData(suites['256'], mpkr, weak))).toMatchObject({
      field: 'mikey.TICKET.Vr',
      hint: { mikey: 14 },
    });
  });
});

it('an answer repeats the kind of map of its question', () => {
  const answer = decodeMessage(encodeErrorMessage({ csbId: 1, prf: 1, errorNumbers: [1], now: start }));
  const question: MikeyHeader = { ...answer.header, map: { type: 'generic', sessions: [] } };
  expect(() => checkAnswerHeader(answer, answer.header, answer.header.dataType)).not.toThrow();
  expect(failing(() => checkAnswerHeader(answer, question, answer.header.dataType))).toMatchObject({
    field: 'mikey.HDR.mapType',
  });
});

it('numbers without a name are shown as numbers', () => {
  expect(mikeyErrorText(99)).toBe('Error 99');
  expect(dataTypeName(99)).toBe('DATA_TYPE_99');
  expect(decodeMessage(encodeErrorMessage({ csbId: 1, prf: 1, errorNumbers: [99], now: start })).payloads).toHaveLength(
    2,
  );
});
