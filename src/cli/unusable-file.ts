import { describeError, ProtocolError } from '../base/errors.ts';
import { RpcError } from './json-rpc.ts';

/** For a file that cannot be read, written or used: by its reason and without its content. What has another cause goes on. */
export function unusableFile(error: unknown, field = 'path'): never {
  if (error instanceof RpcError) throw error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === undefined && !(error instanceof ProtocolError)) throw error;
  throw new RpcError('file-unusable', `The file cannot be used: ${code ?? describeError(error)}.`, field);
}
