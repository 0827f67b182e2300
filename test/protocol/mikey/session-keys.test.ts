import { describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import {
  decodeMessage,
  encodeMessage,
  messageTicketFlags,
  msrpTicketFlags,
  type KeyKind,
  type KeyWish,
  type SessionOffer,
  type TicketFlags,
} from '../../../src/protocol/mikey/index.ts';
import type { SecurityPolicyPayload } from '../../../src/protocol/mikey/payloads.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { refuseShortRands } from '../../../src/protocol/mikey/rand-length.ts';
import { encodeKeyData } from '../../../src/protocol/mikey/ticket-codec.ts';
import {
  isInInterval,
  keyData,
  mpkData,
  readKeyList,
  readSuppliedKeys,
} from '../../../src/protocol/mikey/ticket-keys.ts';
import {
  alice,
  bob,
  connect,
  failing,
  hand,
  keyOf,
  makeKms,
  obtain,
  random,
  rawRequest,
  receive,
  resolve,
  start,
  suppliedKey,
} from './parties.ts';

const plain: TicketFlags = { ...msrpTicketFlags, I: false };
const supplying: TicketFlags = { ...msrpTicketFlags, L: true, M: true };
const supplyingKms = () => makeKms({ rules: { suppliedKeys: true } });
const tls = 241;

describe('keys of a ticket', () => {
  const kinds: readonly KeyKind[] = ['TGK', 'GTGK', 'TEK'];
  const cases = kinds.flatMap((kind) =>
    [undefined, 14].flatMap((saltOctets) => [msrpTicketFlags, plain].map((flags) => ({ kind, saltOctets, flags }))),
  );

  it.each(cases)('$kind, salt $saltOctets: both ends agree', async ({ kind, saltOctets, flags }) => {
    const keys = [{ kind, ...(saltOctets === undefined ? {} : { saltOctets }) }];
    const ticket = await obtain(makeKms(), alice, { flags, keys });
    const { initiator, responder } = await connect({ ticket });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    const given = ticket.keys[0]!;
    const used = initiator.sessionKey(1);
    if (saltOctets !== undefined) expect(used.salt(112)).toEqual(given.salt);
    // Reading [A36]: a TEK without salt gives an empty one; a TGK or GTGK a derived one of the length that is asked for.
    else expect(used.salt(112)).toHaveLength(kind === 'TEK' ? 0 : 14);
    expect(used.tek.use(toHex) === given.key.use(toHex)).toBe(kind === 'TEK');
  });

  it('several with SPIs of their own: each session takes the one that it names', async () => {
    const keys: KeyWish[] = [
      { kind: 'TGK', spi: Uint8Array.of(1) },
      { kind: 'GTGK', spi: Uint8Array.of(2), saltOctets: 14 },
      { kind: 'TEK', spi: Uint8Array.of(3) },
    ];
    const ticket = await obtain(makeKms(), alice, { keys });
    expect(ticket.keys.map(({ kind }) => kind)).toEqual(['TGK', 'GTGK', 'TEK']);
    const offer = (csId: number): SessionOffer => ({ csId, protType: tls, policies: [], spi: Uint8Array.of(csId) });
    const { initiator, responder } = await connect({
      ticket,
      sessions: { sessions: [offer(1), offer(2), offer(3)], policies: [] },
      receive: { maxSessions: 3 },
    });
    const all = [1, 2, 3].map((csId) => keyOf(initiator, csId));
    expect([1, 2, 3].map((csId) => keyOf(responder, csId))).toEqual(all);
    expect(all.map((key) => key.split(' ')[0])).toEqual(['TGK', 'GTGK', 'TEK']);
    expect(new Set(all.map((key) => key.split(' ')[1])).size).toBe(3);
    expect(() => initiator.sessionKey(4)).toThrow(/no such session/);
  });

  it('one key gives two sessions different TEKs, by CS ID', async () => {
    const offers = [1, 2].map((csId) => ({ csId, protType: tls, policies: [] }));
    const { initiator } = await connect({
      ticket: await obtain(makeKms(), alice),
      sessions: { sessions: offers, policies: [] },
      receive: { maxSessions: 2 },
    });
    expect(keyOf(initiator, 1)).not.toBe(keyOf(initiator, 2));
  });

  it('a session whose SPI nobody has is refused', async () => {
    const ticket = await obtain(makeKms(), alice);
    const offer = { csId: 1, protType: tls, policies: [], spi: Uint8Array.of(9) };
    const sessions = { sessions: [offer], policies: [] };
    const transfer = hand(ticket, alice, bob.identity, start, {}, sessions);
    await expect(resolve(makeKms(), receive(transfer.message, bob), bob)).rejects.toThrow(/no key for the session/);
  });

  it('none are granted where nobody may supply any', async () => {
    const outcome = await makeKms().handleTicketRequest(rawRequest(alice, { flags: plain, keys: [] }), start);
    expect(outcome).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 15 } } });
  });
});

describe('keys that initiator or responder supply', () => {
  it('come before those of the ticket: the responder’s first, then the initiator’s (reading [A36])', async () => {
    const ticket = await obtain(supplyingKms(), alice, { flags: supplying });
    const mine = suppliedKey('TEK', { spi: Uint8Array.of(1) });
    const theirs = suppliedKey('TEK', { spi: Uint8Array.of(1) });
    const own = await connect({ ticket, transfer: { keys: [mine] } });
    expect(keyOf(own.initiator).split(' ')[1]).toBe(mine.key.use(toHex));
    expect(keyOf(own.initiator)).toBe(keyOf(own.responder));
    const both = await connect({ ticket, transfer: { keys: [mine] }, respond: { keys: [theirs] } });
    expect(keyOf(both.initiator).split(' ')[1]).toBe(theirs.key.use(toHex));
    expect(keyOf(both.initiator)).toBe(keyOf(both.responder));
  });

  it.each<KeyKind>(['TGK', 'GTGK', 'TEK'])('are never forked (%s with salt)', async (kind) => {
    const ticket = await obtain(supplyingKms(), alice, { flags: supplying });
    const key = suppliedKey(kind, { salt: random.bytes(14) });
    const transfer = hand(ticket, alice, bob.identity, start, { keys: [key] });
    const answers = await Promise.all(
      [1, 2].map(async () =>
        (await resolve(makeKms(), receive(transfer.message, bob), bob)).respond({ now: start, random }),
      ),
    );
    for (const { message, bundle } of answers) {
      expect(keyOf(transfer.accept(message, start).bundle)).toBe(keyOf(bundle));
      expect(bundle.sessionKey(1).salt(112)).toEqual(key.salt);
    }
  });

  it('are all there is with a ticket without session keys (RFC 6043 8)', async () => {
    const ticket = await obtain(supplyingKms(), alice, { flags: { ...supplying, L: false }, keys: [] });
    expect(ticket.keys).toEqual([]);
    const key = suppliedKey('TEK');
    const { initiator, responder } = await connect({ ticket, respond: { keys: [key] } });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    expect(keyOf(initiator).split(' ')[1]).toBe(key.key.use(toHex));
    await expect(connect({ ticket })).rejects.toThrow(/a session would have no key/);
  });

  it('are not sent where the flags forbid it', async () => {
    const ticket = await obtain(makeKms(), alice, { flags: supplying });
    expect(ticket.flags).toMatchObject({ L: false, M: false, K: true });
    expect(failing(() => hand(ticket, alice, bob.identity, start, { keys: [suppliedKey('TEK')] }))).toMatchObject({
      kind: 'local',
      field: 'transfer.keys',
    });
    await expect(connect({ ticket, respond: { keys: [suppliedKey('TEK')] } })).rejects.toThrow(/flag M/);
  });

  it('are refused where the flags forbid it: by the responder without asking the KMS, by the initiator', async () => {
    const ticket = await obtain(supplyingKms(), alice, { flags: supplying });
    const { header, payloads } = decodeMessage(
      hand(ticket, alice, bob.identity, start, { keys: [suppliedKey('TEK')] }).message,
    );
    const changed = payloads.map((one) =>
      one.payload === 'TICKET' ? { ...one, policy: { ...one.policy, flags: { ...one.policy.flags, L: false } } } : one,
    );
    expect(failing(() => receive(encodeMessage({ header, payloads: changed }), bob))).toMatchObject({
      field: 'mikey.KEMAC',
      hint: { mikey: 15 },
    });
    const transfer = hand({ ...ticket, flags: { ...ticket.flags, M: false } }, alice, bob.identity);
    const resolved = await resolve(makeKms(), receive(transfer.message, bob), bob);
    const answer = resolved.respond({ now: start, random, keys: [suppliedKey('TEK')] });
    expect(failing(() => transfer.accept(answer.message, start))).toMatchObject({
      field: 'mikey.KEMAC',
      hint: { mikey: 15 },
    });
  });
});

describe('key validity', () => {
  const interval = (from: number, to: number) => ({
    spi: new Uint8Array(),
    interval: { validFrom: Uint8Array.of(0, from), validTo: Uint8Array.of(to) },
  });

  it.each([
    { position: 4n, valid: false },
    { position: 5n, valid: true },
    { position: 9n, valid: true },
    { position: 10n, valid: false },
  ])('an interval holds its ends ($position)', ({ position, valid }) => {
    expect(isInInterval(interval(5, 9).interval, position)).toBe(valid);
  });

  it('a key with an interval is refused, since it has no SPI (reading [A33])', async () => {
    const ticket = await obtain(supplyingKms(), alice, { flags: supplying });
    const keys = [suppliedKey('TEK', interval(5, 9))];
    await expect(connect({ ticket, transfer: { keys } })).rejects.toThrow(/key without SPI/);
  });

  it('where it is allowed, it is used inside its interval only, and the next one after it', async () => {
    const ticket = await obtain(supplyingKms(), alice, { flags: supplying, keys: [] });
    const keys = [suppliedKey('TEK', interval(5, 9)), suppliedKey('TEK', interval(10, 20))];
    const { initiator, responder } = await connect({
      ticket,
      transfer: { keys, answers: { intervalKeys: true } },
      receive: { peer: { intervalKeys: true } },
      respond: { spis: new Map([[1, Uint8Array.of(7)]]), keys: [suppliedKey('TEK', { spi: Uint8Array.of(7) })] },
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    const oneWay = { ...messageTicketFlags, L: true };
    const oneWayTicket = await obtain(supplyingKms(), alice, { flags: oneWay, keys: [] });
    const ends = await connect({
      ticket: oneWayTicket,
      transfer: { keys, answers: { intervalKeys: true } },
      receive: { peer: { intervalKeys: true } },
    });
    const at = (position: bigint) => keyOf(ends.responder, 1, position);
    expect(at(5n)).toBe(keyOf(ends.initiator, 1, 9n));
    expect(at(5n)).not.toBe(at(10n));
    expect(failing(() => at(21n))).toMatchObject({ kind: 'expired' });
    expect(failing(() => ends.responder.sessionKey(1))).toMatchObject({ kind: 'expired', expected: 'a position' });
  });
});

describe('key lists', () => {
  const spi = Uint8Array.of(1);
  const mpk = mpkData(new Uint8Array(16), spi);
  const list = (keys: Parameters<typeof encodeKeyData>[0]) => encodeKeyData(keys);
  const tgk = (octets: number) => keyData('TGK', new Uint8Array(octets), spi);
  const rows = [
    { name: 'no MPK', keys: [tgk(16)], mpks: 1, problem: /MPK missing/ },
    { name: 'one MPK where two are due', keys: [mpk, tgk(16)], mpks: 2, problem: /MPK missing/ },
    { name: 'an MPK more', keys: [mpk, mpk, tgk(16)], mpks: 1, problem: /too many MPKs/ },
    { name: 'an MPK after a key', keys: [mpk, tgk(16), mpk], mpks: 1, problem: /too many MPKs/ },
    { name: 'a short key', keys: [mpk, tgk(15)], mpks: 1, problem: /key length/ },
    { name: 'a long key', keys: [mpk, tgk(65)], mpks: 1, problem: /key length/ },
    { name: 'a long key under short algorithms', keys: [mpk, tgk(32)], mpks: 1, problem: /long key/ },
    { name: 'an unknown type', keys: [mpk, { ...tgk(16), keyType: 7 }], mpks: 1, problem: /key type 7/ },
    { name: 'no SPI', keys: [mpk, { ...tgk(16), validity: { kind: 'null' } as const }], mpks: 1, problem: /SPI/ },
    {
      name: 'an empty SPI',
      keys: [mpk, keyData('TGK', new Uint8Array(16), new Uint8Array())],
      mpks: 1,
      problem: /SPI/,
    },
    {
      name: 'a huge salt',
      keys: [mpk, keyData('TGK', new Uint8Array(16), spi, new Uint8Array(65))],
      mpks: 1,
      problem: /salt length/,
    },
  ];

  it.each(rows)('with $name are refused (readings [A8], [A17], [A33])', ({ keys, mpks, problem }) => {
    expect(() => readKeyList(list(keys), mpks, suites['128'])).toThrow(problem);
  });

  it('of a Ticket Transfer hold no MPK', () => {
    expect(() => readSuppliedKeys(list([mpk]), suites['128'], false)).toThrow(/an MPK among session keys/);
    expect(() => readSuppliedKeys(new Uint8Array(), suites['128'], false)).toThrow();
  });

  it('take long keys under the 256-bit algorithms', () => {
    expect(readKeyList(list([mpk, tgk(32)]), 1, suites['256']).keys).toHaveLength(1);
  });
});

describe('algorithms of message and ticket', () => {
  it('may differ when the message is the stronger (reading [A17]), forking and Vr with the PRF of the ticket', async () => {
    const ticket = await obtain(makeKms(), alice, { suite: '128' });
    const { initiator, responder, resolved } = await connect({ ticket, transfer: { suite: '256' } });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    expect(resolved.originProven).toBe(true);
    expect(initiator.sessionKey(1).tek.length).toBe(32);
  });

  it('are refused when the message is the weaker', async () => {
    const ticket = await obtain(makeKms(), alice);
    expect(() => hand(ticket, alice, bob.identity, start, { suite: '128' })).toThrow(/weaker/);
    const { header, payloads } = decodeMessage(hand(ticket, alice, bob.identity).message);
    const weak = encodeMessage({ header: { ...header, prf: 0 }, payloads });
    expect(failing(() => receive(weak, bob))).toMatchObject({ hint: { mikey: 2 } });
  });

  it('a weaker ticket may be asked for in a stronger message, not the other way round', async () => {
    const weakTicket = rawRequest(alice, { flags: msrpTicketFlags, suite: '256', ticketSuite: '128' });
    expect(await makeKms().handleTicketRequest(weakTicket, start)).toMatchObject({ outcome: 'answered' });
    const strongTicket = rawRequest(alice, { flags: msrpTicketFlags, suite: '128', ticketSuite: '256' });
    expect(await makeKms().handleTicketRequest(strongTicket, start)).toMatchObject({
      outcome: 'refused',
      error: { hint: { mikey: 2 } },
    });
  });
});

describe('random values', () => {
  it('are together as long as the longest key (RFC 6043 12.1)', () => {
    const keys = [{ key: new Uint8Array(16) }, { key: new Uint8Array(32) }];
    expect(() => refuseShortRands(new Uint8Array(32), keys, 'rand')).not.toThrow();
    expect(() => refuseShortRands([new Uint8Array(16), new Uint8Array(16)], keys, 'rand')).not.toThrow();
    expect(() => refuseShortRands([new Uint8Array(16), undefined], keys, 'rand')).toThrow(/at least 32 octets/);
    expect(() => refuseShortRands(new Uint8Array(31), keys, 'rand')).toThrow(/31 octets/);
  });

  it('of a request are as long as the pre-shared key', async () => {
    const short = rawRequest(alice, { flags: msrpTicketFlags, randOctets: 16 });
    expect(await makeKms().handleTicketRequest(short, start)).toMatchObject({
      outcome: 'refused',
      error: { field: 'mikey.RANDR', hint: { mikey: 12 } },
    });
  });
});

describe('security policies', () => {
  const policy = (
    policyNumber: number,
    parameters: SecurityPolicyPayload['parameters'] = [],
  ): SecurityPolicyPayload => ({
    payload: 'SP',
    policyNumber,
    protType: tls,
    parameters,
  });
  const parameter = [{ type: 1, value: Uint8Array.of(1) }];
  const offer = (policies: readonly number[]): SessionOffer => ({ csId: 1, protType: tls, policies });

  it('the first acceptable one is chosen', async () => {
    const { initiator } = await connect({
      ticket: await obtain(makeKms(), alice),
      sessions: { sessions: [offer([1, 2])], policies: [policy(1, parameter), policy(2)] },
    });
    expect(initiator.sessions[0]!.policies).toEqual([2]);
  });

  it.each([
    { name: 'with parameters that we do not know', offered: [policy(1, parameter)], mikey: 10 },
    { name: 'that is missing', offered: [], mikey: 9 },
    { name: 'of another protocol', offered: [{ ...policy(1), protType: 0 }], mikey: 9 },
    { name: 'that stands twice', offered: [policy(1), policy(1)], mikey: 9 },
  ])('one $name is refused with number $mikey', async ({ offered, mikey }) => {
    const transfer = hand(
      await obtain(makeKms(), alice),
      alice,
      bob.identity,
      start,
      {},
      {
        sessions: [offer([1])],
        policies: offered,
      },
    );
    expect(failing(() => receive(transfer.message, bob))).toMatchObject({ hint: { mikey } });
  });

  it('of the responder’s own are judged by the initiator', async () => {
    const ticket = await obtain(makeKms(), alice);
    const sessions = { sessions: [offer([])], policies: [] };
    const respond = { policies: [policy(4, parameter)] };
    await expect(connect({ ticket, sessions, respond })).rejects.toMatchObject({ hint: { mikey: 10 } });
    const accepting = { answers: { acceptsPolicy: ({ policyNumber }: SecurityPolicyPayload) => policyNumber === 4 } };
    const { initiator } = await connect({ ticket, sessions, respond, transfer: accepting });
    expect(initiator.sessions[0]!.policies).toEqual([4]);
  });

  it('sessions that the responder adds are taken only by who expects them', async () => {
    const ticket = await obtain(makeKms(), alice);
    const moreSessions = [{ csId: 2, protType: tls, policies: [0] }];
    await expect(connect({ ticket, respond: { moreSessions } })).rejects.toThrow(/a session more/);
    const { initiator, responder } = await connect({
      ticket,
      respond: { moreSessions },
      transfer: { answers: { moreSessions: true } },
    });
    expect(keyOf(initiator, 2)).toBe(keyOf(responder, 2));
  });

  it('SRTP needs Session Data in the answer, of the right form (reading [A25])', async () => {
    const ticket = await obtain(makeKms(), alice);
    const sessions = { sessions: [{ csId: 1, protType: 0, policies: [] }], policies: [] };
    const receiving = { protTypes: [0] };
    await expect(connect({ ticket, sessions, receive: receiving })).rejects.toThrow(/no Session Data/);
    const sessionData = new Map([[1, Uint8Array.of(1, 2, 3, 4)]]);
    const { initiator } = await connect({ ticket, sessions, receive: receiving, respond: { sessionData } });
    expect(initiator.sessions[0]!.sessionData).toEqual(Uint8Array.of(1, 2, 3, 4));
  });
});

it('a bundle that is disposed of gives no key any more, and the ticket still does', async () => {
  const ticket = await obtain(makeKms(), alice, { flags: plain });
  const { initiator } = await connect({ ticket });
  initiator.dispose();
  expect(() => initiator.sessionKey(1)).toThrow(/after dispose/);
  const again = await connect({ ticket });
  expect(keyOf(again.initiator)).toBe(keyOf(again.responder));
});
