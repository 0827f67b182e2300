import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { AuthenticationCentre } from '../../../src/protocol/gba/authentication-centre.ts';
import {
  acceptSequenceNumber,
  checkSequenceWindow,
  emptySequenceWindow,
  highestSequenceNumber,
  nextSeq,
  readSequenceNumber,
  writeSequenceNumber,
  type SequenceNumber,
  type SequenceWindow,
} from '../../../src/protocol/gba/sequence-number.ts';
import { Usim, type UsimOptions, type UsimOutcome } from '../../../src/protocol/gba/usim.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const seed = 20_3102;
const lastSeq = 2 ** 43 - 1;
const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

/** A subscriber at both ends, with what each side keeps. */
class Subscription {
  readonly #random = seededRandom('aka');
  readonly #keys = { k: new SecretBytes(this.#random.bytes(16)), opc: new SecretBytes(this.#random.bytes(16)) };
  readonly centre: AuthenticationCentre;
  readonly usim: Usim;
  sequence: SequenceNumber;
  window: SequenceWindow = emptySequenceWindow;

  constructor(sequence: SequenceNumber = { seq: 0, ind: 0 }, options: UsimOptions = {}, amf?: Uint8Array) {
    this.sequence = sequence;
    this.centre = new AuthenticationCentre(this.#keys, amf === undefined ? {} : { amf });
    this.usim = new Usim(this.#keys, options);
  }

  challenge(): { rand: Uint8Array; autn: Uint8Array; xres: string; ck: string; ik: string } {
    const { vector, sequence } = this.centre.createVector(this.#random.bytes(16), this.sequence);
    this.sequence = sequence;
    const { res, ck, ik } = vector.keys;
    return { rand: vector.rand, autn: vector.autn, xres: res.use(toHex), ck: ck.use(toHex), ik: ik.use(toHex) };
  }

  answer({ rand, autn }: { rand: Uint8Array; autn: Uint8Array }): UsimOutcome {
    const outcome = this.usim.authenticate(rand, autn, this.window);
    if (outcome.outcome === 'success') this.window = outcome.window;
    return outcome;
  }
}

describe('sequence numbers', () => {
  it('are the same after writing and reading', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: lastSeq }), fc.nat(31), (seq, ind) => {
        expect(readSequenceNumber(writeSequenceNumber({ seq, ind }))).toEqual({ seq, ind });
      }),
      { seed },
    );
    expect(toHex(writeSequenceNumber({ seq: lastSeq, ind: 31 }))).toBe('ffffffffffff');
    expect(toHex(writeSequenceNumber({ seq: 1, ind: 2 }))).toBe('000000000022');
  });

  it('are taken once, and never lower ones under the same IND', () => {
    const accepted = acceptSequenceNumber(emptySequenceWindow, { seq: 5, ind: 3 });
    expect(accepted?.[3]).toBe(5);
    expect(acceptSequenceNumber(accepted!, { seq: 5, ind: 3 })).toBeUndefined();
    expect(acceptSequenceNumber(accepted!, { seq: 4, ind: 3 })).toBeUndefined();
    // Overtaken on its way, under an IND of its own: fresh.
    expect(acceptSequenceNumber(accepted!, { seq: 4, ind: 4 })?.[4]).toBe(4);
  });

  it('are not taken from too far ahead or behind', () => {
    const rules = { delta: 100, ageLimit: 10 };
    const window = acceptSequenceNumber(emptySequenceWindow, { seq: 100, ind: 0 }, rules)!;
    expect(acceptSequenceNumber(window, { seq: 200, ind: 1 }, rules)).toBeDefined();
    expect(acceptSequenceNumber(window, { seq: 201, ind: 1 }, rules)).toBeUndefined();
    expect(acceptSequenceNumber(window, { seq: 90, ind: 1 }, rules)).toBeDefined();
    expect(acceptSequenceNumber(window, { seq: 89, ind: 1 }, rules)).toBeUndefined();
    expect(acceptSequenceNumber(window, { seq: 89, ind: 1 }, { delta: 100 })).toBeDefined();
    expect(acceptSequenceNumber(emptySequenceWindow, { seq: 2 ** 28 + 1, ind: 0 })).toBeUndefined();
    expect(acceptSequenceNumber(emptySequenceWindow, { seq: 2 ** 28, ind: 0 })).toBeDefined();
  });

  it('end at 43 bits', () => {
    expect(nextSeq(lastSeq - 1)).toBe(lastSeq);
    expect(() => nextSeq(lastSeq)).toThrow(expect.objectContaining({ kind: 'expired' }));
    expect(() => writeSequenceNumber({ seq: lastSeq + 1, ind: 0 })).toThrow(expect.objectContaining({ kind: 'local' }));
    expect(() => readSequenceNumber(new Uint8Array(7))).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  it.each([
    ['nothing', undefined],
    ['a shorter list', emptySequenceWindow.slice(1)],
    ['a negative number', [-1, ...emptySequenceWindow.slice(1)]],
    ['a fraction', [0.5, ...emptySequenceWindow.slice(1)]],
    ['a text', ['1', ...emptySequenceWindow.slice(1)]],
    ['a number of 44 bits', [2 ** 43, ...emptySequenceWindow.slice(1)]],
  ])('are not read from %s', (_, value) => {
    expect(() => checkSequenceWindow(value)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  it('survive JSON', () => {
    const window = acceptSequenceNumber(emptySequenceWindow, { seq: 2 ** 28, ind: 7 });
    expect(checkSequenceWindow(JSON.parse(JSON.stringify(window)))).toEqual(window);
  });
});

describe('USIM and authentication centre', () => {
  it('agree on the keys', () => {
    const subscription = new Subscription();
    const challenge = subscription.challenge();
    const outcome = subscription.answer(challenge);
    if (outcome.outcome !== 'success') throw new Error(outcome.outcome);
    const { res, ck, ik } = outcome.keys;
    expect([res.use(toHex), ck.use(toHex), ik.use(toHex)]).toEqual([challenge.xres, challenge.ck, challenge.ik]);
  });

  it('agree over random sequences with lost, late and repeated challenges, and past the end of IND', () => {
    const step = fc.constantFrom('deliver', 'lose', 'hold', 'release', 'repeat');
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 120 }), (steps) => {
        const subscription = new Subscription();
        const taken: ReturnType<Subscription['challenge']>[] = [];
        const held: { challenge: ReturnType<Subscription['challenge']>; since: number }[] = [];
        steps.forEach((action, index) => {
          if (action === 'deliver') {
            const challenge = subscription.challenge();
            expect(subscription.answer(challenge).outcome).toBe('success');
            taken.push(challenge);
          }
          if (action === 'lose') subscription.challenge();
          if (action === 'hold') held.push({ challenge: subscription.challenge(), since: index });
          if (action === 'release') {
            const late = held.shift();
            // One step makes one challenge at most: within 31 of them no other has the same IND.
            if (late !== undefined && index - late.since < 31) {
              expect(subscription.answer(late.challenge).outcome).toBe('success');
              taken.push(late.challenge);
            }
          }
          const old = taken[index % Math.max(taken.length, 1)];
          if (action === 'repeat' && old !== undefined) {
            expect(subscription.answer(old).outcome).toBe('sync-failure');
          }
        });
        // Nothing that was ever taken is taken again.
        for (const challenge of taken) expect(subscription.answer(challenge).outcome).toBe('sync-failure');
      }),
      { seed, numRuns: 60 },
    );
  });

  it('find together again after any difference, in one resynchronisation', () => {
    const number = fc.record({ seq: fc.integer({ min: 1, max: lastSeq - 2 }), ind: fc.nat(31) });
    fc.assert(
      fc.property(number, number, (home, ours) => {
        const subscription = new Subscription(home);
        subscription.window = emptySequenceWindow.map((_, index) => (index === ours.ind ? ours.seq : 0));
        const challenge = subscription.challenge();
        const outcome = subscription.answer(challenge);
        if (outcome.outcome !== 'sync-failure') {
          expect(outcome.outcome).toBe('success');
          return;
        }
        const back = subscription.centre.resynchronise(challenge.rand, outcome.auts);
        if (back.outcome !== 'resynchronised') throw new Error(back.outcome);
        expect(back.sequence).toEqual(highestSequenceNumber(subscription.window));
        subscription.sequence = back.sequence;
        expect(subscription.answer(subscription.challenge()).outcome).toBe('success');
      }),
      { seed, numRuns: 300 },
    );
  });

  it('take no AUTN with a bit changed, and say nothing about the sequence number then', () => {
    fc.assert(
      fc.property(fc.nat(127), (bit) => {
        const subscription = new Subscription();
        const { rand, autn } = subscription.challenge();
        autn[bit >> 3] = autn[bit >> 3]! ^ (1 << (bit & 7));
        expect(subscription.answer({ rand, autn })).toEqual({ outcome: 'mac-failure', reason: 'mac' });
        expect(subscription.window).toEqual(emptySequenceWindow);
      }),
      { seed, numRuns: 128 },
    );
  });

  it('take no AUTN of another K, nor a random one', () => {
    const subscription = new Subscription();
    fc.assert(
      fc.property(octets(16), octets(16), (rand, autn) => {
        expect(subscription.answer({ rand, autn }).outcome).toBe('mac-failure');
      }),
      { seed },
    );
  });

  it('take no AUTS that was changed, or that belongs to another RAND', () => {
    const subscription = new Subscription({ seq: 5, ind: 0 });
    subscription.window = emptySequenceWindow.map(() => 1000);
    const challenge = subscription.challenge();
    const outcome = subscription.answer(challenge);
    if (outcome.outcome !== 'sync-failure') throw new Error(outcome.outcome);
    for (let bit = 0; bit < 14 * 8; bit++) {
      const auts = Uint8Array.from(outcome.auts);
      auts[bit >> 3] = auts[bit >> 3]! ^ (1 << (bit & 7));
      expect(subscription.centre.resynchronise(challenge.rand, auts)).toEqual({ outcome: 'mac-failure' });
    }
    const other = Uint8Array.from(challenge.rand).reverse();
    expect(subscription.centre.resynchronise(other, outcome.auts)).toEqual({ outcome: 'mac-failure' });
    expect(subscription.centre.resynchronise(challenge.rand, outcome.auts).outcome).toBe('resynchronised');
  });

  it.each([
    ['any', [0x80, 0], 'success'],
    ['any', [0, 0], 'success'],
    ['clear', [0x7f, 0xff], 'success'],
    ['clear', [0x80, 0], 'mac-failure'],
    ['set', [0x80, 0], 'success'],
    ['set', [0x7f, 0xff], 'mac-failure'],
  ] as const)('with separation bit %s take AMF %j: %s', (separationBit, amf, expected) => {
    const subscription = new Subscription({ seq: 0, ind: 0 }, { separationBit }, Uint8Array.from(amf));
    const outcome = subscription.answer(subscription.challenge());
    expect(outcome.outcome).toBe(expected);
    if (outcome.outcome === 'mac-failure') expect(outcome.reason).toBe('amf');
  });

  it('take only the AMF that was configured', () => {
    const amf = Uint8Array.of(0x12, 0x34);
    const right = new Subscription({ seq: 0, ind: 0 }, { amf }, amf);
    expect(right.answer(right.challenge()).outcome).toBe('success');
    const wrong = new Subscription({ seq: 0, ind: 0 }, { amf }, Uint8Array.of(0x12, 0x35));
    expect(wrong.answer(wrong.challenge())).toEqual({ outcome: 'mac-failure', reason: 'amf' });
  });

  it('refuse what has another size', () => {
    const { usim, centre } = new Subscription();
    const malformed: unknown = expect.objectContaining({ kind: 'malformed' });
    expect(() => usim.authenticate(new Uint8Array(15), new Uint8Array(16), emptySequenceWindow)).toThrow(malformed);
    expect(() => usim.authenticate(new Uint8Array(16), new Uint8Array(17), emptySequenceWindow)).toThrow(malformed);
    expect(() => centre.resynchronise(new Uint8Array(16), new Uint8Array(13))).toThrow(malformed);
  });
});
