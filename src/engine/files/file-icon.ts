import { fromAscii } from '../../base/bytes.ts';
import { randomId, type Random } from '../../base/random.ts';
import type { RelatedPart } from '../sip/index.ts';
import type { FileIcon } from './file-view.ts';

/** It travels in signalling, so it is kept small (RFC 5547 section 8.8). */
export const maxIconOctets = 32 * 1024;

/**
 * A picture that may be shown as a preview: PNG, JPEG or WebP, told by its first octets and not by what its sender calls it.
 * Undefined for anything else. It is decoded by the screens' picture element alone, which never runs what is in it.
 */
export function readIcon(bytes: Uint8Array): FileIcon | undefined {
  if (bytes.length > maxIconOctets) return undefined;
  const contentType = pictureType(bytes);
  return contentType === undefined ? undefined : { contentType, bytes };
}

/** By the first octets; undefined for anything else than PNG, JPEG and WebP. */
export function pictureType(bytes: Uint8Array): FileIcon['contentType'] | undefined {
  const begins = (octets: readonly number[], at = 0): boolean =>
    octets.every((octet, index) => bytes[at + index] === octet);
  if (begins([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'image/png';
  if (begins([0xff, 0xd8, 0xff])) return 'image/jpeg';
  // RIFF, four octets of length, WEBP.
  if (begins([0x52, 0x49, 0x46, 0x46]) && begins([0x57, 0x45, 0x42, 0x50], 8)) return 'image/webp';
  return undefined;
}

/** The body that goes along with the SDP, under a fresh Content-ID. */
export function iconPart({ contentType, bytes }: FileIcon, random: Random): RelatedPart {
  return { contentId: `${randomId(random, 12)}@tessera.invalid`, contentType, bytes };
}

/** The picture that `a=file-icon` names, among the bodies that came with the SDP. */
export function findIcon(contentId: string | undefined, parts: readonly RelatedPart[]): FileIcon | undefined {
  if (contentId === undefined) return undefined;
  const wanted = [contentId, withoutEscapes(contentId)];
  const part = parts.find((candidate) => wanted.includes(candidate.contentId));
  return part === undefined ? undefined : readIcon(part.bytes);
}

/** RFC 2392: in a cid URL characters may be percent-encoded. */
function withoutEscapes(contentId: string): string {
  return contentId.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    fromAscii(Uint8Array.of(Number.parseInt(digits, 16) & 0x7f)),
  );
}
