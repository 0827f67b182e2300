import { ProtocolError } from '../../base/errors.ts';

/** @throws ProtocolError `malformed` (or `kind`) when `bytes` has another length. */
export function requireOctets(
  bytes: Uint8Array,
  length: number,
  field: string,
  kind: 'malformed' | 'local' = 'malformed',
): Uint8Array {
  if (bytes.length !== length) {
    throw new ProtocolError(kind, `${bytes.length} octets`, { field, expected: `${length} octets` });
  }
  return bytes;
}

/** The octets of both, which are equally long, added without carry. */
export function xor(first: Uint8Array, second: Uint8Array): Uint8Array {
  return first.map((octet, index) => octet ^ (second[index] ?? 0));
}
