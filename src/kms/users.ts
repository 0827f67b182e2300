import { ProtocolError } from '../base/errors.ts';
import type { SecretBytes } from '../base/secret-bytes.ts';
import { kmsUserIdentity } from '../protocol/sip/identities.ts';
import type { KmsUserConfig } from './config.ts';
import { pskContext, type KeyEncryptionKey } from './key-encryption-key.ts';
import { mainIdentity, type KmsStorage, type StoredUser } from './ports.ts';

/** Length of the key that a user shares with the KMS. */
export const pskOctets = 32;

export const wrongConfig = (problem: string, field: string, expected: string): ProtocolError =>
  new ProtocolError('local', problem, { field: `kms.config.${field}`, expected });

/**
 * Brings a user into the form of storage.
 * @throws ProtocolError `local` that names the field which is wrong, never its key.
 */
export function readUser(entry: KmsUserConfig, field: string): Omit<StoredUser, 'wrappedPsk'> & { psk: SecretBytes } {
  if (entry.pskId === '') throw wrongConfig('empty', `${field}.pskId`, 'the name of the key');
  if (entry.psk.length !== pskOctets) {
    throw wrongConfig(`${entry.psk.length} octets`, `${field}.psk`, `${pskOctets} octets`);
  }
  const identities = [...new Set(entry.identities.map((uri) => canonicalUri(uri, `${field}.identities`)))];
  if (identities.length === 0) throw wrongConfig('empty', `${field}.identities`, 'at least one URI');
  return {
    identities,
    pskId: entry.pskId,
    psk: entry.psk,
    mayRequest: entry.mayRequest ?? true,
    allowedResponders: entry.allowedResponders?.map((uri) => canonicalUri(uri, `${field}.allowedResponders`)),
    isDisabled: false,
    ...(entry.certificates === undefined ? {} : { certificates: readCertificates(entry.certificates, field) }),
  };
}

/** @throws ProtocolError `local` when a fingerprint is none. */
export function readCertificates(certificates: 'any' | readonly string[], field: string): 'any' | readonly string[] {
  if (certificates === 'any') return certificates;
  return certificates.map((fingerprint) => {
    const upper = fingerprint.toUpperCase();
    if (/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/.test(upper)) return upper;
    throw wrongConfig('not a fingerprint', `${field}.certificates`, '32 pairs of hexadecimal digits joined by colons');
  });
}

/** @throws ProtocolError `local` when it is the URI of no user. */
export function canonicalUri(uri: string, field: string): string {
  try {
    return kmsUserIdentity(uri);
  } catch {
    throw wrongConfig('not the URI of a user', field, 'sip:user@host or tel:+digits');
  }
}

/** Wraps a user's key. */
export function wrapUser(
  { psk, ...user }: Omit<StoredUser, 'wrappedPsk'> & { readonly psk: SecretBytes },
  kek: KeyEncryptionKey,
): StoredUser {
  return { ...user, wrappedPsk: kek.wrap(psk, pskContext(user)) };
}

/**
 * Adds the users of a configuration that the storage does not know by their main identity; whom it knows it keeps as it is.
 * @returns main identities of those added.
 * @throws ProtocolError `local` that names the entry which is wrong or stands in the way of another.
 */
export async function seedUsers(
  storage: Pick<KmsStorage, 'users'>,
  kek: KeyEncryptionKey,
  entries: readonly KmsUserConfig[],
): Promise<readonly string[]> {
  const users = entries.map((entry, index) => readUser(entry, `users[${index}]`));
  refuseSharedNames(users);
  const added: string[] = [];
  for (const [index, user] of users.entries()) {
    const main = mainIdentity(user);
    const known = await storage.users.findByIdentity(main);
    if (known !== undefined && mainIdentity(known) === main) continue;
    const outcome = known === undefined ? await storage.users.add(wrapUser(user, kek)) : 'identity-taken';
    if (outcome === 'psk-id-taken') throw belongsToTwo(`users[${index}].pskId`);
    if (outcome === 'identity-taken') throw belongsToTwo(`users[${index}].identities`);
    added.push(main);
  }
  return added;
}

function refuseSharedNames(users: readonly Pick<StoredUser, 'identities' | 'pskId'>[]): void {
  const pskIds = new Set<string>();
  const identities = new Set<string>();
  users.forEach((user, index) => {
    if (pskIds.has(user.pskId)) throw belongsToTwo(`users[${index}].pskId`);
    pskIds.add(user.pskId);
    for (const identity of user.identities) {
      if (identities.has(identity)) throw belongsToTwo(`users[${index}].identities`);
      identities.add(identity);
    }
  });
}

const belongsToTwo = (field: string): ProtocolError =>
  wrongConfig('belongs to two users', field, 'a value of its own for each user');
