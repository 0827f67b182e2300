import { toHex } from './bytes.ts';
import type { Random } from './random.ts';

/** A random UUID (RFC 9562 clause 5.4), for `+sip.instance` (RFC 5626 clause 4.1). */
export function randomUuid(random: Random): string {
  const octets = random.bytes(16);
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x40;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  return toHex(octets).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
