import { statfs } from 'node:fs/promises';
import { ProtocolError } from '../../base/errors.ts';

/** Left free on the disk, so that a file that just fits does not stop everything else. */
const spareOctets = 64 * 1024 * 1024;

/** @throws ProtocolError `local`, field `file.folder`, when there is no room */
export async function refuseFullDisk(folder: string, octets: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < octets + spareOctets) {
    throw new ProtocolError('local', 'no room on the disk', {
      field: 'file.folder',
      expected: `${octets} octets free`,
      cause: Object.assign(new Error('no room on the disk'), { code: 'ENOSPC' }),
    });
  }
}
