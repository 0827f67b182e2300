import { ProtocolError } from '../../base/errors.ts';
import { requireOctets } from './octets.ts';

/*
 *  SQN (48 bits) of TS 33.102 annex C.1.1:
 *   +------------------------------------------+-----------+
 *   | SEQ, 43 bits                             | IND, 5    |
 *   +------------------------------------------+-----------+
 */

/** IND has 5 bits, so that the USIM remembers 32 sequence numbers (TS 33.102 C.3). */
export const indexCount = 32;
const lastSeq = 2 ** 43 - 1;

export interface SequenceNumber {
  /** 0 to 2^43 - 1. */
  readonly seq: number;
  /** 0 to 31. */
  readonly ind: number;
}

/** For each IND the highest SEQ that was accepted: SEQ_MS(i) of TS 33.102 C.2.2. Plain numbers, to be kept as JSON. */
export type SequenceWindow = readonly number[];

export interface SequenceRules {
  /** A SEQ further above the highest accepted one is refused, so that nobody drives the counter to its end (C.2.1). */
  readonly delta: number;
  /** A SEQ further below the highest accepted one is refused even if its IND never saw it (C.2.2); no such limit when absent. */
  readonly ageLimit?: number;
}

/** TS 33.102 C.3.2: counters that do not follow the clock, and no limit to age. */
export const standardSequenceRules: SequenceRules = { delta: 2 ** 28 };

/** The window of a USIM that has accepted nothing yet. */
export const emptySequenceWindow: SequenceWindow = Array.from({ length: indexCount }, () => 0);

/** @throws ProtocolError `malformed` unless the octets are 6. */
export function readSequenceNumber(sqn: Uint8Array): SequenceNumber {
  requireOctets(sqn, 6, 'aka.sqn');
  // 48 bits fit into a number exactly.
  const value = sqn.reduce((sum, octet) => sum * 256 + octet, 0);
  return { seq: Math.floor(value / indexCount), ind: value % indexCount };
}

/** 6 octets. @throws ProtocolError `local` for numbers out of range */
export function writeSequenceNumber({ seq, ind }: SequenceNumber): Uint8Array {
  if (!isSeq(seq) || !Number.isInteger(ind) || ind < 0 || ind >= indexCount) {
    throw new ProtocolError('local', 'out of range', { field: 'aka.sqn', expected: 'SEQ of 43 bits, IND of 5 bits' });
  }
  const octets = new Uint8Array(6);
  for (let rest = seq * indexCount + ind, at = 5; at >= 0; at--, rest = Math.floor(rest / 256)) octets[at] = rest % 256;
  return octets;
}

/**
 * The rule of TS 33.102 C.2: fresh is what its own IND has not reached yet, neither too far ahead nor too old.
 * @returns the window that remembers it, or undefined when it is not fresh.
 */
export function acceptSequenceNumber(
  window: SequenceWindow,
  { seq, ind }: SequenceNumber,
  { delta, ageLimit }: SequenceRules = standardSequenceRules,
): SequenceWindow | undefined {
  const highest = highestSequenceNumber(window).seq;
  if (seq - highest > delta) return undefined;
  if (ageLimit !== undefined && highest - seq > ageLimit) return undefined;
  if (seq <= (window[ind] ?? lastSeq)) return undefined;
  return window.map((known, index) => (index === ind ? seq : known));
}

/** SQN_MS: the highest sequence number that was accepted. */
export function highestSequenceNumber(window: SequenceWindow): SequenceNumber {
  const seq = Math.max(...window);
  return { seq, ind: window.indexOf(seq) };
}

/** @throws ProtocolError `malformed` for a value that no window was written as: it must not be taken for an empty one. */
export function checkSequenceWindow(value: unknown): SequenceWindow {
  if (!Array.isArray(value) || value.length !== indexCount || !value.every(isSeq)) {
    throw new ProtocolError('malformed', 'not a sequence window', {
      field: 'aka.sequenceWindow',
      expected: `${indexCount} numbers of 43 bits`,
    });
  }
  return value;
}

/** The SEQ after `seq`. @throws ProtocolError `expired` at the end of the counter: the subscriber needs a new K. */
export function nextSeq(seq: number): number {
  if (seq >= lastSeq) {
    throw new ProtocolError('expired', 'no sequence number left', {
      field: 'aka.sqn',
      expected: 'a new subscriber key',
    });
  }
  return seq + 1;
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= lastSeq;
}
