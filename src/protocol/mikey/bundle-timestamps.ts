import { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { mikeyError, timestampType } from './code-points.ts';
import type { TimestampPayload } from './payloads.ts';
import { isCounter, ntpTimestamp, refuseStaleAnswer, timestampOrder } from './timestamp.ts';

/** RFC 6043 12.1: the entropy of keys that share their RANDs is kept by a bound on how many there are. */
const maxMessages = 1000;

/**
 * The T of every message under one bundle's keys. Reading [A20]: all CSB updates, in both directions, are protected with the keys of
 * one initial message, so a T that came twice would repeat AES-CM keystream. Ours grow and have the parity of our role, so that
 * the two ends cannot meet on one value; of the other end's we take only what grows and was never seen, whatever its parity.
 */
export class BundleTimestamps {
  readonly #parity: bigint;
  readonly #counts: boolean;
  readonly #used = new Set<bigint>();
  #own = -1n;
  #theirs = -1n;

  /**
   * @param own T of our message in the initial exchange, if there was one.
   * @param theirs T of the other end's.
   */
  constructor(
    role: 'initiator' | 'responder',
    own: TimestampPayload | undefined,
    theirs: TimestampPayload | undefined,
  ) {
    this.#parity = role === 'initiator' ? 0n : 1n;
    const initial = [own, theirs].filter((timestamp) => timestamp !== undefined);
    this.#counts = initial.length > 0 && initial.every(isCounter);
    for (const timestamp of initial) this.#used.add(timestampOrder(timestamp));
    if (own !== undefined) this.#own = timestampOrder(own);
    if (theirs !== undefined) this.#theirs = timestampOrder(theirs);
  }

  /**
   * A T that no message of the bundle had, and later than all that we know of, so that what we say after the other end also counts as
   * said after it, even when our clock is behind. COUNTER where both ends count, else NTP-UTC.
   */
  next(now: number): TimestampPayload {
    this.#refuseTooMany();
    const wished = this.#counts ? 0n : timestampOrder(ntpTimestamp(now));
    const latest = this.#own > this.#theirs ? this.#own : this.#theirs;
    let value = wished > latest ? wished : latest + 1n;
    if ((value & 1n) !== this.#parity) value += 1n;
    while (this.#used.has(value)) value += 2n;
    if (this.#counts && value > 0xffffffffn) this.#refuseTooMany(true);
    this.#own = value;
    this.#used.add(value);
    const writer = new ByteWriter();
    return this.#counts
      ? { payload: 'T', timestampType: timestampType.counter, value: writer.u32(Number(value)).finish() }
      : { payload: 'T', timestampType: timestampType.ntpUtc, value: writer.u64(value).finish() };
  }

  /**
   * Judges the T of an authentic message of the other end and remembers it.
   * @throws ProtocolError with "invalid timestamp" when it is not of now, does not grow (reading [A29]) or was used by either end.
   */
  take(timestamp: TimestampPayload, now: number, field: string): bigint {
    this.#refuseTooMany();
    refuseStaleAnswer(timestamp, now, field);
    const value = timestampOrder(timestamp);
    if (value <= this.#theirs || this.#used.has(value)) {
      throw new ProtocolError('peer-misbehaved', 'a timestamp that was used before', {
        field,
        expected: 'a later one than ever in this bundle',
        hint: { mikey: mikeyError.invalidTimestamp },
      });
    }
    this.#theirs = value;
    this.#used.add(value);
    return value;
  }

  #refuseTooMany(exhausted = this.#used.size >= maxMessages): void {
    if (!exhausted) return;
    throw new ProtocolError('policy-denied', 'too many updates under one key', {
      field: 'mikey.bundle.updates',
      expected: 'a new Ticket Transfer',
      hint: { mikey: mikeyError.unspecified },
    });
  }
}
