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

/**
 * Milliseconds since 1970. Reading [A28]: a clear top bit means the era that starts in 2036, for all three NTP types,
 * and NTP is taken as UTC.
 * @throws ProtocolError `unsupported` for COUNTER: no rule says when one is fresh (readings [A15] and [A29]).
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
