import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { limits } from '../../../src/engine/limits.ts';
import type { EnginePorts, KmsExchange, KmsReply } from '../../../src/engine/ports.ts';
import { FullJitter } from '../../../src/engine/tickets/full-jitter.ts';
import { createStaticPskCredential } from '../../../src/engine/tickets/kms-credential.ts';
import type { KmsState } from '../../../src/engine/tickets/kms-state.ts';
import { TicketService } from '../../../src/engine/tickets/ticket-service.ts';
import {
  identityText,
  makeTicket,
  msrpTicketFlags,
  uriIdentity,
  type KmsMachine,
  type ReceivedTransfer,
} from '../../../src/protocol/mikey/index.ts';
import { alice, bob, hand, kmsIdentity, makeKms, obtain, receive, start } from '../../protocol/mikey/parties.ts';
import { settle } from '../support/world.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const bobUri = identityText(bob.identity);
const minute = 60_000;
const kmsConfig = {
  address: { url: 'https://kms.lab.test', bodyEncoding: 'base64' },
  identity: identityText(kmsIdentity),
  credential: { mode: 'static-psk', pskId: 'alice-key' },
  suite: '256',
} as const;

let clock: FakeClock;
let machine: KmsMachine;
/** What the KMS's clock shows more than ours. */
let ahead: number;
let asked: { kind: KmsExchange; at: number }[];
let states: KmsState[];
/** Instead of the KMS. */
let fail: ((kind: KmsExchange) => KmsReply | Error | undefined) | undefined;

beforeEach(() => {
  clock = new FakeClock(start);
  machine = makeKms();
  ahead = 0;
  asked = [];
  states = [];
  fail = undefined;
});

function makeService(who = alice, seed = 'link'): TicketService {
  const ports = {
    clock,
    random: seededRandom(seed),
    log: silentLogger,
    keyManagement: {
      exchange: async (kind: KmsExchange, _kms: unknown, message: Uint8Array): Promise<KmsReply> => {
        asked.push({ kind, at: clock.now() });
        await Promise.resolve();
        const failure = fail?.(kind);
        if (failure instanceof Error) throw failure;
        if (failure !== undefined) return failure;
        const now = clock.now() + ahead;
        const outcome = await (kind === 'ticketrequest'
          ? machine.handleTicketRequest(message, now)
          : machine.handleTicketResolve(message, now));
        if (outcome.outcome === 'answered' || outcome.outcome === 'refused') {
          return { status: 200, message: outcome.message };
        }
        return { status: outcome.outcome === 'forbidden' ? 403 : 401, message: undefined };
      },
    },
  } as Partial<EnginePorts> as EnginePorts;
  const credential = createStaticPskCredential(`${identityText(who.identity)}-key`, who.psk);
  const own = { ...credential, current: async () => ({ ...(await credential.current(0)), pskId: who.pskId }) };
  const service = new TicketService({ ports, self: identityText(who.identity), kms: kmsConfig, credential: own });
  service.events.on('state', (state) => states.push(state));
  return service;
}

const contact = (index: number): string => `sip:contact${index}@lab.test`;
const down = (): Error => new Error('connection refused');

async function pass(milliseconds: number, step: number): Promise<void> {
  for (let gone = 0; gone < milliseconds; gone += step) {
    clock.advance(step);
    await settle();
  }
}

describe('a KMS that is away', () => {
  it('is asked once for many questions, by one probe at a time, with growing bounds and no common rhythm', async () => {
    const service = makeService();
    fail = down;
    await Promise.allSettled(Array.from({ length: 20 }, (_, index) => service.ticketFor(contact(index), 'message')));
    const first = asked.length;
    expect(first).toBeLessThanOrEqual(limits.kmsExchangesAtOnce);
    expect(states.map(({ state }) => state)).toEqual(['unreachable']);
    const refused = await service.ticketFor(contact(1), 'message').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'kms-unreachable', details: { nextAttempt: states[0]?.nextAttempt } });
    expect(asked.length).toBe(first);
    await pass(60 * minute, 1_000);
    const probes = asked.slice(first);
    expect(new Set(probes.map(({ at }) => at)).size).toBe(probes.length);
    // Full jitter up to five minutes: two and a half on average, and more often in the beginning.
    expect(probes.length).toBeGreaterThan(12);
    expect(probes.length).toBeLessThan(60);
    await service.stop();
    expect(clock.waiting).toBe(0);
  });

  it('resets its pauses and tells everybody when it answers again', async () => {
    const service = makeService();
    let available = 0;
    service.events.on('available', () => available++);
    fail = down;
    await service.ticketFor(bobUri, 'message').catch(() => undefined);
    await pass(20 * minute, 1_000);
    fail = undefined;
    await pass(limits.kmsBackOffLongestMilliseconds, 1_000);
    expect(service.state).toMatchObject({ state: 'ready' });
    expect(service.state).not.toHaveProperty('nextAttempt');
    expect(available).toBe(1);
    fail = down;
    await service.ticketFor(contact(1), 'message').catch(() => undefined);
    expect((service.state.nextAttempt ?? Infinity) - clock.now()).toBeLessThanOrEqual(
      limits.kmsBackOffFirstMilliseconds,
    );
    await service.stop();
  });

  it.each([
    [120, 120],
    [10 ** 8, limits.kmsRetryAfterSeconds],
  ])('that asks for %d s is left alone for %d s', async (retryAfterSeconds, seconds) => {
    const service = makeService();
    fail = () => ({ status: 503, message: undefined, retryAfterSeconds });
    await service.ticketFor(bobUri, 'message').catch(() => undefined);
    fail = undefined;
    clock.advance(seconds * 1000 - 1);
    await settle();
    expect(asked.length).toBe(1);
    await pass(seconds * 100 + 1_000, 1_000);
    expect(asked.length).toBe(2);
    expect(service.state.state).toBe('ready');
    await service.stop();
  });

  it('is asked at once when the user says so', async () => {
    const service = makeService();
    fail = () => ({ status: 503, message: undefined, retryAfterSeconds: 600 });
    await service.ticketFor(bobUri, 'message').catch(() => undefined);
    expect(await service.retry()).toMatchObject({ state: 'unreachable' });
    expect(asked.length).toBe(2);
    fail = undefined;
    expect(await service.retry()).toMatchObject({ state: 'ready' });
    expect(asked.length).toBe(3);
    await service.stop();
  });

  it('is not believed away because the road to the KMS of a foreign ticket is blocked', async () => {
    const ticket = await obtain(machine, alice);
    const received = receive(hand(ticket, alice, bob.identity).message, bob);
    const service = makeService(bob);
    fail = (kind) => (kind === 'ticketresolve' ? { status: 502, message: undefined } : undefined);
    await expect(service.resolve(received)).rejects.toMatchObject({ code: 'kms-unreachable' });
    expect(service.state.state).toBe('ready');
    await service.ticketFor(identityText(alice.identity), 'message');
    await service.stop();
  });

  // Profile 6.2 has 502 and 503 for it, and a stranger chooses which KMS a ticket names, and with that its Retry-After.
  it.each([502, 503, 504])('is not believed away because a foreign KMS is: HTTP status %d', async (status) => {
    const service = makeService(bob);
    fail = (kind) => (kind === 'ticketresolve' ? { status, message: undefined, retryAfterSeconds: 3600 } : undefined);
    await expect(service.resolve(foreignTransfer())).rejects.toMatchObject({ code: 'kms-unreachable' });
    expect(service.state.state).toBe('ready');
    await service.ticketFor(identityText(alice.identity), 'message');
    await service.stop();
  });

  it('is not believed away because strangers sent more messages than it lets this account resolve', async () => {
    const received = receive(hand(await obtain(machine, alice), alice, bob.identity).message, bob);
    const service = makeService(bob);
    fail = (kind) => (kind === 'ticketresolve' ? { status: 429, message: undefined, retryAfterSeconds: 1 } : undefined);
    await expect(service.resolve(received)).rejects.toMatchObject({ code: 'kms-unreachable' });
    expect(service.state.state).toBe('ready');
    await service.ticketFor(identityText(alice.identity), 'message');
    fail = () => ({ status: 429, message: undefined, retryAfterSeconds: 1 });
    await expect(service.ticketFor(contact(1), 'message')).rejects.toMatchObject({ code: 'kms-unreachable' });
    expect(service.state.state).toBe('unreachable');
    await service.stop();
  });

  it('is believed away when nothing answers, whatever it was asked', async () => {
    const service = makeService(bob);
    fail = down;
    await expect(service.resolve(foreignTransfer())).rejects.toMatchObject({ code: 'kms-unreachable' });
    expect(service.state.state).toBe('unreachable');
    await service.stop();
  });

  it('does not stay away for as long as a foreign KMS wants it', async () => {
    const service = makeService(bob);
    fail = down;
    await service.resolve(foreignTransfer()).catch(() => undefined);
    // The probe asks for the one question that is open.
    fail = () => ({ status: 503, message: undefined, retryAfterSeconds: 3600 });
    expect(await service.retry()).toMatchObject({ state: 'unreachable' });
    expect((service.state.nextAttempt ?? Infinity) - clock.now()).toBeLessThanOrEqual(
      limits.kmsBackOffLongestMilliseconds,
    );
    await service.stop();
  });
});

/** What a user of another KMS sends to Bob. */
function foreignTransfer(): ReceivedTransfer {
  const ticket = makeTicket({
    suite: '256',
    tpk: { id: alice.pskId, key: alice.psk },
    initiator: alice.identity,
    kms: uriIdentity('sip:kms.elsewhere.test'),
    responders: [bob.identity],
    flags: { ...msrpTicketFlags, D: false, L: true },
    keys: [{ kind: 'TGK' }],
    validFrom: start - minute,
    validUntil: start + 60 * minute,
    now: start,
    random: seededRandom('elsewhere'),
  });
  return receive(hand(ticket, alice, bob.identity).message, bob);
}

describe('a KMS that refuses', () => {
  it('the key of the account is a state, the question of one contact is none', async () => {
    const service = makeService();
    fail = () => ({ status: 403, message: undefined });
    await expect(service.ticketFor(bobUri, 'message')).rejects.toMatchObject({ code: 'kms-refused' });
    expect(service.state.state).toBe('ready');
    fail = () => ({ status: 401, message: undefined });
    await expect(service.ticketFor(bobUri, 'message')).rejects.toMatchObject({ code: 'kms-refused' });
    expect(service.state.state).toBe('refused');
    fail = undefined;
    expect(await service.retry()).toMatchObject({ state: 'ready' });
    await service.stop();
  });

  it('is not made to look so by a message that a stranger forged', async () => {
    const service = makeService(bob);
    const { message } = hand(await obtain(machine, alice), alice, bob.identity);
    const forged = receive(message.with(message.length - 1, (message.at(-1) ?? 0) ^ 1), bob);
    await expect(service.resolve(forged)).rejects.toMatchObject({ code: 'kms-answer-invalid' });
    expect(service.state.state).toBe('ready');
    await service.stop();
  });
});

it('copies of one message are resolved together', async () => {
  const service = makeService(bob);
  const { message } = hand(await obtain(machine, alice), alice, bob.identity);
  await Promise.all([service.resolve(receive(message, bob)), service.resolve(receive(message, bob))]);
  expect(asked.length).toBe(1);
  await service.stop();
});

describe('the clock of the KMS', () => {
  it.each([20 * minute, -20 * minute])('%d ms from ours is learnt from its refusal, and used', async (difference) => {
    const service = makeService();
    ahead = difference;
    const ticket = await service.ticketFor(bobUri, 'message');
    expect(asked.length).toBe(2);
    expect(service.now() - clock.now()).toBe(difference);
    expect(ticket.validUntil).toBeGreaterThan(start + difference);
    expect(service.state).toMatchObject({ state: 'ready', clockOffsetSeconds: difference / 1000 });
    await service.ticketFor(contact(1), 'message');
    expect(asked.length).toBe(3);
    await service.stop();
  });

  it('is not learnt from what nothing proves', async () => {
    const service = makeService();
    const question = await obtain(machine, alice);
    fail = () => ({ status: 200, message: Uint8Array.from(question.ticketPayload.ticketData) });
    await expect(service.ticketFor(bobUri, 'message')).rejects.toMatchObject({ code: 'kms-answer-invalid' });
    expect(service.now()).toBe(clock.now());
    await service.stop();
  });

  it('keeps a ticket from living longer when ours is set back', async () => {
    const service = makeService();
    await service.ticketFor(bobUri, 'message');
    clock.advance(3 * 24 * 60 * minute);
    await service.ticketFor(contact(1), 'message');
    const proven = service.now();
    // As a user would set it: the same service on a clock that shows last week.
    const before = clock.now.bind(clock);
    clock.now = () => before() - 7 * 24 * 60 * minute;
    expect(service.now()).toBe(proven);
    expect(service.now()).toBeGreaterThan(clock.now());
    await service.stop();
  });
});

it('full jitter stays between its bounds, and uses all of them', () => {
  const backOff = new FullJitter(seededRandom('jitter'));
  const pauses = Array.from({ length: 400 }, () => backOff.next());
  const late = pauses.slice(10);
  expect(Math.max(...late)).toBeLessThanOrEqual(limits.kmsBackOffLongestMilliseconds);
  expect(Math.max(...late)).toBeGreaterThan(limits.kmsBackOffLongestMilliseconds * 0.9);
  expect(Math.min(...late)).toBeLessThan(limits.kmsBackOffLongestMilliseconds * 0.1);
  expect(pauses[0]).toBeLessThanOrEqual(limits.kmsBackOffFirstMilliseconds);
  backOff.reset();
  expect(backOff.next()).toBeLessThanOrEqual(limits.kmsBackOffFirstMilliseconds);
});
