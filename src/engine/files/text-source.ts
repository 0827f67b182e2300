import { toHex } from '../../base/bytes.ts';
import { sha1, sha256 } from '../../crypto/digest.ts';
import type { FileHash } from '../../protocol/sdp/index.ts';
import type { FileSource } from './file-storage.ts';

const pieceOctets = 64 * 1024;

/**
 * A text as the file that it travels as when it is too long for a message. It is never written to a disk of this side.
 * @param at when it was written, milliseconds since 1970; part of the file's name.
 */
export function textSource(text: Uint8Array, at: number): FileSource {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
  return {
    name: `message-${time}.txt`,
    size: text.length,
    type: 'text/plain',
    modifiedAt: at,
    hashes: () => Promise.resolve([hashOf('sha-1', sha1(text)), hashOf('sha-256', sha256(text))]),
    // eslint-disable-next-line @typescript-eslint/require-await -- the pieces are there already
    read: async function* (start) {
      for (let at = start; at < text.length; at += pieceOctets) yield text.subarray(at, at + pieceOctets);
    },
  };
}

function hashOf(algorithm: string, digest: Uint8Array): FileHash {
  return { algorithm, value: (toHex(digest).toUpperCase().match(/../g) ?? []).join(':') };
}
