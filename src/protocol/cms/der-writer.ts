import { concatBytes } from '../../base/bytes.ts';
import { derTag } from './der-reader.ts';

/** One DER element: identifier octet, shortest definite length, contents. */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return concatBytes(Uint8Array.of(tag), derLength(length), ...contents);
}

export function derSequence(...elements: readonly Uint8Array[]): Uint8Array {
  return derElement(derTag.sequence, ...elements);
}

/** A SET OF with one element, so that no order is at stake. */
export function derSetOfOne(element: Uint8Array): Uint8Array {
  return derElement(derTag.set, element);
}

export function derOctetString(contents: Uint8Array): Uint8Array {
  return derElement(derTag.octetString, contents);
}

/** @param value 0 to 127. */
export function derSmallInteger(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 127) throw new RangeError(`${value} is not within 0 to 127`);
  return derElement(derTag.integer, Uint8Array.of(value));
}

/** @param dotted for example `1.2.840.113549.1.7.1`. */
export function derObjectIdentifier(dotted: string): Uint8Array {
  const [top = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return derElement(derTag.objectIdentifier, Uint8Array.from([top * 40 + second, ...rest].flatMap(base128)));
}

function derLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(0x80 | octets.length, ...octets);
}

function base128(arc: number): number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift(0x80 | (rest % 128));
  return octets;
}
