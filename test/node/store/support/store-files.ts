import { createDecipheriv } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { sha256 } from '../../../../src/crypto/digest.ts';

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

const pageOctets = 4_096;
const saltOctets = 16;
const ivOctets = 16;
const macOctets = 64;

/**
 * The pages of a closed database without their encryption, with what stands in their unused parts. SQLCipher 4 by hand: AES-256-CBC
 * under the key as it is, each page followed by its initialisation vector and its MAC, the first begun by the salt.
 */
export function decipheredOctets(path: string, key: SecretBytes): Buffer {
  const octets = readFileSync(path);
  const pages: Buffer[] = [];
  for (let start = 0; start < octets.length; start += pageOctets) {
    const page = octets.subarray(start, start + pageOctets);
    const end = pageOctets - ivOctets - macOctets;
    const cipher = key.use((bytes) => createDecipheriv('aes-256-cbc', bytes, page.subarray(end, end + ivOctets)));
    pages.push(cipher.setAutoPadding(false).update(page.subarray(start === 0 ? saltOctets : 0, end)));
  }
  return Buffer.concat(pages);
}
