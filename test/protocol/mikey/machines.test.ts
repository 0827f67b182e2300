import { describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import {
  bytesIdentity,
  CounterMemory,
  decodeMessage,
  InitiatorMachine,
  makeTicket,
  messageTicketFlags,
  msrpTicketFlags,
  readErrorMessage,
  ReplayCache,
  ResponderMachine,
  uriIdentity,
  type CryptoSessionBundle,
  type InitiatorMachineOptions,
  type KmsAccess,
  type KmsMachine,
  type MachineAction,
  type MikeyIdentity,
  type ResponderMachineOptions,
} from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import {
  alice,
  bob,
  carol,
  hand,
  keyOf,
  kmsIdentity,
  makeKms,
  obtain,
  party,
  protTypes,
  repeatableRandom,
  start,
  suppliedKey,
  type Party,
} from './parties.ts';

/** A clock that only the test moves. */
class FakeClock {
  now = start;
}

const kmsAccess = (self: Party): KmsAccess => ({
  identity: kmsIdentity,
  suite: '256',
  credential: () => ({ psk: self.psk, pskId: self.pskId }),
});

const initiatorOf = (self: Party, changes: Partial<InitiatorMachineOptions> = {}) =>
  new InitiatorMachine({
    self: self.identity,
    kms: kmsAccess(self),
    flags: msrpTicketFlags,
    keys: [{ kind: 'TGK' }],
    startsBeforeIssueSeconds: profile.ticket.startsBeforeIssueSeconds,
    lifetimeSeconds: 3600,
    sessions: { protType: profile.mikey.protTypeTls, csId: 1 },
    sdpIds: 'mikey',
    maxCalls: 2,
    maxDialogs: 3,
    random: repeatableRandom(`initiator ${self.name}`),
    ...changes,
  });

const responderOf = (self: Party, device: string, changes: Partial<ResponderMachineOptions> = {}) =>
  new ResponderMachine({
    self: [self.identity],
    kms: kmsAccess(self),
    protTypes,
    replays: new ReplayCache(100),
    requireOrigin: true,
    maxPending: 2,
    maxDialogs: 2,
    random: repeatableRandom(`responder ${device}`),
    ...changes,
  });

type Of<Type extends MachineAction['type']> = Extract<MachineAction, { readonly type: Type }>;

function only<Type extends MachineAction['type']>(actions: readonly MachineAction[], type: Type): Of<Type> {
  const found = actions.filter((action): action is Of<Type> => action.type === type);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Alice's call up to TRANSFER_INIT, as it leaves for every device. */
async function invite(
  kms: KmsMachine,
  machine: InitiatorMachine,
  clock: FakeClock,
  call = 'call',
  to: MikeyIdentity = bob.identity,
) {
  const asking = only(machine.handle({ type: 'call', call, to }, clock.now), 'ask-kms');
  const granted = await kms.handleTicketRequest(asking.message, clock.now);
  if (granted.outcome !== 'answered') throw new Error(granted.outcome);
  const event = { type: 'kms-answer', question: asking.question, message: granted.message } as const;
  return only(machine.handle(event, clock.now), 'send').message;
}

/** A device takes TRANSFER_INIT and asks the KMS; its actions after the answer. */
async function take(kms: KmsMachine, machine: ResponderMachine, dialog: string, message: Uint8Array, clock: FakeClock) {
  const asking = only(machine.handle({ type: 'transfer-init', dialog, message }, clock.now), 'ask-kms');
  const outcome = await kms.handleTicketResolve(asking.message, clock.now);
  if (!('message' in outcome) || outcome.message === undefined) throw new Error(outcome.outcome);
  return machine.handle({ type: 'kms-answer', question: asking.question, message: outcome.message }, clock.now);
}

const tek = (bundle: CryptoSessionBundle): string => keyOf(bundle);

describe('an invitation that three devices answer', () => {
  const devices = ['phone', 'desk', 'tablet'];

  async function answeredByAll() {
    const clock = new FakeClock();
    const kms = makeKms();
    const initiator = initiatorOf(alice);
    const message = await invite(kms, initiator, clock);
    const answers = await Promise.all(
      devices.map(async (device) => {
        const machine = responderOf(bob, device);
        const actions = await take(kms, machine, device, message, clock);
        return { device, machine, answer: only(actions, 'send').message, established: only(actions, 'established') };
      }),
    );
    return { clock, kms, initiator, message, answers };
  }

  it('gives each dialog keys of its own', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const keys = answers.map(({ device, answer, established }) => {
      const action = only(
        initiator.handle({ type: 'answer', call: 'call', dialog: device, message: answer }, clock.now),
        'established',
      );
      expect(action.peer).toEqual(bob.identity);
      expect(established.originProven).toBe(true);
      expect(tek(action.bundle)).toBe(tek(established.bundle));
      return tek(action.bundle);
    });
    expect(new Set(keys).size).toBe(3);
  });

  it('ignores an answer that is repeated in its dialog, and refuses it in any other', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const [{ answer }] = answers as [(typeof answers)[0]];
    const event = { type: 'answer', call: 'call', dialog: 'phone', message: answer } as const;
    const first = only(initiator.handle(event, clock.now), 'established');
    const before = tek(first.bundle);
    expect(initiator.handle(event, clock.now)).toEqual([]);
    const copied = initiator.handle({ ...event, dialog: 'stranger' }, clock.now);
    expect(only(copied, 'refused').error.message).toContain('the answer of another dialog');
    expect(tek(first.bundle)).toBe(before);
  });

  it('refuses a second, different answer in a dialog that has its keys', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const [first, second] = answers as [(typeof answers)[0], (typeof answers)[0]];
    initiator.handle({ type: 'answer', call: 'call', dialog: 'phone', message: first.answer }, clock.now);
    const again = initiator.handle(
      { type: 'answer', call: 'call', dialog: 'phone', message: second.answer },
      clock.now,
    );
    expect(only(again, 'refused').error.message).toContain('the dialog has its keys');
  });

  it('refuses a late answer: after the call was settled, and after its time', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const [first, second] = answers as [(typeof answers)[0], (typeof answers)[0]];
    const taken = only(
      initiator.handle({ type: 'answer', call: 'call', dialog: 'phone', message: first.answer }, clock.now),
      'established',
    );
    clock.now += 301_000;
    const stale = initiator.handle({ type: 'answer', call: 'call', dialog: 'desk', message: second.answer }, clock.now);
    expect(only(stale, 'refused').error).toMatchObject({ kind: 'expired' });
    clock.now = start;
    initiator.handle({ type: 'call-settled', call: 'call' }, clock.now);
    const late = initiator.handle({ type: 'answer', call: 'call', dialog: 'desk', message: second.answer }, clock.now);
    expect(only(late, 'refused').error.message).toContain('an answer to no call');
    expect(() => tek(taken.bundle)).not.toThrow();
  });

  it('refuses a forged answer with an Error that nobody vouches for, and takes the true one after it', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const [{ answer, established }] = answers as [(typeof answers)[0]];
    const forged = Uint8Array.from(answer);
    forged[forged.length - 1]! ^= 1;
    const actions = initiator.handle({ type: 'answer', call: 'call', dialog: 'phone', message: forged }, clock.now);
    expect(only(actions, 'refused').error).toMatchObject({ hint: { mikey: 0 } });
    const error = only(actions, 'send').message;
    expect(readErrorMessage(error).errorNumbers).toEqual([0]);
    expect(decodeMessage(error).payloads.some(({ payload }) => payload === 'V')).toBe(false);
    const taken = initiator.handle({ type: 'answer', call: 'call', dialog: 'phone', message: answer }, clock.now);
    expect(tek(only(taken, 'established').bundle)).toBe(tek(established.bundle));
  });

  it('takes no more answers than it has room for', async () => {
    const { clock, kms, initiator, message, answers } = await answeredByAll();
    for (const { device, answer } of answers) {
      initiator.handle({ type: 'answer', call: 'call', dialog: device, message: answer }, clock.now);
    }
    const fourth = only(await take(kms, responderOf(bob, 'fourth'), 'fourth', message, clock), 'send').message;
    const actions = initiator.handle({ type: 'answer', call: 'call', dialog: 'fourth', message: fourth }, clock.now);
    expect(only(actions, 'refused').error.message).toContain('too many answers');
  });

  it('updates one dialog without the others, from either side', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const bundles = answers.map(({ device, answer }) =>
      only(
        initiator.handle({ type: 'answer', call: 'call', dialog: device, message: answer }, clock.now),
        'established',
      ),
    );
    const before = bundles.map(({ bundle }) => tek(bundle));
    const spi = bundles[0]!.bundle.sessions[0]!.spi;
    const session = { csId: 1, protType: profile.mikey.protTypeTls, policies: [0], spi };
    const update = bundles[0]!.bundle.startUpdate({ answerWanted: true, sessions: [session], now: clock.now });
    const event = { type: 'update', dialog: 'phone', message: update.message } as const;
    const actions = answers[0]!.machine.handle(event, clock.now);
    only(actions, 'updated');
    update.accept(only(actions, 'send').message, clock.now);
    // Meant for the phone, it means nothing to the desk's dialog.
    const wrong = answers[1]!.machine.handle({ ...event, dialog: 'desk' }, clock.now);
    expect(only(wrong, 'refused').error).toMatchObject({ hint: { mikey: 0 } });
    const back = answers[1]!.established.bundle.startUpdate({
      answerWanted: false,
      sessions: [session],
      now: clock.now,
    });
    only(initiator.handle({ type: 'update', dialog: 'desk', message: back.message }, clock.now), 'updated');
    expect(bundles.map(({ bundle }) => tek(bundle))).toEqual(before);
    expect(only(initiator.handle({ ...event, dialog: 'nobody' }, clock.now), 'refused').error.message).toContain(
      'no such dialog',
    );
  });

  it('wipes the keys of a dialog that ends', async () => {
    const { clock, initiator, answers } = await answeredByAll();
    const [{ answer, machine, established }] = answers as [(typeof answers)[0]];
    const taken = only(
      initiator.handle({ type: 'answer', call: 'call', dialog: 'phone', message: answer }, clock.now),
      'established',
    );
    initiator.handle({ type: 'dialog-ended', dialog: 'phone' }, clock.now);
    machine.handle({ type: 'dialog-ended', dialog: 'phone' }, clock.now);
    expect(() => tek(taken.bundle)).toThrow(/after dispose/);
    expect(() => tek(established.bundle)).toThrow(/after dispose/);
  });
});

describe('the responder machine', () => {
  it('takes a message once, even when it comes twice before the KMS answers', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const message = await invite(kms, initiatorOf(alice), clock);
    const machine = responderOf(bob, 'phone');
    const ask = (dialog: string) =>
      only(machine.handle({ type: 'transfer-init', dialog, message }, clock.now), 'ask-kms');
    const [one, two] = [ask('one'), ask('two')];
    const answerOf = async (asking: typeof one) => {
      const outcome = await kms.handleTicketResolve(asking.message, clock.now);
      if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
      return machine.handle({ type: 'kms-answer', question: asking.question, message: outcome.message }, clock.now);
    };
    only(await answerOf(one), 'established');
    const second = await answerOf(two);
    expect(only(second, 'refused').error).toMatchObject({ hint: { mikey: 1 } });
    // Proven by now, so the Error is too.
    expect(decodeMessage(only(second, 'send').message).payloads.at(-1)?.payload).toBe('V');
    const third = machine.handle({ type: 'transfer-init', dialog: 'three', message }, clock.now);
    expect(only(third, 'refused').error).toMatchObject({ hint: { mikey: 1 } });
  });

  it('remembers nothing of a message that the KMS does not vouch for', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const message = await invite(kms, initiatorOf(alice), clock);
    const machine = responderOf(bob, 'phone');
    const asking = only(machine.handle({ type: 'transfer-init', dialog: 'one', message }, clock.now), 'ask-kms');
    const forged = await kms.handleTicketResolve(asking.message, clock.now);
    if (forged.outcome !== 'answered') throw new Error(forged.outcome);
    forged.message[forged.message.length - 1]! ^= 1;
    const refused = machine.handle(
      { type: 'kms-answer', question: asking.question, message: forged.message },
      clock.now,
    );
    expect(only(refused, 'refused').error).toMatchObject({ hint: { mikey: 0 } });
    only(await take(kms, machine, 'one', message, clock), 'established');
  });

  it('asks the KMS only for so many at a time, and forgets what it gave up', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const messages = await Promise.all(
      ['a', 'b', 'c'].map((call) => invite(kms, initiatorOf(alice, { random: repeatableRandom(call) }), clock, call)),
    );
    const machine = responderOf(bob, 'phone');
    const event = (index: number) =>
      ({ type: 'transfer-init', dialog: `${index}`, message: messages[index]! }) as const;
    const first = only(machine.handle(event(0), clock.now), 'ask-kms');
    only(machine.handle(event(1), clock.now), 'ask-kms');
    expect(only(machine.handle(event(2), clock.now), 'refused').error.message).toContain('too many tickets');
    const failed = machine.handle({ type: 'kms-failed', question: first.question }, clock.now);
    expect(only(failed, 'refused').error).toMatchObject({ hint: { mikey: 14 } });
    expect(machine.handle({ type: 'kms-failed', question: first.question }, clock.now)).toEqual([]);
    machine.handle({ type: 'dialog-ended', dialog: '1' }, clock.now);
    only(machine.handle(event(2), clock.now), 'ask-kms');
    expect(machine.handle({ type: 'kms-answer', question: 99, message: messages[0]! }, clock.now)).toEqual([]);
  });

  it('takes no ticket that proves no origin where that is required, and none without KMS', async () => {
    const clock = new FakeClock();
    const plain = initiatorOf(alice, { flags: { ...msrpTicketFlags, I: false } });
    const message = await invite(makeKms(), plain, clock);
    const event = { type: 'transfer-init', dialog: 'one', message } as const;
    expect(only(responderOf(bob, 'a').handle(event, clock.now), 'refused').error).toMatchObject({
      hint: { mikey: 15 },
    });
    const alone = { ...responderOptions(), requireOrigin: false };
    delete alone.kms;
    expect(only(new ResponderMachine(alone).handle(event, clock.now), 'refused').error).toMatchObject({
      hint: { mikey: 14 },
    });
  });

  it('opens a ticket itself where it can (mode 4), and takes one-way messages without answering', () => {
    const clock = new FakeClock();
    const tpk = { id: bytesIdentity(utf8('shared')), key: new SecretBytes(repeatableRandom('tpk').bytes(32)) };
    const make = (flags: InitiatorMachineOptions['flags']) =>
      makeTicket({
        suite: '256',
        tpk,
        initiator: alice.identity,
        kms: kmsIdentity,
        responders: [bob.identity],
        flags,
        keys: [{ kind: 'GTGK' }],
        validFrom: start - 1000,
        validUntil: start + 1000,
        now: start,
        random: repeatableRandom('ticket'),
      });
    const shared = { D: false, E: false, I: false, L: true };
    for (const flags of [msrpTicketFlags, messageTicketFlags]) {
      const initiator = initiatorOf(alice, { kms: kmsAccess(alice) });
      const ticket = make({ ...flags, ...shared });
      const sent = only(initiator.handle({ type: 'call', call: 'call', to: bob.identity, ticket }, clock.now), 'send');
      const findTpk = () => ({ key: tpk.key, initiator: alice.identity });
      const machine = responderOf(bob, 'phone', { requireOrigin: false, findTpk });
      const actions = machine.handle({ type: 'transfer-init', dialog: 'one', message: sent.message }, clock.now);
      expect(only(actions, 'established').originProven).toBe(false);
      expect(actions.some(({ type }) => type === 'send')).toBe(flags.F);
    }
  });

  it('answers nothing to an Error, and an Error to anything else that is none of its messages', () => {
    const clock = new FakeClock();
    const machine = responderOf(bob, 'phone');
    const error = Uint8Array.from([1, 6, 5, 1, 0, 0, 0, 1, 0, 1, 12, 0, 237, 0, 55, 128, 0, 0, 0, 0, 0, 12, 0, 0]);
    expect(
      machine.handle({ type: 'transfer-init', dialog: 'one', message: error }, clock.now).map(({ type }) => type),
    ).toEqual(['refused']);
    const garbage = machine.handle(
      { type: 'transfer-init', dialog: 'one', message: new Uint8Array(12).fill(1) },
      clock.now,
    );
    expect(garbage.map(({ type }) => type)).toEqual(['refused', 'send']);
  });

  it('has keys for a dialog once, and room for so many dialogs and messages', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const messages = await Promise.all(
      ['a', 'b', 'c'].map((call) => invite(kms, initiatorOf(alice, { random: repeatableRandom(call) }), clock, call)),
    );
    const [first, second, third] = messages as [Uint8Array, Uint8Array, Uint8Array];
    const machine = responderOf(bob, 'phone', { maxSessions: 2, groups: [], peer: {}, maxDialogs: 1 });
    only(await take(kms, machine, 'one', first, clock), 'established');
    const again = machine.handle({ type: 'transfer-init', dialog: 'one', message: second }, clock.now);
    expect(only(again, 'refused').error.message).toContain('the dialog has its keys');
    const full = await take(kms, machine, 'two', second, clock);
    expect(only(full, 'refused').error.message).toContain('no room for another dialog');
    machine.handle({ type: 'dialog-ended', dialog: 'one' }, clock.now);
    only(await take(kms, machine, 'three', third, clock), 'established');

    const forgetful = responderOf(bob, 'desk', { replays: new ReplayCache(1) });
    only(await take(kms, forgetful, 'one', first, clock), 'established');
    expect(only(await take(kms, forgetful, 'two', second, clock), 'refused').error.message).toContain(
      'too many messages',
    );
  });

  it('asks a KMS of the weaker suite in the suite of the ticket, and keeps what other dialogs asked', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const weaker = { ...kmsAccess(alice), suite: '128' } as const;
    const calls = await Promise.all(
      ['a', 'b'].map((call) =>
        invite(kms, initiatorOf(alice, { kms: weaker, random: repeatableRandom(call) }), clock, call),
      ),
    );
    const machine = responderOf(bob, 'phone', { kms: { ...kmsAccess(bob), suite: '128' } });
    const [one, two] = calls.map((message, index) =>
      only(machine.handle({ type: 'transfer-init', dialog: `${index}`, message }, clock.now), 'ask-kms'),
    );
    expect(decodeMessage(one!.message).header.prf).toBe(0);
    machine.handle({ type: 'dialog-ended', dialog: '0' }, clock.now);
    const answer = async (asking: typeof one) => {
      const outcome = await kms.handleTicketResolve(asking!.message, clock.now);
      if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
      return machine.handle({ type: 'kms-answer', question: asking!.question, message: outcome.message }, clock.now);
    };
    expect(await answer(one)).toEqual([]);
    only(await answer(two), 'established');
  });

  it('takes a count once, and none that is lower', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const ticket = await obtain(kms, alice);
    const counted = (value: number): Uint8Array =>
      hand(ticket, alice, bob.identity, clock.now, { timestamp: { type: 'counter', value } }).message;
    const machine = responderOf(bob, 'phone', { counters: new CounterMemory(5) });
    const ask = (dialog: string, message: Uint8Array) =>
      only(machine.handle({ type: 'transfer-init', dialog, message }, clock.now), 'ask-kms');
    const messages = [counted(7), counted(6)];
    const [high, low] = messages.map((message, index) => ask(`${index}`, message));
    const answer = async (asking: typeof high) => {
      const outcome = await kms.handleTicketResolve(asking!.message, clock.now);
      if (outcome.outcome !== 'answered') throw new Error(`${outcome.outcome}: ${outcome.error.message}`);
      return machine.handle({ type: 'kms-answer', question: asking!.question, message: outcome.message }, clock.now);
    };
    only(await answer(high), 'established');
    expect(only(await answer(low), 'refused').error).toMatchObject({ hint: { mikey: 1 } });
    const without = responderOf(bob, 'desk').handle(
      { type: 'transfer-init', dialog: 'one', message: counted(8) },
      clock.now,
    );
    expect(only(without, 'refused').error).toMatchObject({ field: 'mikey.TRANSFER_INIT.T' });
  });

  it('counts with senders that count', async () => {
    const clock = new FakeClock();
    const counters = new CounterMemory(5);
    const machine = responderOf(bob, 'phone', { counters });
    const message = await invite(makeKms(), initiatorOf(alice), clock);
    only(await take(makeKms(), machine, 'one', message, clock), 'established');
    expect(counters.isFresh(alice.identity, 0)).toBe(true);
  });
});

function responderOptions(): ResponderMachineOptions {
  return {
    self: [bob.identity],
    kms: kmsAccess(bob),
    protTypes,
    replays: new ReplayCache(10),
    requireOrigin: true,
    maxPending: 1,
    maxDialogs: 1,
    random: repeatableRandom('alone'),
  };
}

describe('the initiator machine', () => {
  it('has room for so many calls, each with a name of its own', async () => {
    const clock = new FakeClock();
    const machine = initiatorOf(alice);
    await invite(makeKms(), machine, clock, 'one');
    const call = (name: string) => machine.handle({ type: 'call', call: name, to: bob.identity }, clock.now);
    expect(only(call('one'), 'refused').error.message).toContain('the call exists');
    const asking = only(call('two'), 'ask-kms');
    expect(only(call('three'), 'refused').error.message).toContain('too many calls');
    expect(only(machine.handle({ type: 'kms-failed', question: asking.question }, clock.now), 'refused').dialog).toBe(
      'two',
    );
    only(call('three'), 'ask-kms');
    machine.handle({ type: 'call-settled', call: 'three' }, clock.now);
    only(call('four'), 'ask-kms');
    expect(machine.handle({ type: 'kms-answer', question: 99, message: new Uint8Array() }, clock.now)).toEqual([]);
    expect(machine.handle({ type: 'kms-failed', question: 99 }, clock.now)).toEqual([]);
  });

  it('keeps what other calls asked, and gives a dialog of one call no keys of another', async () => {
    const clock = new FakeClock();
    const kms = makeKms();
    const machine = initiatorOf(alice);
    const askFor = (call: string) =>
      only(machine.handle({ type: 'call', call, to: bob.identity }, clock.now), 'ask-kms');
    const granted = async (asking: ReturnType<typeof askFor>) => {
      const outcome = await kms.handleTicketRequest(asking.message, clock.now);
      if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
      return machine.handle({ type: 'kms-answer', question: asking.question, message: outcome.message }, clock.now);
    };
    const [ended, kept] = [askFor('ended'), askFor('kept')];
    machine.handle({ type: 'call-settled', call: 'ended' }, clock.now);
    expect(await granted(ended)).toEqual([]);
    const first = only(await granted(kept), 'send').message;
    const second = only(await granted(askFor('second')), 'send').message;
    const answers = await Promise.all(
      [first, second].map(async (message, index) =>
        only(await take(kms, responderOf(bob, `${index}`), `${index}`, message, clock), 'send'),
      ),
    );
    const answer = (call: string, index: number) =>
      machine.handle({ type: 'answer', call, dialog: 'dialog', message: answers[index]!.message }, clock.now);
    only(answer('kept', 0), 'established');
    expect(only(answer('second', 1), 'refused').error.message).toContain('a dialog of another call');
    const notSdp = initiatorOf(alice, { random: repeatableRandom('no SDP') });
    expect(notSdp.handle({ type: 'answer', call: 'none', dialog: 'd', message: first }, clock.now)).toMatchObject([
      { type: 'refused', error: { field: 'mikey.initiator.call' } },
    ]);
  });

  it('ends a call whose ticket is refused, and asks nobody without a KMS', async () => {
    const clock = new FakeClock();
    const machine = initiatorOf(alice);
    const asking = only(machine.handle({ type: 'call', call: 'call', to: bob.identity }, clock.now), 'ask-kms');
    const outcome = await makeKms({ mayRequest: false }).handleTicketRequest(asking.message, clock.now);
    if (outcome.outcome !== 'forbidden') throw new Error(outcome.outcome);
    const refused = machine.handle(
      { type: 'kms-answer', question: asking.question, message: outcome.message },
      clock.now,
    );
    expect(only(refused, 'refused').error).toMatchObject({ kind: 'policy-denied', hint: { mikey: 7 } });
    const alone = {
      self: alice.identity,
      flags: msrpTicketFlags,
      keys: [{ kind: 'TGK' }] as const,
      startsBeforeIssueSeconds: 300,
      lifetimeSeconds: 3600,
      sessions: { protType: 241, csId: 1 },
      maxCalls: 1,
      maxDialogs: 1,
      random: repeatableRandom('alone'),
    };
    const silent = new InitiatorMachine(alone).handle({ type: 'call', call: 'call', to: bob.identity }, clock.now);
    expect(only(silent, 'refused').error.message).toContain('no KMS');
  });
});

describe('a ticket for several', () => {
  const group = uriIdentity('sip:support@lab.test');
  const members = [bob, carol];
  const isMember = (name: string): boolean => members.some((member) => member.name === name);

  it('of one group: whoever of it answers has keys of its own, under the name of the group', async () => {
    const clock = new FakeClock();
    const kms = makeKms({
      directory: {
        responderFor: (user, responders) =>
          responders.find((one) => user.owns(one) || (toHex(one.data) === toHex(group.data) && isMember(user.name))),
      },
    });
    const initiator = initiatorOf(alice);
    const message = await invite(kms, initiator, clock, 'call', group);
    const keys = await Promise.all(
      members.map(async (member) => {
        const machine = responderOf(member, member.name, { groups: [group] });
        const actions = await take(kms, machine, member.name, message, clock);
        const event = {
          type: 'answer',
          call: 'call',
          dialog: member.name,
          message: only(actions, 'send').message,
        } as const;
        const taken = only(initiator.handle(event, clock.now), 'established');
        expect(taken.peer).toEqual(group);
        expect(tek(taken.bundle)).toBe(tek(only(actions, 'established').bundle));
        return tek(taken.bundle);
      }),
    );
    expect(new Set(keys).size).toBe(2);
    const stranger = party('mallory');
    const outsider = responderOf(stranger, 'outsider', { groups: [group] });
    const withStranger = makeKms({ parties: [alice, bob, carol, stranger] });
    const asking = only(outsider.handle({ type: 'transfer-init', dialog: 'x', message }, clock.now), 'ask-kms');
    expect(await withStranger.handleTicketResolve(asking.message, clock.now)).toMatchObject({ outcome: 'forbidden' });
  });

  it('where the KMS puts the member’s own name (RFC 6043 4.2.3.5): taken only by who expects members of groups', async () => {
    const clock = new FakeClock();
    const kms = makeKms({
      directory: {
        responderFor: (user, responders) => (responders.length > 0 && isMember(user.name) ? user.identity : undefined),
      },
    });
    for (const groupMembers of [false, true]) {
      const initiator = initiatorOf(alice, { answers: { groupMembers } });
      const message = await invite(makeKms({ directory: {} }), initiator, clock, 'call', group);
      const actions = await take(kms, responderOf(bob, `b${groupMembers}`, { groups: [group] }), 'bob', message, clock);
      const event = { type: 'answer', call: 'call', dialog: 'bob', message: only(actions, 'send').message } as const;
      const result = initiator.handle(event, clock.now);
      if (groupMembers) expect(only(result, 'established').peer).toEqual(bob.identity);
      else expect(only(result, 'refused').error).toMatchObject({ field: 'mikey.TRANSFER_RESP.IDRr' });
    }
  });
});

it('keys that a responder supplies go through the machine', async () => {
  const clock = new FakeClock();
  const kms = makeKms({ rules: { suppliedKeys: true } });
  const initiator = initiatorOf(alice, { flags: { ...msrpTicketFlags, M: true } });
  const message = await invite(kms, initiator, clock);
  const key = suppliedKey('TEK', { spi: Uint8Array.of(7) });
  const machine = responderOf(bob, 'phone', { answer: { keys: [key], spis: new Map([[1, key.spi]]) } });
  const answer = only(await take(kms, machine, 'phone', message, clock), 'send').message;
  const taken = only(
    initiator.handle({ type: 'answer', call: 'call', dialog: 'phone', message: answer }, clock.now),
    'established',
  );
  expect(tek(taken.bundle).split(' ')[1]).toBe(key.key.use(toHex));
});
