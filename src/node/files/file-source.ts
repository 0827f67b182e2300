import { open, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { ProtocolError } from '../../base/errors.ts';
import { toHex } from '../../base/bytes.ts';
import { startDigest } from '../../crypto/digest.ts';
import type { FileSource } from '../../engine/files/file-storage.ts';
import type { FileHash } from '../../protocol/sdp/index.ts';
import { mediaTypeOf } from './media-types.ts';

const pieceOctets = 256 * 1024;

/** @throws ProtocolError `local`, field `file.path`. */
export async function openFileSource(path: string): Promise<FileSource> {
  const facts = await stat(path).catch((cause: unknown) => unreadable('cannot be read', cause));
  if (!facts.isFile()) unreadable('is no ordinary file');
  const { size, mtimeMs } = facts;

  async function* read(start: number): AsyncGenerator<Uint8Array> {
    const file = await open(path, 'r').catch((cause: unknown) => unreadable('cannot be read', cause));
    try {
      let position = start;
      while (position < size) {
        // A buffer of its own for each piece: the pieces are on their way while the next is read.
        const buffer = Buffer.allocUnsafe(Math.min(pieceOctets, size - position));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) unreadable('became shorter while it was read');
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
      const now = await file.stat();
      if (now.size !== size || now.mtimeMs !== mtimeMs) unreadable('was changed while it was read');
    } finally {
      await file.close();
    }
  }

  return {
    name: basename(path),
    size,
    type: mediaTypeOf(extname(path)),
    modifiedAt: Math.trunc(mtimeMs),
    read,
    async hashes() {
      const [sha256, sha1] = [startDigest('sha256'), startDigest('sha1')];
      for await (const piece of read(0)) {
        sha256.update(piece);
        sha1.update(piece);
      }
      return [hashOf('sha-1', sha1.finish()), hashOf('sha-256', sha256.finish())];
    },
  };
}

export function hashOf(algorithm: string, digest: Uint8Array): FileHash {
  return { algorithm, value: (toHex(digest).toUpperCase().match(/../g) ?? []).join(':') };
}

function unreadable(problem: string, cause?: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  throw new ProtocolError('local', `${problem}${code}`, {
    field: 'file.path',
    expected: 'a file that can be read',
    cause,
  });
}
