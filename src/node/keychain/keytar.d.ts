/**
 * What is used of keytar 7.9, the binding to the operating system's keychain. It is an optional dependency with native code: where it
 * could not be installed its own types are missing too, so the type check goes by these everywhere. A test holds them against the
 * package's own where that is there (test/node/keychain/keytar-declaration.test.ts).
 */
declare module 'keytar' {
  /** @returns null when there is no such entry. */
  export function getPassword(service: string, account: string): Promise<string | null>;
  export function setPassword(service: string, account: string, password: string): Promise<void>;
  /** @returns whether there was such an entry. */
  export function deletePassword(service: string, account: string): Promise<boolean>;
  export function findCredentials(service: string): Promise<{ account: string; password: string }[]>;
}
