import { describe, expect, it } from 'vitest';

import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import {
  answerWithError,
  decodeMessage,
  encodeErrorMessage,
  encodeMessage,
  errorNumberOf,
  mikeyErrorText,
  msrpTicketFlags,
  readErrorMessage,
} from '../../../src/protocol/mikey/index.ts';
import type { Payload } from '../../../src/protocol/mikey/payloads.ts';
import { messageKeys, sealMessage, suites } from '../../../src/protocol/mikey/protection.ts';
import { emptySecurityPolicy } from '../../../src/protocol/mikey/session-negotiation.ts';
import {
  alice,
  bob,
  carol,
  failing,
  hand,
  makeKms,
  obtain,
  random,
  rawRequest,
  receive,
  request,
  resolve,
  resolving,
  start,
} from './parties.ts';

const kms = makeKms();
const ticket = await obtain(kms, alice);
const transfer = hand(ticket, alice, bob.identity);

/** An authentic request with other payloads. */
function requesting(change: (payloads: readonly Payload[]) => Payload[], prf = 1): Uint8Array {
  const { header, payloads } = decodeMessage(request(alice).message);
  const rand = payloads.find((payload) => payload.payload === 'RANDR')!.value;
  const keys = messageKeys(suites['256'], alice.psk, header.csbId, 'initial', { initiator: rand });
  const trailer = ['sip:alice@lab.test', 'sip:kms.lab.test'].map((text) => new TextEncoder().encode(text));
  return sealMessage({ header: { ...header, prf }, payloads: change(payloads.slice(0, -1)) }, keys, trailer).bytes;
}

function changedTransfer(change: (payload: Payload) => Payload): Uint8Array {
  const { header, payloads } = decodeMessage(transfer.message);
  return encodeMessage({ header, payloads: payloads.map(change) });
}

async function kmsError(
  message: Uint8Array,
  exchange: 'request' | 'resolve' = 'request',
  now = start,
): Promise<unknown> {
  const machine = makeKms();
  const outcome = await (exchange === 'request'
    ? machine.handleTicketRequest(message, now)
    : machine.handleTicketResolve(message, now));
  if (outcome.outcome === 'answered') throw new Error('answered');
  if ('message' in outcome && outcome.message !== undefined) {
    // What the peer reads is what happened here.
    expect(readErrorMessage(outcome.message).errorNumbers).toEqual([errorNumberOf(outcome.error)]);
  }
  return outcome.error;
}

const receiving = (message: Uint8Array) => failing(() => receive(message, bob));
const withRaw = (octets: readonly number[]) => {
  // HDR of a TRANSFER_INIT with an empty map, then one payload by its octets.
  return Uint8Array.from([1, 14, octets[0]!, 1, 0, 0, 0, 9, 0, 1, 0, ...octets.slice(1)]);
};

const rows: readonly { number: number; cause: string; error: () => unknown }[] = [
  {
    number: 0,
    cause: 'a wrong key',
    error: () => kmsError(request(alice, { psk: new SecretBytes(new Uint8Array(32)) }).message),
  },
  {
    number: 0,
    cause: 'a TRANSFER_INIT that was changed on the way',
    error: () =>
      resolve(
        kms,
        receive(
          changedTransfer((one) => (one.payload === 'EXTENSION' ? { ...one, data: new Uint8Array(5) } : one)),
          bob,
        ),
        bob,
      ).catch((error: unknown) => error),
  },
  {
    number: 1,
    cause: 'a request of yesterday',
    error: () => kmsError(request(alice, { now: start - 24 * 3600_000 }).message),
  },
  { number: 1, cause: 'a timestamp type that nobody knows', error: () => receiving(withRaw([5, 9, 0, 0, 0, 0])) },
  { number: 2, cause: 'a PRF that nobody knows', error: () => kmsError(requesting((payloads) => [...payloads], 5)) },
  { number: 3, cause: 'a MAC algorithm that nobody knows', error: () => receiving(withRaw([9, 7])) },
  {
    number: 3,
    cause: 'a MAC weaker than the PRF',
    error: () =>
      receiving(
        changedTransfer((one) => (one.payload === 'V' ? { ...one, macAlgorithm: 1, mac: new Uint8Array(20) } : one)),
      ),
  },
  { number: 4, cause: 'keys enciphered with an algorithm that nobody knows', error: unknownCipher },
  { number: 5, cause: 'a hash function that nobody knows', error: () => receiving(withRaw([8, 9])) },
  { number: 6, cause: 'a Diffie-Hellman group that nobody knows', error: () => receiving(withRaw([3, 9])) },
  { number: 7, cause: 'a message for somebody else', error: () => failing(() => receive(transfer.message, carol)) },
  {
    number: 7,
    cause: 'a responder who is not authorised',
    error: () =>
      kmsError(resolving(receive(transfer.message, { ...carol, identity: bob.identity }), carol).message, 'resolve'),
  },
  {
    number: 7,
    cause: 'an ID type that nobody knows',
    error: () => receiving(changedTransfer((one) => (one.payload === 'IDR' ? { ...one, idType: 9 } : one))),
  },
  {
    number: 9,
    cause: 'a policy that the session names and nobody sent',
    error: () => receiving(changedTransfer((one) => (one.payload === 'SP' ? { ...one, policyNumber: 5 } : one))),
  },
  {
    number: 10,
    cause: 'a policy with parameters that we do not know',
    error: () =>
      receiving(
        changedTransfer((one) =>
          one.payload === 'SP' ? { ...one, parameters: [{ type: 1, value: Uint8Array.of(1) }] } : one,
        ),
      ),
  },
  { number: 11, cause: 'another message than expected', error: () => receiving(request(alice).message) },
  { number: 11, cause: 'a request where a resolve belongs', error: () => kmsError(request(alice).message, 'resolve') },
  {
    number: 12,
    cause: 'a map type that is not used here',
    error: () =>
      receiving(
        encodeMessage({
          ...decodeMessage(transfer.message),
          header: { ...decodeMessage(transfer.message).header, map: { type: 'empty' } },
        }),
      ),
  },
  { number: 12, cause: 'whatever has no number', error: () => new Error('anything') },
  {
    number: 13,
    cause: 'octets that cannot be read',
    error: () => kmsError(Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9, 9, 9)),
  },
  { number: 13, cause: 'a payload of unknown type (reading [A19])', error: () => receiving(withRaw([99, 0])) },
  {
    number: 14,
    cause: 'a ticket that has expired',
    error: () => failing(() => receive(transfer.message, bob, start + 48 * 3600_000)),
  },
  {
    number: 14,
    cause: 'a ticket type that nobody knows',
    error: () =>
      receiving(
        changedTransfer((one) =>
          one.payload === 'TICKET' ? { ...one, policy: { ...one.policy, ticketType: 61440 } } : one,
        ),
      ),
  },
  {
    number: 14,
    cause: 'a ticket under another protection key',
    error: async () =>
      kmsError(
        resolving(receive(hand(await obtain(makeKms({ tpk: 'other' }), alice), alice, bob.identity).message, bob), bob)
          .message,
        'resolve',
      ),
  },
  {
    number: 15,
    cause: 'flags that contradict each other',
    error: () => kmsError(rawRequest(alice, { flags: { ...msrpTicketFlags, E: false } })),
  },
  {
    number: 15,
    cause: 'a ticket for nobody',
    error: () =>
      kmsError(
        requesting((payloads) =>
          payloads.map((one) =>
            one.payload === 'TP'
              ? {
                  ...one,
                  policy: {
                    ...one.policy,
                    parameters: one.policy.parameters.filter((inner) => inner.payload !== 'IDR' || inner.role !== 2),
                  },
                }
              : one,
          ),
        ),
      ),
  },
];

/** An authentic REQUEST_RESP whose keys are enciphered in a way that nobody knows. */
function unknownCipher(): unknown {
  const asked = request(alice);
  const question = decodeMessage(asked.message);
  const questionRand = question.payloads.find((payload) => payload.payload === 'RANDR')!.value;
  const keys = messageKeys(suites['256'], alice.psk, question.header.csbId, 'response', { initiator: questionRand });
  const kemac = {
    payload: 'KEMAC',
    encryption: 9,
    data: random.bytes(64),
    macAlgorithm: 0,
    mac: new Uint8Array(),
  } as const;
  const timestamp = question.payloads.find((payload) => payload.payload === 'T')!;
  const answer = sealMessage(
    {
      header: { ...question.header, dataType: 13, answerWanted: false },
      payloads: [timestamp, ticket.ticketPayload, kemac],
    },
    keys,
    [asked.message],
  );
  return failing(() => asked.accept(answer.bytes, start));
}

describe('error numbers (RFC 3830 6.12, RFC 4738, RFC 6043 6.9, reading [A14])', () => {
  it.each(rows)('$number: $cause', async ({ number, error }) => {
    const found = await error();
    expect(errorNumberOf(found)).toBe(number);
    if (found instanceof ProtocolError && number !== 12) expect(found.hint.mikey).toBe(number);
    const answer = answerWithError(transfer.message, found, start)!;
    expect(readErrorMessage(answer).errorNumbers).toEqual([number]);
    expect(mikeyErrorText(number)).not.toMatch(/^Error/);
  });

  it('are produced all, but for 8, which certificates have', () => {
    const produced = new Set(rows.map(({ number }) => number));
    expect([...Array(16).keys()].filter((number) => !produced.has(number))).toEqual([8]);
  });
});

describe('an Error message', () => {
  it('repeats CSB ID and PRF of what failed, with an empty map and V=0 (reading [A13])', () => {
    const { header } = decodeMessage(answerWithError(transfer.message, new Error('x'), start)!);
    expect(header).toEqual({ dataType: 6, answerWanted: false, prf: 1, csbId: transfer.csbId, map: { type: 'empty' } });
  });

  it('is never given to an Error', () => {
    const error = answerWithError(transfer.message, new Error('x'), start)!;
    expect(answerWithError(error, new Error('x'), start)).toBeUndefined();
    expect(transfer.errorFor(error, new Error('x'), start)).toBeUndefined();
  });

  it('may tell several numbers and the policies that would have done', () => {
    const policies = [emptySecurityPolicy(241)];
    const options = { csbId: 7, prf: 1, errorNumbers: [9, 10], policies, now: start };
    const read = readErrorMessage(encodeErrorMessage(options));
    expect(read).toMatchObject({ errorNumbers: [9, 10], authenticated: false, policies });
    const wrongPolicy = new ProtocolError('peer-misbehaved', 'x', { field: 'SP', hint: { mikey: 10 } });
    const told = answerWithError(transfer.message, wrongPolicy, start, undefined, policies)!;
    expect(readErrorMessage(told).policies).toEqual(policies);
    const other = answerWithError(transfer.message, new Error('x'), start, undefined, policies)!;
    expect(readErrorMessage(other).policies).toBeUndefined();
  });

  it('of a responder is authentic once the ticket is resolved; nobody else can make it', async () => {
    const resolved = await resolve(kms, receive(transfer.message, bob), bob);
    const refusal = resolved.refuse(new Error('busy'), start);
    const error = failing(() => transfer.accept(refusal, start));
    expect(error).toMatchObject({ kind: 'policy-denied', hint: { mikey: 12 } });
    expect(error.message).not.toContain('not authenticated');
    const forged = Uint8Array.from(refusal);
    forged[forged.length - 1]! ^= 1;
    expect(failing(() => transfer.accept(forged, start))).toMatchObject({ hint: { mikey: 0 } });
    const bare = answerWithError(transfer.message, new Error('busy'), start)!;
    expect(failing(() => transfer.accept(bare, start)).message).toContain('not authenticated');
  });

  it('of an initiator is authentic where the answer was', async () => {
    const answer = (await resolve(kms, receive(transfer.message, bob), bob)).respond({ now: start, random }).message;
    const late = failing(() => transfer.accept(answer, start + 301_000));
    const proven = transfer.errorFor(answer, late, start)!;
    expect(decodeMessage(proven).payloads.at(-1)?.payload).toBe('V');
    expect(readErrorMessage(proven).errorNumbers).toEqual([1]);
    const forged = Uint8Array.from(answer);
    forged[forged.length - 1]! ^= 1;
    const unproven = transfer.errorFor(
      forged,
      failing(() => transfer.accept(forged, start)),
      start,
    )!;
    expect(decodeMessage(unproven).payloads.some(({ payload }) => payload === 'V')).toBe(false);
  });

  it('that answers another message is not taken', () => {
    const other = hand(ticket, alice, bob.identity);
    const error = answerWithError(other.message, new Error('x'), start)!;
    expect(failing(() => transfer.accept(error, start))).toMatchObject({ kind: 'peer-misbehaved' });
  });
});
