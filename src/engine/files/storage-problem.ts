import { describeError, ProtocolError } from '../../base/errors.ts';
import { refuse, type RefusalError } from '../refusal.ts';

/** Why a file could not be stored on this machine, in words. */
export function storageProblem(error: unknown): RefusalError {
  return refuse('storage-failed', 'file', { happened: happenedOf(error), cause: error });
}

function happenedOf(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'The disk of this machine has no room for the file';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return 'The folder for received files may not be written';
  }
  return `The file could not be stored on this machine (${describeError(error)})`;
}

/** The system's code, also of an error that another one carries. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error instanceof ProtocolError ? codeOf(error.cause) : '';
}
