import { z } from 'zod';
import { concatBytes, equalBytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { deriveKey } from '../../crypto/hkdf.ts';
import { secureRandom } from '../../crypto/random.ts';
import { createSegmentCipher, segmentOverhead, type SegmentCipher } from '../../crypto/segment-cipher.ts';

/*
 * A sealed file:
 *
 *   magic (8) | id (16) | wrapped key: nonce (12), key (32), tag (16) | facts: nonce (12), JSON padded with blanks, tag (16)
 *     = 4096 octets, whatever the name is long
 *   segment 0 | segment 1 | ... | last segment
 *
 * The key is the file's own, wrapped under a key made of that of the store. A segment is a random nonce (12), 65536 octets of the
 * file (fewer in the last one, which is always there) and a tag (16), authenticated together with the id, its number and whether it is
 * the last one: no segment can be changed, left out, moved, taken from another file or from another state of this file's end.
 */
export const headerOctets = 4096;
export const segmentOctets = 64 * 1024;
export const sealedSegmentOctets = segmentOctets + segmentOverhead;

const magic = utf8('TSRSEAL1');
const idOctets = 16;
const wrappedOctets = 32 + segmentOverhead;
const factsAt = magic.length + idOctets + wrappedOctets;
/** Where the key is: without it nobody reads the file any more. */
export const keyRange = { start: magic.length + idOctets, end: factsAt } as const;
const plainFactsOctets = headerOctets - factsAt - segmentOverhead;
const nameCharacters = 512;

/** What is known of a file beside its octets. */
export interface SealedFacts {
  /** As the sender named it. */
  readonly name: string;
  /** Media type, by the sender's word. */
  readonly type: string;
}

const factsSchema = z.strictObject({ name: z.string(), type: z.string() });

/** Seals and opens the segments of one file. */
export interface FileSeal {
  readonly facts: SealedFacts;
  seal(plain: Uint8Array, index: number, isLast: boolean): Uint8Array;
  /** @throws ProtocolError `peer-misbehaved` */
  open(sealed: Uint8Array, index: number, isLast: boolean): Uint8Array;
}

/** Seals the keys of files; made once of the key of the store. */
export class AttachmentKeys {
  readonly #wrapping: SegmentCipher;
  readonly #notes: SegmentCipher;

  /** @param key 32 octets */
  constructor(key: SecretBytes) {
    const [wrapping, notes] = [
      deriveKey(key, 'tessera attachments: file keys'),
      deriveKey(key, 'tessera attachments: notes'),
    ];
    this.#wrapping = createSegmentCipher(wrapping);
    this.#notes = createSegmentCipher(notes);
    wrapping.dispose();
    notes.dispose();
  }

  newFile(facts: SealedFacts): { readonly header: Uint8Array; readonly seal: FileSeal } {
    const id = secureRandom.bytes(idOctets);
    const octets = secureRandom.bytes(32);
    const key = new SecretBytes(octets);
    const bound = concatBytes(magic, id);
    const wrapped = this.#wrapping.seal(octets, bound);
    octets.fill(0);
    const cipher = createSegmentCipher(key);
    key.dispose();
    const kept = fitting(facts);
    const header = concatBytes(bound, wrapped, cipher.seal(padded(kept), concatBytes(bound, utf8('facts'))));
    return { header, seal: fileSeal(cipher, id, kept) };
  }

  /** @throws ProtocolError `peer-misbehaved` for what was not sealed under this key, or was changed since. */
  openHeader(header: Uint8Array): FileSeal {
    if (header.length !== headerOctets || !equalBytes(header.subarray(0, magic.length), magic)) {
      throw new ProtocolError('peer-misbehaved', 'no sealed file', {
        field: 'attachment.header',
        expected: 'its mark',
      });
    }
    const bound = header.subarray(0, magic.length + idOctets);
    const octets = this.#wrapping.open(header.subarray(keyRange.start, keyRange.end), bound);
    const key = new SecretBytes(octets);
    octets.fill(0);
    const cipher = createSegmentCipher(key);
    key.dispose();
    const facts = cipher.open(header.subarray(factsAt), concatBytes(bound, utf8('facts')));
    return fileSeal(
      cipher,
      bound.slice(magic.length),
      factsSchema.parse(JSON.parse(fromUtf8(facts, 'attachment.facts'))),
    );
  }

  /** @param name what the note belongs to: it opens under no other. */
  sealNote(text: string, name: string): Uint8Array {
    return this.#notes.seal(utf8(text), utf8(name));
  }

  /** Undefined when it is not what was sealed. */
  openNote(sealed: Uint8Array, name: string): string | undefined {
    try {
      return fromUtf8(this.#notes.open(sealed, utf8(name)), 'attachment.note');
    } catch (error) {
      assertProtocolError(error);
      return undefined;
    }
  }
}

function fileSeal(cipher: SegmentCipher, id: Uint8Array, facts: SealedFacts): FileSeal {
  const place = (index: number, isLast: boolean): Uint8Array => {
    const bound = new Uint8Array(idOctets + 9);
    bound.set(id);
    new DataView(bound.buffer).setBigUint64(idOctets, BigInt(index));
    bound[idOctets + 8] = isLast ? 1 : 0;
    return bound;
  };
  return {
    facts,
    seal: (plain, index, isLast) => cipher.seal(plain, place(index, isLast)),
    open: (sealed, index, isLast) => cipher.open(sealed, place(index, isLast)),
  };
}

/** Octets of the file in a sealed one of this size, were it whole. */
export function plainOctets(sealedOctets: number): number {
  const rest = Math.max(0, sealedOctets - headerOctets);
  return Math.max(0, rest - Math.ceil(rest / sealedSegmentOctets) * segmentOverhead);
}

function fitting({ name, type }: SealedFacts): SealedFacts {
  return {
    name: Array.from(name.toWellFormed()).slice(0, nameCharacters).join(''),
    type: type.toWellFormed().slice(0, 256),
  };
}

function padded(facts: SealedFacts): Uint8Array {
  const octets = new Uint8Array(plainFactsOctets).fill(0x20);
  const text = utf8(JSON.stringify(facts));
  if (text.length > octets.length)
    return padded({ name: Array.from(facts.name).slice(0, 64).join(''), type: facts.type.slice(0, 64) });
  octets.set(text);
  return octets;
}
