import { StoreError, type StoreErrorCode } from '../../engine/store/index.ts';

const codes: readonly (readonly [prefix: string, code: StoreErrorCode, words: string])[] = [
  ['SQLITE_FULL', 'full', 'there is no room for messages on the disk'],
  ['ENOSPC', 'full', 'there is no room for messages on the disk'],
  ['EDQUOT', 'full', 'there is no room for messages on the disk'],
  ['SQLITE_READONLY', 'read-only', 'the file of the messages can only be read'],
  ['EROFS', 'read-only', 'the file of the messages can only be read'],
  ['EACCES', 'read-only', 'the file of the messages can only be read'],
  ['SQLITE_CORRUPT', 'damaged', 'the file of the messages is damaged'],
  ['SQLITE_NOTADB', 'damaged', 'the file of the messages is damaged'],
  ['SQLITE_BUSY', 'in-use', 'another program uses the file of the messages'],
];

/** Any failure as the store's, in words that name neither contents nor keys. */
export function storeErrorOf(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const code = codeOf(cause);
  const [, kind, words] = codes.find(([prefix]) => code.startsWith(prefix)) ?? [
    '',
    'failed',
    'messages cannot be kept',
  ];
  return new StoreError(kind, code === '' ? words : `${words} (${code})`, { cause });
}

/** The code of an error of SQLite or of the operating system; empty for every other error. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
