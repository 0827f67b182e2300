import { open, type FileHandle } from 'node:fs/promises';
import { ProtocolError } from '../../base/errors.ts';
import {
  headerOctets,
  sealedSegmentOctets,
  segmentOctets,
  type AttachmentKeys,
  type FileSeal,
} from './sealed-format.ts';

/** @throws ProtocolError `peer-misbehaved`, field `attachment.*`, for what is no file sealed under this key. */
export async function readHeader(file: FileHandle, keys: AttachmentKeys): Promise<FileSeal> {
  const header = new Uint8Array(headerOctets);
  const { bytesRead } = await file.read(header, 0, headerOctets, 0);
  return keys.openHeader(header.subarray(0, bytesRead));
}

/**
 * The octets of a sealed file from `start` on, each segment checked before any of it is given. What comes before an error is true, but
 * the whole is only when the end was reached.
 * @throws ProtocolError `peer-misbehaved`, field `attachment.segment`, for a file that was changed, cut or put together anew.
 */
export async function* readSealed(path: string, keys: AttachmentKeys, start = 0): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const seal = await readHeader(file, keys);
    const { size } = await file.stat();
    const segments = Math.max(1, Math.ceil((size - headerOctets) / sealedSegmentOctets));
    for (let index = Math.floor(start / segmentOctets); index < segments; index++) {
      const plain = await readSegment(file, seal, index, index === segments - 1);
      const from = Math.max(0, start - index * segmentOctets);
      if (from < plain.length) yield from === 0 ? plain : plain.subarray(from);
    }
  } finally {
    await file.close();
  }
}

/** @throws ProtocolError `peer-misbehaved`, field `attachment.segment` */
export async function readSegment(
  file: FileHandle,
  seal: FileSeal,
  index: number,
  isLast: boolean,
): Promise<Uint8Array> {
  const sealed = Buffer.allocUnsafe(sealedSegmentOctets);
  const { bytesRead } = await file.read(sealed, 0, sealed.length, headerOctets + index * sealedSegmentOctets);
  try {
    return seal.open(sealed.subarray(0, bytesRead), index, isLast);
  } catch (cause) {
    throw new ProtocolError('peer-misbehaved', `segment ${index} was changed, or the file was cut`, {
      field: 'attachment.segment',
      expected: 'what was sealed',
      cause,
    });
  }
}
