import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { makeBaseTicket } from '../../../src/protocol/mikey/base-ticket.ts';
import { idRole, timestampRole } from '../../../src/protocol/mikey/code-points.ts';
import {
  bytesIdentity,
  decodeMessage,
  encodeMessage,
  msrpTicketFlags,
  neverGranted,
  uriIdentity,
  type GrantDifference,
  type GrantedTicket,
  type MikeyIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { identityPayload } from '../../../src/protocol/mikey/payload-access.ts';
import type { KeyDataPayload, Payload, TicketPolicy } from '../../../src/protocol/mikey/payloads.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { sealRequestResponse } from '../../../src/protocol/mikey/resolve-messages.ts';
import { keyData, mpkData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { boundPayload, readPolicy, rekeyingPayload } from '../../../src/protocol/mikey/ticket-policy.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import {
  alice,
  bob,
  carol,
  connect,
  failing,
  hand,
  keyOf,
  kmsIdentity,
  makeKms,
  obtain,
  random,
  rawRequest,
  receive,
  request,
  start,
  type RequestChanges,
} from './parties.ts';

const flags = { ...msrpTicketFlags, L: true, M: true };

describe('what the KMS grants', () => {
  it.each<{ name: string; changes: RequestChanges; rules?: object; granted: object; changed: boolean }>([
    { name: 'the wish', changes: {}, granted: {}, changed: false },
    { name: 'L and M by its rules only', changes: { flags }, granted: { L: false, M: false }, changed: true },
    {
      name: 'L and M where its rules say so',
      changes: { flags },
      rules: { suppliedKeys: true },
      granted: { L: true, M: true },
      changed: false,
    },
    { name: 'no reuse', changes: {}, rules: { reuse: false }, granted: { J: false }, changed: true },
    {
      name: 'N and O',
      changes: { flags: { ...msrpTicketFlags, N: false } },
      granted: { N: true, O: true },
      changed: true,
    },
    {
      name: 'E where it alone can open the ticket',
      changes: { flags: { ...msrpTicketFlags, E: false, I: false } },
      granted: { E: true },
      changed: true,
    },
    { name: 'a shorter life', changes: { validUntil: start + 99 * 24 * 3600_000 }, granted: {}, changed: true },
    {
      name: 'a rekeying interval of its own',
      changes: {},
      rules: { rekeyingSeconds: 600 },
      granted: {},
      changed: true,
    },
    {
      name: 'a shorter rekeying interval',
      changes: { rekeyingSeconds: 900 },
      rules: { rekeyingSeconds: 600 },
      granted: {},
      changed: true,
    },
    {
      name: 'the rekeying interval of the wish',
      changes: { rekeyingSeconds: 300 },
      rules: { rekeyingSeconds: 600 },
      granted: {},
      changed: false,
    },
    {
      name: 'applications as wished',
      changes: { applications: [uriIdentity('urn:app')] },
      granted: {},
      changed: false,
    },
  ])(
    '$name, and says with K whether that is another (reading [A10])',
    async ({ changes, rules = {}, granted, changed }) => {
      const ticket = await obtain(makeKms({ rules }), alice, changes);
      expect(ticket.flags).toMatchObject({ ...granted, K: changed });
    },
  );

  it('is set K too when only names were added, and judged by the octets', async () => {
    const asked = decodeMessage(rawRequest(alice, { flags: msrpTicketFlags }));
    const { policy } = asked.payloads.find((payload) => payload.payload === 'TP')!;
    expect(readPolicy(policy).flags.K).toBe(false);
  });

  it('keeps kind, length, SALT and SPI of the wanted keys, with fresh octets (reading [A11])', async () => {
    const keys = [{ kind: 'GTGK', octets: 16, saltOctets: 14, spi: Uint8Array.of(5) } as const];
    const [key] = (await obtain(makeKms(), alice, { keys })).keys;
    expect(key).toMatchObject({ kind: 'GTGK', spi: Uint8Array.of(5) });
    expect(key!.salt).toHaveLength(14);
    expect(key!.salt!.some((octet) => octet !== 0)).toBe(true);
    expect(key!.key.length).toBe(16);
  });

  const key = (octets: number, changes: Partial<KeyDataPayload> = {}): KeyDataPayload => ({
    ...keyData('GTGK', new Uint8Array(octets), Uint8Array.of(1)),
    ...changes,
  });
  it.each<{ name: string; keys: KeyDataPayload[] }>([
    { name: 'too many keys', keys: Array.from({ length: 5 }, () => key(32)) },
    { name: 'a short key', keys: [key(15)] },
    { name: 'a long key', keys: [key(33)] },
    { name: 'key octets that are not zero', keys: [key(32, { key: new Uint8Array(32).fill(1) })] },
    { name: 'a key without SPI', keys: [key(32, { validity: { kind: 'null' } })] },
    {
      name: 'a key with an interval',
      keys: [key(32, { validity: { kind: 'interval', validFrom: Uint8Array.of(1), validTo: Uint8Array.of(2) } })],
    },
    { name: 'a huge SALT', keys: [{ ...keyData('GTGK', new Uint8Array(32), Uint8Array.of(1), new Uint8Array(33)) }] },
  ])('nothing for $name, number 15', async ({ keys }) => {
    const outcome = await makeKms().handleTicketRequest(rawRequest(alice, { flags: msrpTicketFlags, keys }), start);
    expect(outcome).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 15 } } });
  });

  it('ignores K in a wish, where it says nothing', async () => {
    const asked = rawRequest(alice, { flags: { ...msrpTicketFlags, K: true } });
    const outcome = await makeKms().handleTicketRequest(asked, start);
    if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
    const ticket = decodeMessage(outcome.message).payloads.find((payload) => payload.payload === 'TICKET')!;
    expect(ticket.policy.flags.K).toBe(false);
  });
});

/** An authentic REQUEST_RESP with any policy: what a KMS could grant. */
function granting(
  change: (policy: TicketPolicy) => TicketPolicy,
  changes: RequestChanges = {},
  keys?: KeyDataPayload[],
  other: { readonly initiatorData?: Uint8Array; readonly kms?: MikeyIdentity } = {},
) {
  const asked = request(alice, changes);
  const { header, payloads } = decodeMessage(asked.message);
  const { policy: wish } = payloads.find((payload) => payload.payload === 'TP')!;
  const wanted = readPolicy(wish).wantedKeys ?? [];
  const granted = change({ ...wish, parameters: wish.parameters.filter(({ payload }) => payload !== 'KEMAC') });
  const suite = suites['256'];
  const timestamp = ntpTimestamp(start);
  const mpk = mpkData(random.bytes(32), Uint8Array.of(1));
  const issued = keys ?? wanted.map((one) => ({ ...one, key: random.bytes(one.key.length) }));
  const tpk = { id: bytesIdentity(random.bytes(4)), key: new SecretBytes(random.bytes(32)) };
  const ticket = makeBaseTicket({ policy: granted, tpk, timestamp, rand: random.bytes(32), mpk, keys: issued });
  const answer = sealRequestResponse(
    {
      suite,
      psk: alice.psk,
      csbId: header.csbId,
      timestamp,
      rand: payloads.find((payload) => payload.payload === 'RANDR')!.value,
      kms: other.kms ?? kmsIdentity,
      keys: [mpk, ...(granted.flags.I ? [mpk] : []), ...issued],
    },
    { ...ticket, initiatorData: other.initiatorData ?? new Uint8Array() },
    asked.message,
  );
  return (): GrantedTicket => asked.accept(answer, start);
}

const replaceRole =
  (kind: 'TR' | 'IDR', role: number, by: Payload[]) =>
  (policy: TicketPolicy): TicketPolicy => ({
    ...policy,
    parameters: [...policy.parameters.filter((one) => !(one.payload === kind && one.role === role)), ...by],
  });

/** What a question says of the keys that it wants. */
function keyWish(): Payload {
  const { policy } = decodeMessage(request(alice).message).payloads.find((payload) => payload.payload === 'TP')!;
  return policy.parameters.find(({ payload }) => payload === 'KEMAC')!;
}

describe('what the initiator takes', () => {
  it('is the wish', () => {
    expect(granting((policy) => policy)().flags).toEqual(msrpTicketFlags);
  });

  it.each(neverGranted)(
    'is never flag $name turned to $granted, whoever judges: it loses $loses',
    ({ name, granted }) => {
      // Flags that are not contradictory whichever way this one is turned.
      const wish = { ...msrpTicketFlags, L: true, J: false, G: true, H: true, M: false, E: true, I: true };
      const asked = {
        ...wish,
        [name]: !granted,
        ...(name === 'E' ? { I: false } : {}),
        ...(name === 'F' ? { G: false } : {}),
      };
      const grant = granting((policy) => ({ ...policy, flags: { ...policy.flags, [name]: granted } }), {
        flags: asked,
        keyKind: 'GTGK',
        judge: () => true,
      });
      expect(failing(grant)).toMatchObject({ kind: 'policy-denied', field: 'mikey.granted.flags' });
    },
  );

  const noOthers = [bob.identity, carol.identity];
  it.each<{ name: string; change: (policy: TicketPolicy) => TicketPolicy; changes?: RequestChanges; field: string }>([
    {
      name: 'a longer life',
      change: replaceRole('TR', timestampRole.end, [boundPayload(timestampRole.end, start + 48 * 3600_000)]),
      field: 'life',
    },
    { name: 'a life without end', change: replaceRole('TR', timestampRole.end, []), field: 'life' },
    {
      name: 'an earlier beginning',
      change: replaceRole('TR', timestampRole.start, [boundPayload(timestampRole.start, start - 900_000)]),
      field: 'life',
    },
    {
      name: 'rarer new keys',
      change: replaceRole('TR', timestampRole.rekeying, [rekeyingPayload(900)]),
      changes: { rekeyingSeconds: 600 },
      field: 'rekeying',
    },
    {
      name: 'no new keys at all',
      change: replaceRole('TR', timestampRole.rekeying, []),
      changes: { rekeyingSeconds: 600 },
      field: 'rekeying',
    },
    {
      name: 'more responders',
      change: replaceRole(
        'IDR',
        idRole.responder,
        noOthers.map((one) => identityPayload(idRole.responder, one)),
      ),
      field: 'responders',
    },
    {
      name: 'another initiator',
      change: replaceRole('IDR', idRole.initiator, [identityPayload(idRole.initiator, carol.identity)]),
      field: 'initiator',
    },
    {
      name: 'another KMS',
      change: replaceRole('IDR', idRole.kms, [identityPayload(idRole.kms, uriIdentity('sip:other'))]),
      field: 'kms',
    },
    { name: 'another ticket type', change: (policy) => ({ ...policy, ticketType: 1 }), field: 'type' },
    {
      name: 'more applications',
      change: replaceRole('IDR', idRole.application, []),
      changes: { applications: [uriIdentity('urn:a')] },
      field: 'applications',
    },
    {
      name: 'another application',
      change: replaceRole('IDR', idRole.application, [identityPayload(idRole.application, uriIdentity('urn:b'))]),
      changes: { applications: [uriIdentity('urn:a')] },
      field: 'applications',
    },
    { name: 'a life without beginning', change: replaceRole('TR', timestampRole.start, []), field: 'life' },
    {
      name: 'a wish for keys',
      change: (policy) => ({ ...policy, parameters: [...policy.parameters, keyWish()] }),
      field: 'KEMAC',
    },
  ])('is never $name', ({ change, changes, field }) => {
    const grant = granting(change, { ...changes, judge: () => true });
    expect(failing(grant)).toMatchObject({ kind: 'policy-denied', field: `mikey.granted.${field}` });
  });

  it('is never the answer of another KMS, nor a ticket that was sent already', () => {
    const judge = () => true;
    const same = (policy: TicketPolicy): TicketPolicy => policy;
    expect(failing(granting(same, { judge }, undefined, { kms: uriIdentity('sip:other') }))).toMatchObject({
      kind: 'policy-denied',
      field: 'mikey.granted.kms',
    });
    expect(failing(granting(same, { judge }, undefined, { initiatorData: new Uint8Array(42) }))).toMatchObject({
      kind: 'policy-denied',
      field: 'mikey.granted.initiatorData',
    });
  });

  it.each<{ name: string; keys: KeyDataPayload[] }>([
    { name: 'no key', keys: [] },
    { name: 'a key more', keys: [1, 2].map((spi) => keyData('TGK', random.bytes(32), Uint8Array.of(spi))) },
    { name: 'a shorter key', keys: [keyData('TGK', random.bytes(16), Uint8Array.of(1))] },
    { name: 'a key of another kind', keys: [keyData('GTGK', random.bytes(32), Uint8Array.of(1))] },
  ])('is never $name', ({ keys }) => {
    expect(failing(granting((policy) => policy, { judge: () => true }, keys))).toMatchObject({
      field: 'mikey.granted.keys',
    });
  });

  it.each<{
    name: string;
    change: (policy: TicketPolicy) => TicketPolicy;
    changes?: RequestChanges;
    difference: GrantDifference;
    byDefault: boolean;
  }>([
    {
      name: 'no reuse',
      change: (policy) => ({ ...policy, flags: { ...policy.flags, J: false } }),
      difference: { what: 'flag', name: 'J', granted: false },
      byDefault: true,
    },
    {
      name: 'an end that is earlier',
      change: replaceRole('TR', timestampRole.end, [boundPayload(timestampRole.end, start + 60_000)]),
      difference: { what: 'life' },
      byDefault: true,
    },
    {
      name: 'more frequent keys',
      change: replaceRole('TR', timestampRole.rekeying, [rekeyingPayload(60)]),
      difference: { what: 'rekeying' },
      byDefault: true,
    },
    {
      name: 'fewer responders',
      change: replaceRole('IDR', idRole.responder, [identityPayload(idRole.responder, bob.identity)]),
      changes: { responders: noOthers },
      difference: { what: 'fewer-responders' },
      byDefault: false,
    },
    {
      name: 'fewer applications',
      change: replaceRole('IDR', idRole.application, [identityPayload(idRole.application, uriIdentity('urn:a'))]),
      difference: { what: 'applications' },
      byDefault: false,
    },
    {
      name: 'forking unasked',
      change: (policy) => ({ ...policy, flags: { ...policy.flags, I: true } }),
      changes: { flags: { ...msrpTicketFlags, I: false } },
      difference: { what: 'flag', name: 'I', granted: true },
      byDefault: false,
    },
  ])('may be $name, as the judge says', ({ change, changes = {}, difference, byDefault }) => {
    const seen: GrantDifference[] = [];
    const judged = (answer: boolean) => granting(change, { ...changes, judge: (one) => (seen.push(one), answer) });
    expect(() => judged(true)()).not.toThrow();
    expect(seen).toEqual([difference]);
    expect(failing(judged(false))).toMatchObject({ kind: 'policy-denied' });
    if (byDefault) expect(granting(change, changes)).not.toThrow();
    else expect(failing(granting(change, changes))).toMatchObject({ kind: 'policy-denied' });
  });

  it('is forking unasked in earnest: then the answers fork', async () => {
    const plain = { ...msrpTicketFlags, I: false };
    const ticket = await obtain(makeKms(), alice, { flags: plain });
    expect(ticket.mpkr).toBeUndefined();
    const granted = granting((policy) => ({ ...policy, flags: { ...policy.flags, I: true } }), {
      flags: plain,
      judge: () => true,
    })();
    expect(granted.mpkr).toBeDefined();
  });
});

describe('the rekeying interval (TRr)', () => {
  it('is told to who holds the ticket, who must not use the ticket after it', async () => {
    const ticket = await obtain(makeKms(), alice, { rekeyingSeconds: 600 });
    expect(ticket).toMatchObject({ rekeyingSeconds: 600, rekeyBy: start + 600_000 });
    expect(() => hand(ticket, alice, bob.identity, start + 600_000)).not.toThrow();
    expect(failing(() => hand(ticket, alice, bob.identity, start + 600_001))).toMatchObject({
      kind: 'expired',
      field: 'mikey.TICKET.TRr',
    });
  });

  it('is held against a sender that uses the ticket longer, clocks allowed for', async () => {
    const ticket = await obtain(makeKms(), alice, { rekeyingSeconds: 600 });
    const careless = { ...ticket };
    delete careless.rekeyBy;
    const at = (now: number) => () => receive(hand(careless, alice, bob.identity, now).message, bob, now);
    expect(at(start + 900_000)().rekeyingSeconds).toBe(600);
    expect(failing(at(start + 900_001))).toMatchObject({ kind: 'expired', hint: { mikey: 14 } });
  });

  it('is a number of seconds in the form of NTP-UTC-32, and not zero', async () => {
    const { policy } = (await obtain(makeKms(), alice, { rekeyingSeconds: 600 })).ticketPayload;
    const change = (by: object) => ({
      ...policy,
      parameters: policy.parameters.map((one) =>
        one.payload === 'TR' && one.role === timestampRole.rekeying ? { ...one, ...by } : one,
      ),
    });
    expect(readPolicy(policy).rekeyingSeconds).toBe(600);
    for (const by of [
      { value: new Uint8Array(4) },
      { timestampType: 0, value: new Uint8Array(8) },
      { timestampType: 2 },
    ]) {
      expect(failing(() => readPolicy(change(by)))).toMatchObject({ hint: { mikey: 15 } });
    }
    for (const seconds of [0, 0.5, 2 ** 32])
      expect(failing(() => rekeyingPayload(seconds))).toMatchObject({ kind: 'local' });
  });
});

describe('several responders in one ticket', () => {
  it('may each resolve it, and nobody else', async () => {
    const kms = makeKms();
    const ticket = await obtain(kms, alice, { responders: [bob.identity, carol.identity] });
    expect(ticket.responders).toHaveLength(2);
    const { initiator, responder } = await connect({ ticket, kms });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    const toCarol = hand(ticket, alice, carol.identity);
    expect(receive(toCarol.message, carol).responder).toEqual(carol.identity);
  });

  it('are kept when a hundred are named', async () => {
    const responders = Array.from({ length: 100 }, (_, index) => uriIdentity(`sip:user${index}@lab.test`));
    expect((await obtain(makeKms(), alice, { responders })).responders).toHaveLength(100);
  });
});

it('an answer is not taken for another question, whatever it grants', async () => {
  const asked = request(alice);
  const outcome = await makeKms().handleTicketRequest(request(alice).message, start);
  if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
  const { header, payloads } = decodeMessage(outcome.message);
  const csbId = decodeMessage(asked.message).header.csbId;
  const adapted = encodeMessage({ header: { ...header, csbId }, payloads });
  expect(failing(() => asked.accept(adapted, start))).toMatchObject({ hint: { mikey: 0 } });
});
