import { describe, expect, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import {
  createTransfer,
  decodeMessage,
  messageTicketFlags,
  msrpTicketFlags,
  uriIdentity,
  type MikeyHeader,
} from '../../../src/protocol/mikey/index.ts';
import { idRole, randRole } from '../../../src/protocol/mikey/code-points.ts';
import { identityPayload } from '../../../src/protocol/mikey/payload-access.ts';
import type { KemacPayload, Payload } from '../../../src/protocol/mikey/payloads.ts';
import { messageKeys, sealMessage, suites } from '../../../src/protocol/mikey/protection.ts';
import { cryptoSession } from '../../../src/protocol/mikey/session-negotiation.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import { sealTransferInit } from '../../../src/protocol/mikey/transfer-messages.ts';
import {
  alice,
  bob,
  carol,
  connect,
  failing,
  hand,
  keyOf,
  makeKms,
  obtain,
  protTypes,
  random,
  receive,
  resolve,
  start,
} from './parties.ts';

/** An update by who knows the keys but not the rules: a one-way ticket's updates are protected as its TRANSFER_INIT. */
async function lawless() {
  const kms = makeKms({ rules: { suppliedKeys: true } });
  const ticket = await obtain(kms, alice, { flags: { ...messageTicketFlags, L: true }, keyKind: 'GTGK' });
  const { transfer, responder } = await connect({ ticket });
  const initial = decodeMessage(transfer.message);
  const rand = initial.payloads.find((payload) => payload.payload === 'RANDR')!.value;
  const keys = messageKeys(suites['256'], ticket.mpki, transfer.csbId, 'initial', { initiator: rand });
  const before = keyOf(responder);
  let later = 0;
  const update = (payloads: readonly Payload[], sessions = responder.sessions): Uint8Array => {
    const header: MikeyHeader = {
      dataType: 14,
      answerWanted: false,
      prf: 1,
      csbId: transfer.csbId,
      map: { type: 'generic', sessions },
    };
    const trailer = [alice.identity.data, bob.identity.data];
    return sealMessage({ header, payloads: [ntpTimestamp(start + ++later), ...payloads] }, keys, trailer).bytes;
  };
  return { responder, initial, rand, before, update };
}

describe('an update from who knows the keys', () => {
  it('may repeat what stays, and names nobody or the same parties', async () => {
    const { responder, rand, before, update } = await lawless();
    const repeated: Payload[] = [
      { payload: 'RANDR', role: randRole.initiator, value: rand },
      identityPayload(idRole.initiator, alice.identity),
    ];
    expect(() => responder.receiveUpdate(update(repeated), start)).not.toThrow();
    expect(() => responder.receiveUpdate(update([]), start)).not.toThrow();
    expect(keyOf(responder)).toBe(before);
  });

  const kemac = (macAlgorithm: number): KemacPayload => ({
    payload: 'KEMAC',
    encryption: 3,
    data: random.bytes(40),
    macAlgorithm,
    mac: new Uint8Array(macAlgorithm === 0 ? 0 : 32),
  });
  it.each<{ name: string; payloads: (initial: readonly Payload[]) => Payload[]; field: string }>([
    {
      name: 'a new RANDRi',
      payloads: () => [{ payload: 'RANDR', role: 1, value: new Uint8Array(32) }],
      field: 'mikey.update.RANDR',
    },
    {
      name: 'a RANDRr',
      payloads: () => [{ payload: 'RANDR', role: 2, value: new Uint8Array(32) }],
      field: 'mikey.update.RANDR',
    },
    {
      name: 'a TICKET',
      payloads: (initial) => initial.filter(({ payload }) => payload === 'TICKET'),
      field: 'mikey.update.TICKET',
    },
    {
      name: 'another initiator',
      payloads: () => [identityPayload(idRole.initiator, carol.identity)],
      field: 'mikey.update.IDR',
    },
    {
      name: 'another responder',
      payloads: () => [identityPayload(idRole.responder, carol.identity)],
      field: 'mikey.update.IDR',
    },
    { name: 'a KEMAC with a MAC of its own', payloads: () => [kemac(2)], field: 'mikey.KEMAC.macAlgorithm' },
  ])('may not bring $name', async ({ payloads, field }) => {
    const { responder, initial, before, update } = await lawless();
    expect(failing(() => responder.receiveUpdate(update(payloads(initial.payloads)), start))).toMatchObject({ field });
    expect(keyOf(responder)).toBe(before);
  });

  it('may not leave a session without key', async () => {
    const { responder, before, update } = await lawless();
    for (const spi of [new Uint8Array(), Uint8Array.of(9)]) {
      const message = update([], [cryptoSession(1, protTypes[0]!, spi)]);
      expect(failing(() => responder.receiveUpdate(message, start))).toMatchObject({ field: 'mikey.update.keys' });
    }
    expect(keyOf(responder)).toBe(before);
  });

  it('may not name one CS ID twice', async () => {
    const { responder, update } = await lawless();
    const [session] = responder.sessions;
    expect(failing(() => responder.receiveUpdate(update([], [session!, session!]), start))).toMatchObject({
      field: 'mikey.sessions.csId',
    });
  });
});

describe('a transfer', () => {
  it('is not made with somebody else’s ticket, without MPKr, without a key or without a session', async () => {
    const ticket = await obtain(makeKms(), alice);
    expect(failing(() => hand(ticket, carol, bob.identity))).toMatchObject({ field: 'transfer.initiator' });
    const withoutMpkr = { ...ticket };
    delete withoutMpkr.mpkr;
    expect(failing(() => hand(withoutMpkr, alice, bob.identity))).toMatchObject({ field: 'transfer.ticket' });
    expect(failing(() => hand({ ...ticket, keys: [] }, alice, bob.identity))).toMatchObject({
      field: 'transfer.ticket',
    });
    const nothing = () => hand(ticket, alice, bob.identity, start, {}, { sessions: [], policies: [] });
    expect(failing(nothing)).toMatchObject({ field: 'transfer.sessions' });
  });

  it('of a ticket without forking may come from whoever holds it, named by the message or the ticket (readings [A26], [A34])', async () => {
    const kms = makeKms();
    const ticket = await obtain(kms, alice, { flags: { ...msrpTicketFlags, I: false } });
    const fromCarol = hand(ticket, carol, bob.identity);
    const resolved = await resolve(kms, receive(fromCarol.message, bob), bob);
    expect(resolved).toMatchObject({ originProven: false, initiator: carol.identity });
    const suite = suites['256'];
    const anonymous = sealTransferInit({
      suite,
      csbId: 5,
      timestamp: ntpTimestamp(start),
      rand: random.bytes(32),
      initiator: alice.identity,
      responder: bob.identity,
      sessions: [cryptoSession(1, protTypes[0]!, ticket.keys[0]!.spi)],
      policies: [{ payload: 'SP', policyNumber: 0, protType: protTypes[0]!, parameters: [] }],
      ticket: ticket.ticketPayload,
      extensions: [{ payload: 'EXTENSION', extensionType: 7, data: utf8('unknown') }],
      mpki: ticket.mpki,
      mpkr: undefined,
    });
    expect(receive(anonymous, bob)).toMatchObject({ extensions: [{ type: 7, data: utf8('unknown') }] });
  });

  it('answers with the SDP IDs of the offer where it is asked to (reading [A30])', async () => {
    const ticket = await obtain(makeKms(), alice);
    const { answer } = await connect({ ticket, respond: { echoSdpIds: true } });
    const extension = decodeMessage(answer!).payloads.find((payload) => payload.payload === 'EXTENSION');
    expect(extension).toMatchObject({ extensionType: 1, data: utf8('mikey') });
    const silent = createTransfer({
      ticket,
      initiator: alice.identity,
      responder: bob.identity,
      protType: protTypes[0]!,
      csId: 1,
      now: start,
      random,
    });
    expect(receive(silent.message, bob).sdpIds).toBeUndefined();
  });

  it('is refused to a group that we do not belong to', async () => {
    const transfer = hand(await obtain(makeKms(), alice), alice, uriIdentity('sip:others@lab.test'));
    expect(failing(() => receive(transfer.message, bob))).toMatchObject({ hint: { mikey: 7 } });
  });
});
