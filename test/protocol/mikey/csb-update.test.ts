import { describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import {
  decodeMessage,
  encodeMessage,
  messageTicketFlags,
  msrpTicketFlags,
  readErrorMessage,
  type CryptoSessionBundle,
  type StartUpdateOptions,
  type TicketFlags,
} from '../../../src/protocol/mikey/index.ts';
import { BundleTimestamps } from '../../../src/protocol/mikey/bundle-timestamps.ts';
import { makeTimestamp, ntpTimestamp, timestampOrder } from '../../../src/protocol/mikey/timestamp.ts';
import { alice, connect, failing, hand, keyOf, makeKms, obtain, bob, start, suppliedKey } from './parties.ts';

const tls = 241;
const supplying: TicketFlags = { ...msrpTicketFlags, L: true, M: true };
const kms = makeKms({ rules: { suppliedKeys: true } });

async function established(flags: TicketFlags = supplying) {
  const ticket = await obtain(kms, alice, { flags, keyKind: flags.F ? 'TGK' : 'GTGK' });
  return connect({
    ticket,
    transfer: { answers: { moreSessions: true } },
    receive: { peer: {} },
  });
}

type Ends = readonly [from: CryptoSessionBundle, to: CryptoSessionBundle];
const directions = [
  {
    name: 'the initiator',
    order: (ends: Awaited<ReturnType<typeof established>>): Ends => [ends.initiator, ends.responder],
  },
  {
    name: 'the responder',
    order: (ends: Awaited<ReturnType<typeof established>>): Ends => [ends.responder, ends.initiator],
  },
];

const session = { csId: 1, protType: tls, policies: [0] };

describe.each(directions)('a CSB update that $name starts', ({ order }) => {
  it('brings a new key at once when no answer is wanted (V=0)', async () => {
    const [from, to] = order(await established());
    const before = keyOf(from);
    const key = suppliedKey('TGK');
    const update = from.startUpdate({ answerWanted: false, keys: [key], sessions: [session], now: start + 1 });
    expect(decodeMessage(update.message).header.answerWanted).toBe(false);
    const received = to.receiveUpdate(update.message, start + 2);
    expect(received).toMatchObject({ answerWanted: false, keyCount: 1 });
    expect(keyOf(from)).toBe(keyOf(to));
    expect(keyOf(from)).not.toBe(before);
    expect(from.sessions[0]!.spi).toEqual(key.spi);
    expect(failing(() => received.respond({ now: start }))).toMatchObject({ kind: 'local' });
    expect(failing(() => update.accept(new Uint8Array(), start))).toMatchObject({ kind: 'local' });
  });

  it('holds after the answer when one is wanted (V=1)', async () => {
    const [from, to] = order(await established());
    const before = keyOf(from);
    const update = from.startUpdate({
      answerWanted: true,
      keys: [suppliedKey('TGK')],
      sessions: [session],
      now: start,
    });
    const received = to.receiveUpdate(update.message, start);
    expect([keyOf(from), keyOf(to)]).toEqual([before, before]);
    const answer = received.respond({ now: start });
    update.accept(answer, start);
    expect(keyOf(from)).toBe(keyOf(to));
    expect(keyOf(from)).not.toBe(before);
    expect(failing(() => update.accept(answer, start))).toMatchObject({ kind: 'local' });
    expect(failing(() => received.respond({ now: start }))).toMatchObject({ kind: 'local' });
  });

  it('takes the key of the answer before its own (reading [A36])', async () => {
    const [from, to] = order(await established());
    const theirs = suppliedKey('TEK');
    const update = from.startUpdate({
      answerWanted: true,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start,
    });
    const answer = to
      .receiveUpdate(update.message, start)
      .respond({ now: start, keys: [theirs], spis: new Map([[1, theirs.spi]]) });
    update.accept(answer, start);
    expect(keyOf(from).split(' ')[1]).toBe(theirs.key.use(toHex));
    expect(keyOf(from)).toBe(keyOf(to));
  });

  it('keeps working update after update, and never repeats a T, however still the clock stands (reading [A20])', async () => {
    const [from, to] = order(await established());
    const seen = new Set<bigint>();
    const takeTime = (message: Uint8Array) => {
      const timestamp = decodeMessage(message).payloads.find((payload) => payload.payload === 'T')!;
      const value = timestampOrder(timestamp);
      expect(seen.has(value)).toBe(false);
      seen.add(value);
    };
    for (let round = 0; round < 5; round++) {
      for (const [sender, receiver] of [[from, to] as const, [to, from] as const]) {
        const options = { answerWanted: true, keys: [suppliedKey('GTGK')], sessions: [session], now: start };
        const update = sender.startUpdate(options);
        takeTime(update.message);
        const answer = receiver.receiveUpdate(update.message, start).respond({ now: start });
        takeTime(answer);
        update.accept(answer, start);
        expect(keyOf(sender)).toBe(keyOf(receiver));
      }
    }
  });

  it('may cross one of the other end: both ends agree on the later', async () => {
    const [from, to] = order(await established());
    const one = from.startUpdate({
      answerWanted: false,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start + 5,
    });
    const other = to.startUpdate({
      answerWanted: false,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start + 5,
    });
    to.receiveUpdate(one.message, start + 6);
    from.receiveUpdate(other.message, start + 6);
    expect(keyOf(from)).toBe(keyOf(to));
  });

  it('counts as later than what its sender has seen, even when the sender’s clock is behind', async () => {
    const [from, to] = order(await established());
    const first = from.startUpdate({
      answerWanted: false,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start,
    });
    to.receiveUpdate(first.message, start - 60_000);
    const key = suppliedKey('TEK');
    const second = to.startUpdate({ answerWanted: false, keys: [key], sessions: [session], now: start - 60_000 });
    from.receiveUpdate(second.message, start);
    expect(keyOf(from).split(' ')[1]).toBe(key.key.use(toHex));
    expect(keyOf(from)).toBe(keyOf(to));
  });

  it('is refused the second time, and when it is old', async () => {
    const [from, to] = order(await established());
    const update = from.startUpdate({
      answerWanted: false,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start,
    });
    to.receiveUpdate(update.message, start);
    const key = keyOf(to);
    expect(failing(() => to.receiveUpdate(update.message, start))).toMatchObject({ hint: { mikey: 1 } });
    const late = from.startUpdate({ answerWanted: false, keys: [suppliedKey('TEK')], sessions: [session], now: start });
    expect(failing(() => to.receiveUpdate(late.message, start + 301_000))).toMatchObject({ hint: { mikey: 1 } });
    expect(keyOf(to)).toBe(key);
  });

  it('in any octet changed is refused and changes nothing', async () => {
    const [from, to] = order(await established());
    const update = from.startUpdate({
      answerWanted: true,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start,
    });
    const before = keyOf(to);
    for (let position = 0; position < update.message.length; position++) {
      const changed = Uint8Array.from(update.message);
      changed[position]! ^= 0x41;
      failing(() => to.receiveUpdate(changed, start));
      failing(() => to.receiveUpdate(update.message.subarray(0, position), start));
    }
    expect(keyOf(to)).toBe(before);
    const answer = to.receiveUpdate(update.message, start).respond({ now: start });
    for (let position = 0; position < answer.length; position++) {
      const changed = Uint8Array.from(answer);
      changed[position]! ^= 0x41;
      failing(() => update.accept(changed, start));
    }
    expect(keyOf(from)).toBe(before);
    update.accept(answer, start);
    expect(keyOf(from)).toBe(keyOf(to));
  });

  it('may be refused with an authentic Error, after which nothing has changed', async () => {
    const [from, to] = order(await established());
    const before = keyOf(from);
    const update = from.startUpdate({
      answerWanted: true,
      keys: [suppliedKey('TEK')],
      sessions: [session],
      now: start,
    });
    const received = to.receiveUpdate(update.message, start);
    const answer = received.refuse(new Error('busy'), start);
    expect(failing(() => update.accept(answer, start))).toMatchObject({ kind: 'policy-denied', hint: { mikey: 12 } });
    expect(failing(() => update.accept(answer, start)).message).not.toContain('not authenticated');
    expect([keyOf(from), keyOf(to)]).toEqual([before, before]);
  });

  it('cannot bring keys without its flag', async () => {
    const allowed = order(await established());
    const [from, to] = order(await established({ ...msrpTicketFlags, L: false, M: false }));
    const options: StartUpdateOptions = { answerWanted: false, keys: [suppliedKey('TEK')], now: start };
    expect(failing(() => from.startUpdate(options))).toMatchObject({ kind: 'local', field: 'transfer.keys' });
    expect(() => allowed[0].startUpdate(options)).not.toThrow();
    // Without keys an update may still change the sessions.
    const spi = to.sessions[0]!.spi;
    const update = from.startUpdate({ answerWanted: false, sessions: [{ ...session, spi }], now: start });
    expect(to.receiveUpdate(update.message, start).sessions).toHaveLength(1);
  });

  it('without an answer must leave no session without key', async () => {
    const [from] = order(await established());
    const keyless = { ...session, spi: Uint8Array.of(9, 9) };
    expect(failing(() => from.startUpdate({ answerWanted: false, sessions: [keyless], now: start }))).toMatchObject({
      kind: 'local',
      field: 'bundle.sessions',
    });
  });
});

describe('sessions that an update adds', () => {
  it('are taken by who expects them', async () => {
    const ends = await established();
    const added = { csId: 2, protType: tls, policies: [0] };
    const options = { answerWanted: false, keys: [suppliedKey('TGK')], sessions: [added], now: start };
    expect(
      failing(() => ends.responder.receiveUpdate(ends.initiator.startUpdate(options).message, start)),
    ).toMatchObject({
      field: 'mikey.update.sessions',
    });
    const others = await established();
    const fromResponder = others.responder.startUpdate({ ...options, keys: [suppliedKey('TGK')] });
    others.initiator.receiveUpdate(fromResponder.message, start);
    expect(keyOf(others.initiator, 2)).toBe(keyOf(others.responder, 2));
  });

  it('need a key in the answer where the question brings none', async () => {
    const { initiator, responder } = await established();
    const open = { csId: 1, protType: tls, policies: [], spi: Uint8Array.of(8) };
    const update = initiator.startUpdate({ answerWanted: true, sessions: [open], now: start });
    const received = responder.receiveUpdate(update.message, start);
    expect(failing(() => received.respond({ now: start }))).toMatchObject({ kind: 'local', field: 'bundle.keys' });
    const key = suppliedKey('TEK', { spi: Uint8Array.of(8) });
    update.accept(received.respond({ now: start, keys: [key] }), start);
    expect(keyOf(initiator)).toBe(keyOf(responder));
  });
});

describe('what an update may not hold', () => {
  it('is a TICKET or a RAND that is new, even from who knows the keys', async () => {
    const { initiator, responder, transfer } = await established();
    // The initial TRANSFER_INIT again has the CSB ID of the bundle, but other keys protect updates.
    expect(failing(() => responder.receiveUpdate(transfer.message, start))).toMatchObject({
      field: 'mikey.TRANSFER_INIT.V',
    });
    const oneWay = await established({ ...messageTicketFlags, L: true });
    expect(failing(() => oneWay.responder.receiveUpdate(oneWay.transfer.message, start))).toMatchObject({
      field: 'mikey.TRANSFER_INIT.V',
    });
    expect(keyOf(initiator)).toBe(keyOf(responder));
  });

  it('is another CSB ID, data type or PRF', async () => {
    const { initiator, responder } = await established();
    const update = initiator.startUpdate({ answerWanted: true, now: start });
    const { header, payloads } = decodeMessage(update.message);
    const changed = (change: Partial<typeof header>) => encodeMessage({ header: { ...header, ...change }, payloads });
    const rows = [
      { change: { csbId: (header.csbId ^ 1) >>> 0 }, field: 'mikey.update.csbId' },
      { change: { dataType: 15 }, field: 'mikey.update.dataType' },
      { change: { prf: 0 }, field: 'mikey.update.prf' },
    ];
    for (const { change, field } of rows) {
      expect(failing(() => responder.receiveUpdate(changed(change), start))).toMatchObject({ field });
    }
  });

  it('is answered with an Error, authentic where the update was', async () => {
    const { initiator, responder } = await established();
    const update = initiator.startUpdate({ answerWanted: true, now: start });
    const failure = failing(() => responder.receiveUpdate(update.message.subarray(0, 40), start));
    const unproven = responder.errorFor(update.message.subarray(0, 40), failure, start)!;
    expect(readErrorMessage(unproven).errorNumbers).toEqual([13]);
    expect(decodeMessage(unproven).payloads.some(({ payload }) => payload === 'V')).toBe(false);
    const proven = responder.errorFor(update.message, failure, start)!;
    expect(decodeMessage(proven).payloads.at(-1)?.payload).toBe('V');
    expect(responder.errorFor(proven, failure, start)).toBeUndefined();
  });
});

describe('the rekeying interval', () => {
  it('counts from the last new key, and keys are not used after it', async () => {
    const ticket = await obtain(kms, alice, { flags: supplying, rekeyingSeconds: 60 });
    const { initiator, responder } = await connect({ ticket });
    expect(initiator.rekeyBy).toBe(start + 60_000);
    expect(failing(() => initiator.sessionKey(1, { now: start + 60_001 }))).toMatchObject({ field: 'bundle.TRr' });
    const options = { answerWanted: false, keys: [suppliedKey('TEK')], sessions: [session], now: start + 50_000 };
    responder.receiveUpdate(initiator.startUpdate(options).message, start + 50_000);
    expect([initiator.rekeyBy, responder.rekeyBy]).toEqual([start + 110_000, start + 110_000]);
    expect(() => initiator.sessionKey(1, { now: start + 60_001 })).not.toThrow();
  });
});

describe('timestamps of a bundle', () => {
  it('have the parity of the role, so that two ends at one moment differ', () => {
    const initiator = new BundleTimestamps('initiator', undefined, undefined);
    const responder = new BundleTimestamps('responder', undefined, undefined);
    const [mine, theirs] = [initiator.next(start), responder.next(start)];
    expect(timestampOrder(mine)).not.toBe(timestampOrder(theirs));
    expect(() => initiator.take(theirs, start, 'T')).not.toThrow();
    expect(() => responder.take(mine, start, 'T')).not.toThrow();
  });

  it('count on where both ends counted, within 32 bits; else they tell the time', () => {
    const counting = makeTimestamp(start, { type: 'counter', value: 7 });
    const timestamps = new BundleTimestamps('responder', counting, undefined);
    const next = timestamps.next(start);
    expect(next.timestampType).toBe(2);
    expect(timestampOrder(next)).toBe(9n);
    expect(new BundleTimestamps('responder', counting, ntpTimestamp(start)).next(start).timestampType).toBe(0);
    const last = makeTimestamp(start, { type: 'counter', value: 2 ** 32 - 1 });
    expect(() => new BundleTimestamps('responder', last, undefined).next(start)).toThrow(/new Ticket Transfer/);
  });

  it('of the other end are refused where one of ours has the same 64 bits', () => {
    const timestamps = new BundleTimestamps('initiator', undefined, undefined);
    const own = timestamps.next(start);
    expect(failing(() => timestamps.take(own, start, 'T'))).toMatchObject({ hint: { mikey: 1 } });
  });

  it('end: a bundle takes no endless number of updates', () => {
    const timestamps = new BundleTimestamps('initiator', undefined, undefined);
    for (let count = 0; count < 1000; count++) timestamps.next(start);
    expect(failing(() => timestamps.next(start))).toMatchObject({ kind: 'policy-denied' });
    expect(failing(() => timestamps.take(ntpTimestamp(start + 5), start, 'T'))).toMatchObject({
      kind: 'policy-denied',
    });
  });
});

it('a one-way transfer (F=0) can be updated too, under the keys of TRANSFER_INIT', async () => {
  const { initiator, responder } = await established({ ...messageTicketFlags, L: true });
  const update = initiator.startUpdate({
    answerWanted: false,
    keys: [suppliedKey('TEK')],
    sessions: [session],
    now: start + 1,
  });
  responder.receiveUpdate(update.message, start + 1);
  expect(keyOf(initiator)).toBe(keyOf(responder));
  const ticket = await obtain(kms, alice);
  expect(() => hand(ticket, alice, bob.identity).bundle()).toThrow(/made from an answer/);
});
