import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { makeBaseTicket } from '../../../src/protocol/mikey/base-ticket.ts';
import {
  makeTicket,
  messageTicketFlags,
  msrpTicketFlags,
  bytesIdentity,
  encodeMessage,
  decodeMessage,
  type TicketFlags,
} from '../../../src/protocol/mikey/index.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { sealRequestResponse } from '../../../src/protocol/mikey/resolve-messages.ts';
import { keyData, mpkData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { flagRules, requestedPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import {
  alice,
  bob,
  failing,
  hand,
  kmsIdentity,
  makeKms,
  obtain,
  random,
  rawRequest,
  receive,
  request,
  start,
} from './parties.ts';

/** Flags that break exactly one rule of RFC 6043 6.10. */
const broken: readonly { readonly clause: string; readonly flags: TicketFlags }[] = [
  { clause: 'NOT D implies L', flags: { ...msrpTicketFlags, D: false } },
  { clause: 'G implies F', flags: { ...messageTicketFlags, G: true } },
  { clause: 'NOT G implies H, NOT H implies G', flags: { ...messageTicketFlags, H: false } },
  { clause: 'I implies E', flags: { ...msrpTicketFlags, E: false } },
  { clause: 'K implies D', flags: { ...msrpTicketFlags, D: false, L: true, K: true } },
  { clause: 'M implies F', flags: { ...messageTicketFlags, M: true } },
];

it('has a row for every rule, and each row breaks that rule only', () => {
  expect(broken.map(({ clause }) => clause)).toEqual(flagRules.map(({ clause }) => clause));
  for (const { clause, flags } of broken) {
    expect(flagRules.filter(({ holds }) => !holds(flags)).map((rule) => rule.clause)).toEqual([clause]);
  }
});

describe.each(broken)('$clause', ({ flags }) => {
  it('binds the initiator that asks for a ticket, but for K, which it does not set', () => {
    if (flags.K) expect(() => request(alice, { flags: { ...flags, D: true }, keyKind: 'GTGK' })).not.toThrow();
    else expect(failing(() => request(alice, { flags, keyKind: 'GTGK' }))).toMatchObject({ kind: 'local' });
  });

  it('binds the initiator that makes a ticket', () => {
    const made = () =>
      makeTicket({
        suite: '256',
        tpk: { id: bytesIdentity(random.bytes(4)), key: new SecretBytes(random.bytes(32)) },
        initiator: alice.identity,
        kms: kmsIdentity,
        responders: [bob.identity],
        flags,
        keys: [{ kind: 'GTGK' }],
        validFrom: start - 1000,
        validUntil: start + 1000,
        now: start,
        random,
      });
    expect(failing(made)).toMatchObject({ kind: 'local', field: 'makeTicket.flags' });
  });

  it('is refused by the KMS with number 15', async () => {
    const outcome = await makeKms().handleTicketRequest(rawRequest(alice, { flags, keyKind: 'GTGK' }), start);
    expect(outcome).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 15 } } });
  });

  it('is refused by the initiator when a KMS grants it', () => {
    const asked = request(alice, { keyKind: 'GTGK' });
    const question = decodeMessage(asked.message);
    const suite = suites['256'];
    const timestamp = ntpTimestamp(start);
    const rand = random.bytes(32);
    const policy = requestedPolicy({
      ticketType: 2,
      suite,
      flags,
      kms: kmsIdentity,
      initiator: alice.identity,
      responders: [bob.identity],
      validFrom: start - 300_000,
      validUntil: start + 24 * 3600_000,
      keys: undefined,
    });
    const tpk = { id: bytesIdentity(random.bytes(4)), key: new SecretBytes(random.bytes(32)) };
    const mpk = mpkData(random.bytes(32), random.bytes(4));
    const keys = [keyData('GTGK', random.bytes(32), random.bytes(4))];
    const ticket = makeBaseTicket({ policy, tpk, timestamp, rand, mpk, keys });
    const requestRand = question.payloads.find((payload) => payload.payload === 'RANDR')!.value;
    const answer = sealRequestResponse(
      {
        suite,
        psk: alice.psk,
        csbId: question.header.csbId,
        timestamp,
        rand: requestRand,
        kms: kmsIdentity,
        keys: [mpk, ...(flags.I ? [mpk] : []), ...keys],
      },
      ticket,
      asked.message,
    );
    expect(failing(() => asked.accept(answer, start))).toMatchObject({
      field: 'mikey.policy.flags',
      hint: { mikey: 15 },
    });
  });

  it('is refused by the responder with number 15, before the KMS is asked', async () => {
    const { header, payloads } = decodeMessage(hand(await obtain(makeKms(), alice), alice, bob.identity).message);
    const changed = encodeMessage({
      header,
      payloads: payloads.map((one) => (one.payload === 'TICKET' ? { ...one, policy: { ...one.policy, flags } } : one)),
    });
    expect(failing(() => receive(changed, bob))).toMatchObject({ field: 'mikey.policy.flags', hint: { mikey: 15 } });
  });
});

describe('F with I and a TGK in the ticket', () => {
  it('binds the initiator and the KMS', async () => {
    expect(() => request(alice, { flags: messageTicketFlags, keyKind: 'TGK' })).toThrow(/forked TGK/);
    const outcome = await makeKms().handleTicketRequest(
      rawRequest(alice, { flags: messageTicketFlags, keyKind: 'TGK' }),
      start,
    );
    expect(outcome).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 15 } } });
  });
});

describe('processing that only the specification of a ticket type tells', () => {
  it('is not guessed by the initiator (N) nor by the responder (O)', async () => {
    const ticket = await obtain(makeKms(), alice);
    const odd = { ...ticket, flags: { ...ticket.flags, N: false } };
    expect(failing(() => hand(odd, alice, bob.identity))).toMatchObject({ kind: 'unsupported', hint: { mikey: 14 } });
    const { header, payloads } = decodeMessage(hand(ticket, alice, bob.identity).message);
    const changed = payloads.map((one) =>
      one.payload === 'TICKET' ? { ...one, policy: { ...one.policy, flags: { ...one.policy.flags, O: false } } } : one,
    );
    expect(failing(() => receive(encodeMessage({ header, payloads: changed }), bob))).toMatchObject({
      kind: 'unsupported',
      hint: { mikey: 14 },
    });
  });

  it('is not what a base ticket wants: the KMS sets both and says that it did', async () => {
    const ticket = await obtain(makeKms(), alice, { flags: { ...msrpTicketFlags, N: false, O: false } });
    expect(ticket.flags).toMatchObject({ N: true, O: true, K: true });
  });
});
