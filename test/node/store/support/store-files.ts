import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { sha256 } from '../../../../src/crypto/digest.ts';
import { loadSqlite } from '../../../../src/node/sqlite/binding.ts';

export const testKey = (octet = 7): SecretBytes => new SecretBytes(new Uint8Array(32).fill(octet));

/** Name and digest of each file in a folder. */
export function snapshotOf(folder: string): Readonly<Record<string, string>> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, toHex(sha256(readFileSync(join(folder, name))))]));
}

/** All octets of a folder's files. */
export function octetsIn(folder: string): Buffer {
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}

/** A closed database without its encryption, free pages and all. */
export function decipheredOctets(path: string, key: SecretBytes): Buffer {
  const copy = `${path}.plain`;
  copyFileSync(path, copy);
  const database = new (loadSqlite())(copy, { timeout: 1_000 });
  database.pragma("cipher = 'sqlcipher'");
  database.pragma('legacy = 4');
  key.use((octets) => database.pragma(`key = "x'${toHex(octets)}'"`));
  database.pragma('journal_mode = DELETE');
  database.pragma("rekey = ''");
  database.close();
  return readFileSync(copy);
}
