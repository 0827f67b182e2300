import { timestampType } from '../code-points.ts';
import { timestampMilliseconds } from '../timestamp.ts';

const units = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;

/** `2 d 3 h`: the two largest units of a duration in seconds. */
export function durationText(seconds: number): string {
  let left = Math.floor(seconds);
  const parts: string[] = [];
  for (const [size, unit] of units) {
    if (left >= size && parts.length < 2) {
      parts.push(`${Math.floor(left / size)} ${unit}`);
      left %= size;
    } else if (parts.length > 0) {
      break;
    }
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

/** A time against the present. Both are milliseconds since 1970. */
export function differenceText(time: number, now: number): string {
  const seconds = Math.abs(time - now) / 1000;
  if (seconds < 1) return 'now';
  return time < now ? `${durationText(seconds)} ago` : `in ${durationText(seconds)}`;
}

/** ISO time and distance to `now`, or what a counter says. @param value of the length that its type has. */
export function timestampText(type: number, value: Uint8Array, now: number): string {
  if (type === timestampType.counter) {
    return `counter ${value.reduce((sum, octet) => sum * 256 + octet, 0)}, no time`;
  }
  const time = timestampMilliseconds({ timestampType: type, value }, 'mikey.T');
  return `${new Date(time).toISOString()}, ${differenceText(time, now)}`;
}
