import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { ByteReader } from '../../../src/base/byte-reader.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { openBaseTicket, readInitiatorData, ticketIssuedAt } from '../../../src/protocol/mikey/base-ticket.ts';
import { readChain } from '../../../src/protocol/mikey/chain.ts';
import {
  decodeMessage,
  encodeMessage,
  readErrorMessage,
  ReplayCache,
  ResponderMachine,
  type MikeyMessage,
} from '../../../src/protocol/mikey/index.ts';
import type { Payload, PayloadName } from '../../../src/protocol/mikey/payloads.ts';
import { simplePayloadCodecs } from '../../../src/protocol/mikey/payload-codec.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import {
  decodeInitiatorData,
  decodeKeyData,
  decodeTicketData,
  encodeKeyData,
  payloadCodecs,
} from '../../../src/protocol/mikey/ticket-codec.ts';
import { readKeyList, readSuppliedKeys } from '../../../src/protocol/mikey/ticket-keys.ts';
import { readPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import {
  alice,
  bob,
  connect,
  hand,
  kmsIdentity,
  keyOf,
  makeKms,
  obtain,
  random,
  receive,
  repeatableRandom,
  request,
  resolving,
  start,
} from './parties.ts';
import { hex, vectors } from './vectors.ts';

interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const ofScenarios: Sample[] = vectors.scenarios.flatMap(({ name, messages }) =>
  Object.entries(messages).map(([kind, message]) => ({ name: `${name} ${kind}`, bytes: fromHex(message) })),
);
const ofUnits: Sample[] = [
  ...vectors.unit.error_messages.map(({ message }, index) => ({ name: `error ${index}`, bytes: fromHex(message) })),
  { name: 'RFC 3830 PSK', bytes: hex(vectors.unit.rfc3830_psk['message']) },
];

/** A message around one payload of each kind, for those that stand in no whole message of the vectors. */
function around(payload: Payload): Sample {
  const header = { dataType: 14, answerWanted: true, prf: 1, csbId: 0x01020304, map: { type: 'empty' } } as const;
  return { name: payload.payload, bytes: encodeMessage({ header, payloads: [payload] }) };
}

const names: Readonly<Record<string, PayloadName>> = {
  Tr: 'TR',
  Id: 'ID',
  Idr: 'IDR',
  Rand: 'RAND',
  Randr: 'RANDR',
  Err: 'ERR',
  Chash: 'CHASH',
  Pke: 'PKE',
  Sign: 'SIGN',
  Sp: 'SP',
  KeyData: 'KEY_DATA',
  Kemac: 'KEMAC',
  GenExt: 'EXTENSION',
  Cert: 'CERT',
  Tp: 'TP',
  Ticket: 'TICKET',
};
const ofPayloads: Sample[] = vectors.unit.payloads.map(({ payload, hex: text }) => {
  const name = names[payload] ?? (payload as PayloadName);
  return around(readChain(new ByteReader(fromHex(text)), name, payloadCodecs).payloads[0]!);
});
const diffieHellman = around({
  payload: 'DH',
  group: 1,
  value: new Uint8Array(96),
  reserved: 0,
  validity: { kind: 'interval', validFrom: Uint8Array.of(1), validTo: Uint8Array.of(2, 3) },
});
const samples: readonly Sample[] = [...ofScenarios, ...ofUnits, ...ofPayloads, diffieHellman];

type Mutation = (sample: Uint8Array) => Uint8Array;

/** Encodes changed payloads; what cannot be encoded is left as it was, so that every mutation gives octets. */
function rewritten(bytes: Uint8Array, change: (message: MikeyMessage) => readonly Payload[]): Uint8Array {
  const message = decodeMessage(bytes);
  try {
    return encodeMessage({ header: message.header, payloads: change(message) });
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof RangeError) return bytes;
    throw error;
  }
}

const position = fc.nat({ max: 0xffff });
const octet = fc.integer({ min: 1, max: 255 });
const mutations: readonly { readonly name: string; readonly arbitrary: fc.Arbitrary<Mutation> }[] = [
  {
    name: 'any octet flipped',
    arbitrary: fc.tuple(position, octet).map(([at, change]) => (bytes) => {
      const changed = Uint8Array.from(bytes);
      changed[at % changed.length]! ^= change;
      return changed;
    }),
  },
  {
    name: 'cut at any length',
    arbitrary: position.map((at) => (bytes) => bytes.slice(0, at % bytes.length)),
  },
  {
    name: 'any payload repeated',
    arbitrary: fc.tuple(position, position).map(
      ([from, to]) =>
        (bytes) =>
          rewritten(bytes, ({ payloads }) =>
            payloads.toSpliced(to % (payloads.length + 1), 0, payloads[from % payloads.length]!),
          ),
    ),
  },
  {
    name: 'any payload left out',
    arbitrary: position.map(
      (at) => (bytes) => rewritten(bytes, ({ payloads }) => payloads.toSpliced(at % payloads.length, 1)),
    ),
  },
  {
    name: 'any length claimed',
    arbitrary: fc
      .tuple(position, fc.constantFrom(0, 1, 0x7f, 0xff, 0x100, 0x7fff, 0xffff))
      .map(([at, length]) => (bytes) => {
        const changed = Uint8Array.from(bytes);
        changed[at % changed.length] = length >> 8;
        changed[(at + 1) % changed.length] = length & 0xff;
        return changed;
      }),
  },
  {
    name: 'anything after the end',
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((more) => (bytes) => Uint8Array.from([...bytes, ...more])),
  },
];

/** Octets that a value holds, however deep: what was read may never be more than what was there. */
function octetsIn(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, one: unknown) => sum + octetsIn(one), 0);
}

/** Either a value or a ProtocolError; anything else fails the test. */
function typed<T>(action: () => T): T | ProtocolError {
  try {
    return action();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}

const kms = makeKms();
const ticket = await obtain(kms, alice);
const transfer = hand(ticket, alice, bob.identity);
const received = receive(transfer.message, bob);
const asked = request(alice);
const resolve = resolving(received, bob);
const ends = await connect({ ticket });
const before = keyOf(ends.responder);
const replays = new ReplayCache(1);
const machine = new ResponderMachine({
  self: [bob.identity],
  protTypes: [0, 241],
  replays,
  requireOrigin: false,
  maxPending: 1,
  maxDialogs: 1,
  kms: { identity: kmsIdentity, suite: '256', credential: () => ({ psk: bob.psk }) },
  findTpk: () => ({ key: bob.psk }),
  random: repeatableRandom('mutation'),
});

/** Everything that takes a message, without waiting. */
function readEverywhere(bytes: Uint8Array): void {
  const decoded = typed(() => decodeMessage(bytes));
  if (!(decoded instanceof ProtocolError)) {
    expect(toHex(encodeMessage(decoded))).toBe(toHex(bytes));
    const { header, payloads, bytes: own } = decoded;
    expect(octetsIn({ header, payloads })).toBeLessThanOrEqual(own.length);
    for (const payload of decoded.payloads) readInside(payload);
  } else {
    expect(decoded.hint.mikey).toBeGreaterThanOrEqual(0);
  }
  typed(() => readErrorMessage(bytes));
  typed(() => receive(bytes, bob, start, { protTypes: [0, 241], maxSessions: 9, isCounterFresh: () => true }));
  typed(() => asked.accept(bytes, start));
  typed(() => transfer.accept(bytes, start));
  typed(() => resolve.accept(bytes, start));
  typed(() => ends.responder.receiveUpdate(bytes, start));
  typed(() => transfer.errorFor(bytes, new Error('x'), start));
  for (const action of machine.handle({ type: 'transfer-init', dialog: 'one', message: bytes }, start)) {
    expect(action.type).not.toBe('established');
    if (action.type === 'ask-kms') machine.handle({ type: 'kms-failed', question: action.question }, start);
  }
}

function readInside(payload: Payload): void {
  if (payload.payload === 'TP') typed(() => readPolicy(payload.policy));
  if (payload.payload === 'TICKET') {
    typed(() => ticketIssuedAt(payload));
    typed(() => decodeTicketData(payload.ticketData));
    typed(() => readInitiatorData(payload.initiatorData));
    typed(() => decodeInitiatorData(payload.initiatorData));
    typed(() => openBaseTicket(payload, () => bob.psk));
  }
}

it('samples hold every kind of payload', () => {
  const found = new Set<string>(['THDR']);
  for (const { bytes } of samples) for (const { payload } of decodeMessage(bytes).payloads) found.add(payload);
  expect([...found].sort()).toEqual([...Object.keys(simplePayloadCodecs), 'TP', 'TICKET'].sort());
});

describe.each(mutations)('$name', ({ arbitrary }) => {
  it('gives a typed error or a value that holds no more than was sent, and changes nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), arbitrary, ({ bytes }, mutate) => {
        readEverywhere(mutate(bytes));
      }),
      { seed: 6043, numRuns: 700 },
    );
    expect(replays.size).toBe(0);
    expect(keyOf(ends.responder)).toBe(before);
  });

  it('gives a typed outcome at the KMS, which remembers nothing of it', async () => {
    const small = makeKms({ replayCapacity: 1 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...samples), arbitrary, async ({ bytes }, mutate) => {
        const changed = mutate(bytes);
        for (const outcome of [
          await small.handleTicketRequest(changed, start),
          await small.handleTicketResolve(changed, start),
        ]) {
          expect(['malformed', 'not-authenticated']).toContain(outcome.outcome);
        }
      }),
      { seed: 3830, numRuns: 200 },
    );
    // Its one place is still free.
    expect(await small.handleTicketRequest(request(alice).message, start)).toMatchObject({ outcome: 'answered' });
  });
});

describe('inside of what is enciphered', () => {
  const lists = vectors.scenarios.flatMap(({ trace }) =>
    Object.values(trace).flatMap((step) => ('kemac_plain' in step ? [hex(step.kemac_plain)] : [])),
  );

  it('a key list that was changed by who knows the key is a typed error or a list', () => {
    expect(lists.length).toBeGreaterThan(5);
    const change = fc.oneof(
      mutations[0]!.arbitrary,
      mutations[1]!.arbitrary,
      mutations[4]!.arbitrary,
      mutations[5]!.arbitrary,
    );
    fc.assert(
      fc.property(fc.constantFrom(...lists), change, (plain, mutate) => {
        const changed = mutate(plain);
        const read = typed(() => decodeKeyData(changed));
        if (!(read instanceof ProtocolError)) expect(toHex(encodeKeyData(read))).toBe(toHex(changed));
        for (const suite of [suites['128'], suites['256']]) {
          typed(() => readKeyList(changed, 1, suite));
          typed(() => readKeyList(changed, 2, suite));
          typed(() => readSuppliedKeys(changed, suite, true));
        }
      }),
      { seed: 6043, numRuns: 1000 },
    );
  });
});

it('after all of this every party still does its work', async () => {
  const answer = await kms.handleTicketResolve(resolve.message, start);
  if (answer.outcome !== 'answered') throw new Error(answer.outcome);
  const answered = resolve.accept(answer.message, start).respond({ now: start, random });
  expect(keyOf(transfer.accept(answered.message, start).bundle)).toBe(keyOf(answered.bundle));
  const update = ends.initiator.startUpdate({ answerWanted: true, now: start });
  update.accept(ends.responder.receiveUpdate(update.message, start).respond({ now: start }), start);
  expect(keyOf(ends.initiator)).toBe(keyOf(ends.responder));
});
