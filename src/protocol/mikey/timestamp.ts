import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { profile } from '../profile.ts';
import { mikeyError, timestampType } from './code-points.ts';
import type { TimestampPayload } from './payloads.ts';

/** Seconds from 1900-01-01 to 1970-01-01. */
const ntpToUnixSeconds = 2_208_988_800;
const twoTo32 = 2 ** 32;

/** NTP-UTC of a time in milliseconds since 1970 (RFC 3830 6.6). */
export function ntpTimestamp(now: number): TimestampPayload {
  const seconds = Math.floor(now / 1000);
  const fraction = Math.floor(((now - seconds * 1000) / 1000) * twoTo32);
  const value = new ByteWriter().u32((seconds + ntpToUnixSeconds) % twoTo32).u32(fraction);
  return { payload: 'T', timestampType: timestampType.ntpUtc, value: value.finish() };
}

/** NTP-UTC-32, whole seconds, rounded down (RFC 6043 6.3). */
export function ntpSeconds(milliseconds: number): Uint8Array {
  return new ByteWriter().u32((Math.floor(milliseconds / 1000) + ntpToUnixSeconds) % twoTo32).finish();
}

/** How the T of a message is made: an NTP type from the clock, COUNTER from a number that its sender never uses twice. */
export type TimestampChoice =
  { readonly type: 'ntp-utc' | 'ntp' | 'ntp-utc-32' } | { readonly type: 'counter'; readonly value: number };

/** T as chosen; NTP-UTC when nothing is. NTP is taken as UTC (reading [A28]). */
export function makeTimestamp(now: number, choice: TimestampChoice = { type: 'ntp-utc' }): TimestampPayload {
  switch (choice.type) {
    case 'ntp-utc':
      return ntpTimestamp(now);
    case 'ntp':
      return { ...ntpTimestamp(now), timestampType: timestampType.ntp };
    case 'ntp-utc-32':
      return { payload: 'T', timestampType: timestampType.ntpUtc32, value: ntpSeconds(now) };
    case 'counter':
      if (!Number.isInteger(choice.value) || choice.value < 0 || choice.value >= twoTo32) {
        throw new ProtocolError('local', 'not 32 bits', { field: 'timestamp.counter', expected: '0 to 2^32 - 1' });
      }
      return { payload: 'T', timestampType: timestampType.counter, value: new ByteWriter().u32(choice.value).finish() };
  }
}

/** True for COUNTER, which tells an order but no time. */
export function isCounter({ timestampType: type }: { readonly timestampType: number }): boolean {
  return type === timestampType.counter;
}

/** T of a message: a time in milliseconds since 1970, or the count of COUNTER. */
export type MessageTime = { readonly milliseconds: number } | { readonly count: number };

export function readMessageTime(timestamp: TimestampPayload, field: string): MessageTime {
  return isCounter(timestamp)
    ? { count: new ByteReader(timestamp.value).u32(field) }
    : { milliseconds: timestampMilliseconds(timestamp, field) };
}

/**
 * Milliseconds since 1970. Reading [A28]: a clear top bit means the era that starts in 2036, for all three NTP types,
 * and NTP is taken as UTC.
 * @throws ProtocolError `unsupported` for COUNTER, which tells no time: in TRs and TRe it is refused (reading [A15]).
 */
export function timestampMilliseconds(
  timestamp: { readonly timestampType: number; readonly value: Uint8Array },
  field: string,
  mikey: number = mikeyError.invalidTimestamp,
): number {
  const { timestampType: type, value } = timestamp;
  if (type !== timestampType.ntpUtc && type !== timestampType.ntp && type !== timestampType.ntpUtc32) {
    throw new ProtocolError('unsupported', `timestamp type ${type}`, { field, expected: 'NTP', hint: { mikey } });
  }
  const reader = new ByteReader(value);
  const seconds = reader.u32(field);
  const era = seconds >= 2 ** 31 ? 0 : twoTo32;
  const fraction = reader.isAtEnd ? 0 : reader.u32(field);
  return (seconds + era - ntpToUnixSeconds) * 1000 + Math.round((fraction * 1000) / twoTo32);
}

/** The 64 bits of T that enter an AES-CM IV (RFC 3830 4.2.3, RFC 6043 6.3). */
export function timestampForIv({ timestampType: type, value }: TimestampPayload): Uint8Array {
  const padding = new Uint8Array(8 - value.length);
  return type === timestampType.counter ? concatBytes(padding, value) : concatBytes(value, padding);
}

/** T64 of two messages in order: a number that is unique where the 64 bits are. */
export function timestampOrder(timestamp: TimestampPayload): bigint {
  return new ByteReader(timestampForIv(timestamp)).u64('mikey.T');
}

/**
 * T of an answer: an NTP type must be of now, COUNTER may repeat the question's (RFC 6043 4.2.1.5, 4.2.2.3, 4.2.3.5), since the
 * MAC of the answer covers the question.
 */
export function refuseStaleAnswer(timestamp: TimestampPayload, now: number, field: string): void {
  const time = readMessageTime(timestamp, field);
  if ('milliseconds' in time) refuseStale(time.milliseconds, now, field);
}

/** @throws ProtocolError `expired` when T lies further from `now` than clocks may differ (RFC 3830 5.4). */
export function refuseStale(timestamp: number, now: number, field: string): void {
  if (Math.abs(now - timestamp) > profile.replay.clockSkewSeconds * 1000) {
    throw new ProtocolError('expired', 'the timestamp is too far from the present', {
      field,
      expected: `at most ${profile.replay.clockSkewSeconds} s away`,
      hint: { mikey: mikeyError.invalidTimestamp },
    });
  }
}
