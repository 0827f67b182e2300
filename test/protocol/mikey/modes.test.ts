import { describe, expect, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { makeBaseTicket, splitMpk } from '../../../src/protocol/mikey/base-ticket.ts';
import { idRole } from '../../../src/protocol/mikey/code-points.ts';
import {
  bytesIdentity,
  makeTicket,
  messageTicketFlags,
  msrpTicketFlags,
  sameIdentity,
  type GrantedTicket,
  type GrantRules,
  type KmsDirectory,
  type MakeTicketOptions,
  type MikeyIdentity,
  type TicketFlags,
} from '../../../src/protocol/mikey/index.ts';
import { identityPayload } from '../../../src/protocol/mikey/payload-access.ts';
import { keyData, mpkData, ticketKey } from '../../../src/protocol/mikey/ticket-keys.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import {
  alice,
  answered,
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
  receive,
  resolve,
  resolving,
  start,
  type Party,
} from './parties.ts';

const tpk = (name: string) => ({ id: bytesIdentity(utf8(name)), key: new SecretBytes(random.bytes(32)) });
const aliceTpk = tpk('tpk of alice');
const carolTpk = tpk('tpk of carol');
const bobTpk = tpk('tpk of bob');

/** A KMS that shares TPKs with Alice and Carol as makers of tickets, and with Bob as a responder. */
const directory: Partial<KmsDirectory> = {
  findTicketMaker: (id) =>
    [
      { user: alice, ...aliceTpk },
      { user: carol, ...carolTpk },
    ]
      .map(({ user, id: name, key }) => ({ user, name, tpk: key }))
      .find(({ name }) => sameIdentity(name, id)),
  findResponderTpk: (responder) => (bob.owns(responder) ? bobTpk : undefined),
};
const sharingKms = (overrides: Parameters<typeof makeKms>[0] = {}) => makeKms({ directory, ...overrides });

const mode2: TicketFlags = { ...msrpTicketFlags, E: false, I: false };
const mode3: TicketFlags = { ...msrpTicketFlags, D: false, L: true };
const mode4: TicketFlags = { ...mode3, E: false, I: false };

function make(flags: TicketFlags, changes: Partial<MakeTicketOptions> = {}): GrantedTicket {
  return makeTicket({
    suite: '256',
    tpk: aliceTpk,
    initiator: alice.identity,
    kms: kmsIdentity,
    responders: [bob.identity],
    flags,
    keys: [{ kind: 'TGK' }],
    validFrom: start - 300_000,
    validUntil: start + 3_600_000,
    now: start,
    random,
    ...changes,
  });
}

describe('mode 1: the KMS makes the ticket and resolves it', () => {
  it.each(['128', '256'] as const)('sets up one key (%s)', async (suite) => {
    const { initiator, responder } = await connect({ ticket: await obtain(makeKms(), alice, { suite }) });
    expect(keyOf(initiator)).toBe(keyOf(responder));
  });
});

describe('mode 2: the KMS makes the ticket and the responder opens it', () => {
  const findTpk = (id: MikeyIdentity | undefined, { madeByKms }: { madeByKms: boolean }) =>
    madeByKms && id !== undefined && sameIdentity(id, bobTpk.id) ? { key: bobTpk.key } : undefined;
  const openOptions = { findTpk, self: bob.identity, now: start };

  it('sets up one key without a Ticket Resolve', async () => {
    const ticket = await obtain(sharingKms(), alice, { flags: mode2 });
    expect(ticket.flags).toEqual(mode2);
    const { initiator, responder, resolved } = await connect({
      ticket,
      open: (received) => received.openTicket(openOptions),
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    expect(resolved.originProven).toBe(false);
  });

  it('leaves the responder free to ask the KMS', async () => {
    const ticket = await obtain(sharingKms(), alice, { flags: mode2 });
    const { initiator, responder } = await connect({ ticket, kms: sharingKms() });
    expect(keyOf(initiator)).toBe(keyOf(responder));
  });

  it('becomes mode 1 where the KMS shares no key with the responder, or with only one of several', async () => {
    const alone = await obtain(makeKms(), alice, { flags: mode2 });
    expect(alone.flags).toMatchObject({ E: true, K: true });
    const both = await obtain(sharingKms(), alice, { flags: mode2, responders: [bob.identity, carol.identity] });
    expect(both.flags).toMatchObject({ E: true, K: true });
  });

  it('is not for tickets that the KMS must resolve, for others, or under another key', async () => {
    const open = (ticket: GrantedTicket, self: Party = bob, key = bobTpk.key) => {
      const received = receive(hand(ticket, alice, self.identity).message, self);
      return received.openTicket({ findTpk: () => ({ key }), self: self.identity, now: start });
    };
    expect(failing(() => open(make(mode3)))).toMatchObject({ kind: 'policy-denied', hint: { mikey: 14 } });
    const ticket = await obtain(sharingKms(), alice, { flags: mode2 });
    expect(failing(() => open(ticket, carol))).toMatchObject({ hint: { mikey: 7 } });
    expect(failing(() => open(ticket, bob, aliceTpk.key))).toMatchObject({ hint: { mikey: 14 } });
  });

  it('gives a responder no way to make tickets of the KMS to others, under the key for its own', async () => {
    const { policy } = (await obtain(sharingKms(), alice, { flags: mode2 })).ticketPayload;
    const parameters = policy.parameters.map((one) =>
      one.payload === 'IDR' && one.role === idRole.responder ? identityPayload(idRole.responder, carol.identity) : one,
    );
    const rand = random.bytes(32);
    const mpk = mpkData(random.bytes(32), random.bytes(4));
    const key = keyData('TGK', random.bytes(32), random.bytes(4));
    const ticketPayload = makeBaseTicket({
      policy: { ...policy, parameters },
      tpk: bobTpk,
      timestamp: ntpTimestamp(start),
      rand,
      mpk,
      keys: [key],
    });
    const forged: GrantedTicket = {
      ...make(mode4),
      ticketPayload,
      flags: mode2,
      mpki: new SecretBytes(splitMpk(1, mpk.key, rand).mpki),
      keys: [ticketKey(key)],
    };
    const asked = resolving(receive(hand(forged, alice, carol.identity).message, carol), carol);
    expect(await sharingKms().handleTicketResolve(asked.message, start)).toMatchObject({
      outcome: 'refused',
      error: { hint: { mikey: 14 } },
    });
  });

  it('gives a responder no way to speak in the name of the KMS to others', async () => {
    // Bob holds a TPK of the KMS's for tickets to him; he makes one to Carol in Alice's name.
    const forged = make(mode4, { tpk: bobTpk, responders: [carol.identity] });
    const asked = resolving(receive(hand(forged, alice, carol.identity).message, carol), carol);
    expect(await sharingKms().handleTicketResolve(asked.message, start)).toMatchObject({
      outcome: 'refused',
      error: { hint: { mikey: 14 } },
    });
  });
});

describe('mode 3: the initiator makes the ticket and the KMS resolves it', () => {
  it.each<{ name: string; flags: TicketFlags; kind: 'TGK' | 'GTGK' }>([
    { name: 'with forking', flags: mode3, kind: 'TGK' },
    { name: 'without forking', flags: { ...mode3, I: false }, kind: 'TGK' },
    { name: 'one way', flags: { ...messageTicketFlags, D: false, L: true }, kind: 'GTGK' },
  ])('sets up one key $name', async ({ flags, kind }) => {
    const { initiator, responder, resolved } = await connect({
      ticket: make(flags, { keys: [{ kind }] }),
      kms: sharingKms(),
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    expect(resolved.originProven).toBe(flags.I);
  });

  const refusal = async (ticket: GrantedTicket, from = alice, kms = sharingKms()) => {
    const asked = resolving(receive(hand(ticket, from, bob.identity).message, bob), bob);
    return kms.handleTicketResolve(asked.message, start);
  };

  it('is refused where the KMS knows no maker by the name of the TPK', async () => {
    expect(await refusal(make(mode3), alice, makeKms())).toMatchObject({
      outcome: 'refused',
      error: { field: 'mikey.TICKET.IDRpsk', hint: { mikey: 14 } },
    });
  });

  it('is refused in the name of somebody else than the maker', async () => {
    expect(await refusal(make(mode3, { tpk: carolTpk }))).toMatchObject({
      outcome: 'refused',
      error: { field: 'mikey.TICKET.IDRi', hint: { mikey: 14 } },
    });
  });

  it('is refused for responders whom its maker may not invite', async () => {
    const kms = sharingKms({ directory: { ...directory, mayRequest: () => false } });
    expect(await refusal(make(mode3), alice, kms)).toMatchObject({
      outcome: 'refused',
      error: { field: 'mikey.TICKET.IDRr', hint: { mikey: 14 } },
    });
  });

  const day = 24 * 3_600_000;
  it.each<{ name: string; ticket: () => GrantedTicket; rules?: Partial<GrantRules>; refused: boolean }>([
    { name: 'longest life', ticket: () => make(mode3, { validUntil: start + day }), refused: false },
    { name: 'longest life', ticket: () => make(mode3, { validUntil: start + 2 * day }), refused: true },
    {
      name: 'longest life, however it began',
      ticket: () => make(mode3, { validFrom: start - 3 * day }),
      refused: true,
    },
    { name: 'life of some length', ticket: withoutLife, refused: true },
    { name: 'single use', ticket: () => make(mode3), rules: { reuse: false }, refused: true },
    { name: 'single use', ticket: () => make({ ...mode3, J: false }), rules: { reuse: false }, refused: false },
    { name: 'frequent keys', ticket: () => make(mode3), rules: { rekeyingSeconds: 600 }, refused: true },
    {
      name: 'frequent keys',
      ticket: () => make(mode3, { rekeyingSeconds: 600 }),
      rules: { rekeyingSeconds: 600 },
      refused: false,
    },
    { name: 'keys that it sees', ticket: () => make({ ...mode3, M: true }), refused: true },
    {
      name: 'keys that it sees',
      ticket: () => make({ ...mode3, M: true }),
      rules: { suppliedKeys: true },
      refused: false,
    },
  ])('does not get round the rule of the KMS for $name: refused $refused', async ({ ticket, rules = {}, refused }) => {
    const outcome = await refusal(ticket(), alice, sharingKms({ rules }));
    if (refused) expect(outcome).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 15 } } });
    else expect(outcome).toMatchObject({ outcome: 'answered' });
  });

  /** A ticket whose policy names neither beginning nor end. */
  function withoutLife(): GrantedTicket {
    const made = make(mode3);
    const { policy } = made.ticketPayload;
    const parameters = policy.parameters.filter(({ payload }) => payload !== 'TR');
    const rand = random.bytes(32);
    const mpk = mpkData(random.bytes(32), random.bytes(4));
    const key = keyData('TGK', random.bytes(32), random.bytes(4));
    const ticketPayload = makeBaseTicket({
      policy: { ...policy, parameters },
      tpk: aliceTpk,
      timestamp: ntpTimestamp(start),
      rand,
      mpk,
      keys: [key],
    });
    const { mpki, mpkr } = splitMpk(policy.prf, mpk.key, rand);
    return { ...made, ticketPayload, mpki: new SecretBytes(mpki), mpkr: new SecretBytes(mpkr), keys: [ticketKey(key)] };
  }

  it('cannot pass for a ticket of the KMS', async () => {
    const ticket = make(mode3);
    const payload = { ...ticket.ticketPayload, policy: { ...ticket.ticketPayload.policy, flags: msrpTicketFlags } };
    const forged = { ...ticket, flags: msrpTicketFlags, ticketPayload: payload };
    expect(await refusal(forged)).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 14 } } });
  });
});

describe('mode 4: initiator and responder share the TPK', () => {
  const findTpk = (id: MikeyIdentity | undefined, { madeByKms }: { madeByKms: boolean }) =>
    !madeByKms && id !== undefined && sameIdentity(id, aliceTpk.id)
      ? { key: aliceTpk.key, initiator: alice.identity }
      : undefined;

  it('sets up one key without any KMS', async () => {
    const { initiator, responder } = await connect({
      ticket: make(mode4),
      open: (received) => received.openTicket({ findTpk, self: bob.identity, now: start }),
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
  });

  it('opens a ticket to a group that the responder belongs to', async () => {
    const group = { type: 'uri', data: utf8('sip:support@lab.test') } as const;
    const received = receive(hand(make(mode4, { responders: [group] }), alice, group).message, bob, start, {
      groups: [group],
    });
    const open = (groups: readonly MikeyIdentity[]) =>
      received.openTicket({ findTpk, self: bob.identity, groups, now: start });
    expect(open([group]).originProven).toBe(false);
    expect(failing(() => open([]))).toMatchObject({ hint: { mikey: 7 } });
  });

  it('refuses a ticket of another initiator than the one the key is shared with, and one that claims to be the KMS’s', () => {
    const open = (ticket: GrantedTicket, shared: { initiator?: MikeyIdentity }) => {
      const received = receive(hand(ticket, alice, bob.identity).message, bob);
      const found = () => ({ key: aliceTpk.key, ...shared });
      return received.openTicket({ findTpk: found, self: bob.identity, now: start });
    };
    expect(() => open(make(mode4), { initiator: alice.identity })).not.toThrow();
    for (const shared of [{}, { initiator: carol.identity }]) {
      expect(failing(() => open(make(mode4), shared))).toMatchObject({ hint: { mikey: 14 } });
    }
    const ticket = make(mode4);
    const payload = { ...ticket.ticketPayload, policy: { ...ticket.ticketPayload.policy, flags: mode2 } };
    const forged = { ...ticket, flags: mode2, ticketPayload: payload };
    expect(failing(() => open(forged, { initiator: alice.identity }))).toMatchObject({ hint: { mikey: 14 } });
  });
});

describe('who makes a ticket', () => {
  it('does not pretend to be the KMS, names somebody, has a key that is long enough and time left', () => {
    expect(failing(() => make(msrpTicketFlags))).toMatchObject({ kind: 'local', field: 'makeTicket.flags' });
    expect(failing(() => make(mode3, { responders: [] }))).toMatchObject({ field: 'makeTicket.responders' });
    const short = { id: aliceTpk.id, key: new SecretBytes(random.bytes(16)) };
    expect(failing(() => make(mode3, { tpk: short }))).toMatchObject({ field: 'makeTicket.tpk' });
    expect(failing(() => make(mode3, { validUntil: start - 1 }))).toMatchObject({ kind: 'expired' });
  });

  it('cannot use a single-use ticket twice', () => {
    const ticket = make({ ...mode3, J: false });
    hand(ticket, alice, bob.identity);
    expect(() => hand(ticket, alice, bob.identity)).toThrow(/single-use/);
  });
});

it('an Error of the KMS about a ticket that was made elsewhere ends at the responder', async () => {
  const asked = resolving(receive(hand(make(mode3), alice, bob.identity).message, bob), bob);
  const outcome = await makeKms().handleTicketResolve(asked.message, start);
  if (outcome.outcome !== 'refused') throw new Error(outcome.outcome);
  expect(failing(() => asked.accept(outcome.message, start))).toMatchObject({ hint: { mikey: 14 } });
  expect(() => answered(outcome)).toThrow(/refused/);
  await expect(resolve(makeKms(), receive(hand(make(mode3), alice, bob.identity).message, bob), bob)).rejects.toThrow();
});
