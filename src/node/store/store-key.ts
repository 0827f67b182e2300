import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { concatBytes, fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { aesGcmOpen, aesGcmSeal } from '../../crypto/aes.ts';
import { hmacSha256 } from '../../crypto/digest.ts';
import { keyFromPassphrase } from '../../crypto/passphrase.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { SecretStore } from '../../engine/ports.ts';
import { StoreError } from '../../engine/store/index.ts';
import { replaceFile } from '../whole-file.ts';
import { codeOf } from './store-error.ts';

const keyOctets = 32;
const saltOctets = 16;
const nonceOctets = 12;
const tagOctets = 16;
/** Name in the keychain. */
export const storeKeyName = 'message-store-key';
const checkText = utf8('tessera message store: key check');
const wrapText = utf8('tessera message store: key under a passphrase');

/** What may give the key of a store, in the order in which it is asked for. */
export interface StoreKeySources {
  /** The key itself, 32 octets. */
  readonly key?: SecretBytes;
  readonly secrets?: SecretStore;
  readonly passphrase?: SecretBytes;
}

const hex = (octets: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * octets}}$`));

/**
 * The file beside the database. It holds no key in the clear: a value by which the right key is known, and, where a passphrase
 * protects it, the key under AES-256-GCM with what scrypt makes of the passphrase.
 */
const keyFileSchema = z.strictObject({
  version: z.literal(1),
  /** HMAC-SHA-256 of a fixed text under the key: tells a wrong key from a damaged database. */
  check: hex(32),
  passphrase: z
    .strictObject({
      /** N = 2^15, r = 8, p = 1. */
      kdf: z.literal('scrypt-15-8-1'),
      salt: hex(saltOctets),
      nonce: hex(nonceOctets),
      wrapped: hex(keyOctets + tagOctets),
    })
    .optional(),
});
type KeyFile = z.infer<typeof keyFileSchema>;

export type StoreKey =
  /** `under`: the passphrase that is to protect it in the file. */
  | { readonly found: 'key'; readonly key: SecretBytes; readonly under?: SecretBytes }
  /** `reason`: a sentence without its full stop, for the user. */
  | { readonly found: 'none'; readonly reason: string };

/**
 * The key of the store in a folder; made and put where it belongs when there is no store yet.
 * @param hasMessages there is a database
 * @throws StoreError `key-missing` when there is one and nothing that was given can open it, `wrong-key` when what was given is not its key
 */
export async function findStoreKey(folder: string, sources: StoreKeySources, hasMessages: boolean): Promise<StoreKey> {
  const file = readKeyFile(folder);
  if (file !== undefined) {
    const known = await knownKey(file, sources, hasMessages);
    if (known !== undefined) return { found: 'key', key: known };
  }
  const made = await newKey(sources, hasMessages);
  if (made.found === 'none') {
    if (hasMessages) throw new StoreError('key-missing', `the key of the kept messages is not at hand: ${made.reason}`);
    return made;
  }
  // A database without its key file is tried with the key that there is, and the file written when that has opened it.
  if (!hasMessages) await writeStoreKeyFile(folder, made);
  return made;
}

/** Writes the file that belongs to a key. */
export async function writeStoreKeyFile(
  folder: string,
  { key, under }: Extract<StoreKey, { found: 'key' }>,
): Promise<void> {
  const wrapped = under === undefined ? {} : { passphrase: await wrap(key, under) };
  await replaceFile(pathIn(folder), JSON.stringify({ version: 1, check: checkOf(key), ...wrapped } satisfies KeyFile));
}

/** Whether the key file is there: without it a failure to open the database may be that of the key. */
export function hasStoreKeyFile(folder: string): boolean {
  return readKeyFile(folder) !== undefined;
}

/** Whether a passphrase protects the key of the messages in a folder. @throws StoreError as `findStoreKey` */
export function hasStorePassphrase(folder: string): boolean {
  return readKeyFile(folder)?.passphrase !== undefined;
}

/** The key stays, only what protects it is new. @throws StoreError `wrong-key` for a wrong old passphrase */
export async function changeStorePassphrase(folder: string, old: SecretBytes, fresh: SecretBytes): Promise<void> {
  const file = readKeyFile(folder);
  if (file?.passphrase === undefined) throw new StoreError('key-missing', 'no passphrase protects the kept messages');
  const key = await unwrap(file.passphrase, old);
  const changed: KeyFile = { version: 1, check: file.check, passphrase: await wrap(key, fresh) };
  key.dispose();
  await replaceFile(pathIn(folder), JSON.stringify(changed));
}

/** Undefined for a lost key under which nothing is kept. */
async function knownKey(
  file: KeyFile,
  sources: StoreKeySources,
  hasMessages: boolean,
): Promise<SecretBytes | undefined> {
  try {
    return await keyOf(file, sources);
  } catch (error) {
    if (!hasMessages && error instanceof StoreError && error.code === 'key-missing') return undefined;
    throw error;
  }
}

async function keyOf(file: KeyFile, { key, secrets, passphrase }: StoreKeySources): Promise<SecretBytes> {
  if (key !== undefined) return checked(file, key);
  if (file.passphrase !== undefined) {
    if (passphrase === undefined) throw new StoreError('key-missing', 'the kept messages need their passphrase');
    return checked(file, await unwrap(file.passphrase, passphrase));
  }
  const kept = await secrets?.get(storeKeyName);
  if (kept !== undefined) return checked(file, kept);
  throw new StoreError(
    'key-missing',
    `the key of the kept messages is not at hand: ${noKeyReason(await secrets?.health())}`,
  );
}

function checked(file: KeyFile, key: SecretBytes): SecretBytes {
  if (file.check === checkOf(key)) return key;
  throw new StoreError('wrong-key', 'the key is not that of the kept messages');
}

/** @param hasMessages only a key that is there already can be of use */
async function newKey({ key, secrets, passphrase }: StoreKeySources, hasMessages: boolean): Promise<StoreKey> {
  if (key !== undefined) {
    if (key.length !== keyOctets) throw new StoreError('wrong-key', `the key of messages has ${keyOctets} octets`);
    return { found: 'key', key };
  }
  const health = await secrets?.health();
  if (secrets !== undefined && health?.usable === true) {
    const kept = await keychainKey(secrets, hasMessages);
    if (kept !== undefined) return { found: 'key', key: kept };
  }
  if (passphrase !== undefined && !hasMessages) return { found: 'key', key: freshKey(), under: passphrase };
  return { found: 'none', reason: noKeyReason(health) };
}

async function keychainKey(secrets: SecretStore, hasMessages: boolean): Promise<SecretBytes | undefined> {
  const kept = await secrets.get(storeKeyName);
  if (kept?.length === keyOctets) return kept;
  if (hasMessages) return undefined;
  const made = freshKey();
  await secrets.set(storeKeyName, made);
  // A keychain that failed at this keeps it in memory only, which is too short for a file.
  return (await isUsable(secrets)) ? made : undefined;
}

function noKeyReason(health: Awaited<ReturnType<SecretStore['health']>> | undefined): string {
  if (health === undefined) return 'There is neither a keychain nor a passphrase for the messages';
  return health.usable
    ? 'The keychain does not have the key of the messages'
    : `The keychain of this system cannot be used (${health.reason}), and there is no passphrase`;
}

async function isUsable(secrets: SecretStore | undefined): Promise<boolean> {
  return secrets !== undefined && (await secrets.health()).usable;
}

const freshKey = (): SecretBytes => new SecretBytes(secureRandom.bytes(keyOctets));

const checkOf = (key: SecretBytes): string => toHex(key.use((octets) => hmacSha256(octets, checkText)));

async function wrap(key: SecretBytes, passphrase: SecretBytes): Promise<NonNullable<KeyFile['passphrase']>> {
  const salt = secureRandom.bytes(saltOctets);
  const nonce = secureRandom.bytes(nonceOctets);
  const wrapping = await derived(passphrase, salt);
  const sealed = wrapping.use((under) => key.use((octets) => aesGcmSeal(under, nonce, octets, wrapText)));
  wrapping.dispose();
  const wrapped = toHex(concatBytes(sealed.ciphertext, sealed.tag));
  return { kdf: 'scrypt-15-8-1', salt: toHex(salt), nonce: toHex(nonce), wrapped };
}

async function unwrap(file: NonNullable<KeyFile['passphrase']>, passphrase: SecretBytes): Promise<SecretBytes> {
  const wrapping = await derived(passphrase, fromHex(file.salt));
  const wrapped = fromHex(file.wrapped);
  try {
    const octets = wrapping.use((under) =>
      aesGcmOpen(under, fromHex(file.nonce), wrapped.subarray(0, keyOctets), wrapped.subarray(keyOctets), wrapText),
    );
    const key = new SecretBytes(octets);
    octets.fill(0);
    return key;
  } catch (cause) {
    throw new StoreError('wrong-key', 'the passphrase is not that of the kept messages', { cause });
  } finally {
    wrapping.dispose();
  }
}

async function derived(passphrase: SecretBytes, salt: Uint8Array): Promise<SecretBytes> {
  // The passphrase is lent for one call only, and the derivation outlasts it.
  const octets = passphrase.use((lent) => Uint8Array.from(lent));
  const key = await keyFromPassphrase(octets, salt);
  octets.fill(0);
  const secret = new SecretBytes(key);
  key.fill(0);
  return secret;
}

const pathIn = (folder: string): string => join(folder, 'messages.key');

/** Undefined when there is none. @throws StoreError `damaged` for one that cannot be read: without it no passphrase helps */
function readKeyFile(folder: string): KeyFile | undefined {
  let text: string;
  try {
    text = readFileSync(pathIn(folder), 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new StoreError('failed', 'the file messages.key cannot be read', { cause });
  }
  try {
    return keyFileSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new StoreError('damaged', 'the file messages.key is damaged', { cause });
  }
}
