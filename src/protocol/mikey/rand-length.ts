import { ProtocolError } from '../../base/errors.ts';
import { mikeyError } from './code-points.ts';

/**
 * RFC 6043 12.1: the random values that enter a derivation are together at least as long as the longest key that it starts from.
 * @param rands one random value, or all that enter, one after another.
 * @throws ProtocolError `peer-misbehaved` when they are too short to make keys differ.
 */
export function refuseShortRands(
  rands: Uint8Array | readonly (Uint8Array | undefined)[],
  keys: readonly { readonly key: Uint8Array }[],
  field: string,
  mikey: number = mikeyError.unspecified,
): void {
  const list = rands instanceof Uint8Array ? [rands] : rands;
  const octets = list.reduce((sum, rand) => sum + (rand?.length ?? 0), 0);
  const longest = Math.max(0, ...keys.map(({ key }) => key.length));
  if (octets >= longest) return;
  throw new ProtocolError('peer-misbehaved', `${octets} octets`, {
    field,
    expected: `at least ${longest} octets, as long as the longest key`,
    hint: { mikey },
  });
}
