import { readFile, stat } from 'node:fs/promises';
import { fromHex, toHex } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { loadKeytar, type Keytar } from '../../node/keychain/load-keytar.ts';
import { createFile } from '../../node/whole-file.ts';
import type { KekSource } from './storage-config.ts';

const keyOctets = 32;
const keychainService = 'Tessera KMS';

const wrongKek = (problem: string, expected: string, cause?: unknown): ProtocolError =>
  new ProtocolError('local', problem, { field: 'kms.keyEncryptionKey', expected, cause });

export interface KekReading {
  readonly random: Random;
  /** Makes a key where there is none; only for a storage that holds nothing yet. */
  readonly mayCreate: boolean;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly keychain?: () => Promise<Pick<Keytar, 'getPassword' | 'setPassword'>>;
}

/**
 * The octets of the key-encryption key: 64 hexadecimal digits in a file that only its owner can read, in an environment
 * variable, or in the keychain under the service "Tessera KMS". A file or keychain entry is made for a new storage.
 * @throws ProtocolError `local` (field `kms.keyEncryptionKey`) when it is missing, readable to others, or no key.
 */
export function readKek(source: KekSource, reading: KekReading): Promise<SecretBytes> {
  if ('file' in source) return fromFile(source.file, reading);
  if ('environment' in source) return fromEnvironment(source.environment, reading.environment ?? process.env);
  return fromKeychain(source.keychain, reading);
}

async function fromFile(path: string, { mayCreate, random }: KekReading): Promise<SecretBytes> {
  try {
    const { mode } = await stat(path);
    // Windows has no such bits: there the folder's access list decides.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw wrongKek(`others can read ${path}`, 'mode 0600');
    return parseKey(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    if (!mayCreate) throw missing(path);
  }
  const octets = random.bytes(keyOctets);
  const isOurs = await createFile(path, `${toHex(octets)}\n`);
  const made = taken(octets);
  if (isOurs) return made;
  // Another process made one at the same moment: that one counts.
  made.dispose();
  return fromFile(path, { random, mayCreate: false });
}

function fromEnvironment(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<SecretBytes> {
  const value = environment[name];
  return value === undefined
    ? Promise.reject(missing(`environment variable ${name}`))
    : Promise.resolve().then(() => parseKey(value, `environment variable ${name}`));
}

async function fromKeychain(name: string, reading: KekReading): Promise<SecretBytes> {
  try {
    const keychain = await (reading.keychain ?? loadKeytar)();
    const value = await keychain.getPassword(keychainService, name);
    if (value !== null) return parseKey(value, `keychain entry ${name}`);
    if (!reading.mayCreate) throw missing(`keychain entry ${name}`);
    const octets = reading.random.bytes(keyOctets);
    await keychain.setPassword(keychainService, name, toHex(octets));
    if ((await keychain.getPassword(keychainService, name)) !== toHex(octets)) {
      throw wrongKek('the keychain does not keep what is put into it', 'a keychain that runs');
    }
    return taken(octets);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw wrongKek(`no keychain: ${describeError(error)}`, 'a keychain that runs, or a file', error);
  }
}

const missing = (what: string): ProtocolError =>
  wrongKek(`${what} is missing`, 'the key that this storage was made with');

function parseKey(text: string, where: string): SecretBytes {
  const digits = text.trim();
  if (!/^[0-9a-fA-F]{64}$/.test(digits)) throw wrongKek(`${where} holds no key`, '64 hexadecimal digits');
  return taken(fromHex(digits));
}

function taken(octets: Uint8Array): SecretBytes {
  const secret = new SecretBytes(octets);
  octets.fill(0);
  return secret;
}
