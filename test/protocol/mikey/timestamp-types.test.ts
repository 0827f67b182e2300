import { describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import {
  CounterMemory,
  decodeMessage,
  encodeMessage,
  type TimestampChoice,
} from '../../../src/protocol/mikey/index.ts';
import { openBaseTicket, ticketIssuedAt } from '../../../src/protocol/mikey/base-ticket.ts';
import { timestampRole } from '../../../src/protocol/mikey/code-points.ts';
import { readPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import {
  makeTimestamp,
  ntpSeconds,
  readMessageTime,
  timestampForIv,
  timestampMilliseconds,
} from '../../../src/protocol/mikey/timestamp.ts';
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
  receive,
  request,
  start,
} from './parties.ts';

const ntpTypes: readonly TimestampChoice[] = [{ type: 'ntp-utc' }, { type: 'ntp' }, { type: 'ntp-utc-32' }];

describe.each(ntpTypes)('T of type $type', (timestamp) => {
  it('serves every message of an exchange', async () => {
    const ticket = await obtain(makeKms(), alice, { timestamp });
    const { initiator, responder, received } = await connect({
      ticket,
      transfer: { timestamp },
      respond: { timestamp },
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    expect(received.timestamp).toBe(start);
  });

  it('reads the era of RFC 4330 (reading [A28])', () => {
    for (const now of [
      Date.UTC(1970, 0, 1),
      Date.UTC(2036, 1, 7, 6, 28, 15),
      Date.UTC(2036, 1, 7, 6, 28, 16),
      Date.UTC(2103, 0, 1),
    ]) {
      expect(timestampMilliseconds(makeTimestamp(now, timestamp), 'T')).toBe(now);
    }
  });

  it('is refused when it is not of now, by who is asked and by who is answered', async () => {
    const stale = request(alice, { timestamp, now: start - 301_000 });
    expect(await makeKms().handleTicketRequest(stale.message, start)).toMatchObject({
      outcome: 'refused',
      error: { kind: 'expired', hint: { mikey: 1 } },
    });
    const transfer = hand(await obtain(makeKms(), alice), alice, bob.identity, start, { timestamp });
    expect(failing(() => receive(transfer.message, bob, start + 302_000))).toMatchObject({ hint: { mikey: 1 } });
  });
});

describe('T of type COUNTER', () => {
  const counter = (value: number): TimestampChoice => ({ type: 'counter', value });

  it('is 32 bits and stands at the end of the IV’s 64', () => {
    expect(toHex(timestampForIv(makeTimestamp(0, counter(7))))).toBe('0000000000000007');
    expect(readMessageTime(makeTimestamp(0, counter(7)), 'T')).toEqual({ count: 7 });
    for (const value of [-1, 2 ** 32, 0.5]) {
      expect(failing(() => makeTimestamp(0, counter(value)))).toMatchObject({ kind: 'local' });
    }
  });

  it('must grow for each sender (reading [A29])', () => {
    const memory = new CounterMemory(2);
    expect(memory.advance(alice.identity, 5)).toBe(true);
    expect(memory.advance(alice.identity, 5)).toBe(false);
    expect(memory.advance(alice.identity, 4)).toBe(false);
    expect(memory.isFresh(alice.identity, 6)).toBe(true);
    expect(memory.advance(alice.identity, 6)).toBe(true);
    expect(memory.advance(bob.identity, 1)).toBe(true);
    // Full: a sender that cannot be remembered is refused rather than another forgotten.
    expect(memory.advance(carol.identity, 9)).toBe(false);
    expect(memory.advance(bob.identity, 2)).toBe(true);
    expect(failing(() => new CounterMemory(0))).toMatchObject({ kind: 'local' });
  });

  it('is taken by a KMS that counts with its users, once and in order', async () => {
    const kms = makeKms({ counters: new CounterMemory(10) });
    const ask = (value: number) =>
      kms.handleTicketRequest(request(alice, { timestamp: counter(value) }).message, start);
    expect(await ask(3)).toMatchObject({ outcome: 'answered' });
    for (const value of [3, 2]) {
      expect(await ask(value)).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 1 } } });
    }
    expect(await ask(4)).toMatchObject({ outcome: 'answered' });
    expect(await makeKms().handleTicketRequest(request(alice, { timestamp: counter(9) }).message, start)).toMatchObject(
      {
        outcome: 'refused',
        error: { hint: { mikey: 1 } },
      },
    );
  });

  it('is taken by a responder that keeps a memory, which an unproven message does not change', async () => {
    const counters = new CounterMemory(10);
    const isCounterFresh = (sender: typeof alice.identity, count: number) => counters.isFresh(sender, count);
    const ticket = await obtain(makeKms(), alice);
    const transfer = hand(ticket, alice, bob.identity, start, { timestamp: counter(1) });
    expect(failing(() => receive(transfer.message, bob))).toMatchObject({ hint: { mikey: 1 } });
    const received = receive(transfer.message, bob, start, { isCounterFresh });
    expect(received.messageTime).toEqual({ count: 1 });
    expect(received.timestamp).toBe(start);
    expect(() => receive(transfer.message, bob, start, { isCounterFresh })).not.toThrow();
    counters.advance(received.initiator, 1);
    expect(failing(() => receive(transfer.message, bob, start, { isCounterFresh }))).toMatchObject({
      hint: { mikey: 1 },
    });
  });

  it('of an answer may repeat the question’s, whatever the time', async () => {
    const ticket = await obtain(makeKms(), alice);
    const { initiator, responder } = await connect({
      ticket,
      transfer: { timestamp: counter(1) },
      receive: { isCounterFresh: () => true },
      respond: { timestamp: counter(1) },
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
    const update = initiator.startUpdate({ answerWanted: true, now: start });
    const t = decodeMessage(update.message).payloads.find((payload) => payload.payload === 'T')!;
    expect(readMessageTime(t, 'T')).toEqual({ count: 2 });
    update.accept(responder.receiveUpdate(update.message, start).respond({ now: start }), start);
  });

  it('cannot bound the life of a ticket (reading [A15])', async () => {
    const { policy } = (await obtain(makeKms(), alice)).ticketPayload;
    for (const role of [timestampRole.start, timestampRole.end]) {
      const parameters = policy.parameters.map((one) =>
        one.payload === 'TR' && one.role === role ? { ...one, timestampType: 2 } : one,
      );
      expect(failing(() => readPolicy({ ...policy, parameters }))).toMatchObject({ hint: { mikey: 15 } });
    }
  });

  it('may date a ticket, which then tells no time of issue', async () => {
    const ticket = await obtain(makeKms(), alice);
    const ticketData = Uint8Array.from(ticket.ticketPayload.ticketData);
    // THDR of a base ticket takes three octets; T follows with its Next Payload, type and eight octets.
    const counting = Uint8Array.from([...ticketData.subarray(0, 4), 2, 0, 0, 0, 7, ...ticketData.subarray(13)]);
    expect(ticketIssuedAt({ ...ticket.ticketPayload, ticketData: counting })).toBeUndefined();
    expect(
      failing(() => openBaseTicket({ ...ticket.ticketPayload, ticketData: counting }, () => undefined)),
    ).toMatchObject({
      hint: { mikey: 14 },
    });
    const { header, payloads } = decodeMessage(hand(ticket, alice, bob.identity).message);
    const changed = payloads.map((one) => (one.payload === 'TICKET' ? { ...one, ticketData: counting } : one));
    expect(receive(encodeMessage({ header, payloads: changed }), bob).ticketIssuedAt).toBe(start - 300_000);
  });
});

describe('the life of a ticket', () => {
  it.each([
    { at: -300_001, kind: 'expired' },
    { at: -300_000, kind: undefined },
    { at: 24 * 3600_000, kind: undefined },
    { at: 24 * 3600_000 + 1, kind: 'expired' },
  ])('holds both of its ends (reading [A15]), at $at ms', async ({ at, kind }) => {
    const ticket = await obtain(makeKms(), alice);
    const use = () => hand(ticket, alice, bob.identity, start + at);
    if (kind === undefined) expect(use).not.toThrow();
    else expect(failing(use)).toMatchObject({ kind });
  });

  it('has no bound where none is named', async () => {
    const { policy } = (await obtain(makeKms(), alice)).ticketPayload;
    const parameters = policy.parameters.filter((one) => one.payload !== 'TR');
    expect(readPolicy({ ...policy, parameters })).toMatchObject({ validFrom: undefined, validUntil: undefined });
  });

  it('ignores a time of issue in the policy (reading [A35])', async () => {
    const { policy } = (await obtain(makeKms(), alice)).ticketPayload;
    const issued = { payload: 'TR', role: timestampRole.issue, timestampType: 3, value: ntpSeconds(0) } as const;
    expect(readPolicy({ ...policy, parameters: [...policy.parameters, issued] }).validFrom).toBe(start - 300_000);
  });
});
