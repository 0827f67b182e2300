import { readFile } from 'node:fs/promises';
import { ProtocolError } from '../../base/errors.ts';

/**
 * The text of a file that a configuration names.
 * @param field of the configuration, for the error.
 * @throws ProtocolError `local` with the path and the system's code.
 */
export async function readTextFile(path: string, field: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new ProtocolError('local', `cannot read ${path}: ${code}`, { field });
  }
}
