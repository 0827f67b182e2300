import { toHex, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { bytesIdentity, identityText, sameIdentity, uriIdentity } from '../protocol/mikey/index.ts';
import type { KmsDirectory, KmsSubscriber, MikeyIdentity } from '../protocol/mikey/index.ts';
import { kmsUserIdentity } from '../protocol/sip/identities.ts';
import type { KmsConfig, KmsUserConfig } from './config.ts';

const pskOctets = 32;

interface User extends KmsSubscriber {
  readonly identities: readonly MikeyIdentity[];
  readonly mayRequest: boolean;
  readonly allowed: readonly MikeyIdentity[] | undefined;
}

const wrongConfig = (problem: string, field: string, expected?: string): ProtocolError =>
  new ProtocolError('local', problem, {
    field: `kms.config.${field}`,
    ...(expected === undefined ? {} : { expected }),
  });

/** Looked up by type and octets. */
const keyOf = ({ type, data }: MikeyIdentity): string => `${type} ${toHex(data)}`;

/**
 * The users of a KMS.
 * @throws ProtocolError `local` that names the entry which is wrong, never its key.
 */
export function createDirectory(config: KmsConfig): KmsDirectory {
  // It stands in an HTTP header too, inside quotes.
  if (!/^[!#-[\]-~]+$/.test(config.identity)) {
    throw wrongConfig('not a URI', 'identity', 'for example sip:kms.example.com');
  }
  const byPskId = new Map<string, User>();
  const byIdentity = new Map<string, User>();
  config.users.forEach((entry, index) => {
    const user = readUser(entry, `users[${index}]`);
    addOnce(byPskId, keyOf(bytesIdentity(utf8(entry.pskId))), user, `users[${index}].pskId`);
    for (const identity of user.identities) addOnce(byIdentity, keyOf(identity), user, `users[${index}].identities`);
  });
  const users = new Set(byPskId.values());
  const known = (subscriber: KmsSubscriber): User | undefined => [subscriber as User].find((user) => users.has(user));
  const isAllowed = ({ allowed }: User, responder: MikeyIdentity): boolean =>
    allowed === undefined ||
    allowed.some((one) => sameIdentity(one, responder) || byIdentity.get(keyOf(one))?.owns(responder) === true);
  return {
    findSubscriber: (pskId, claimed) =>
      pskId === undefined ? claimed && byIdentity.get(keyOf(claimed)) : byPskId.get(keyOf(pskId)),
    mayRequest: (subscriber, responders) => {
      const user = known(subscriber);
      return user?.mayRequest === true && responders.every((responder) => isAllowed(user, responder));
    },
    responderFor: (subscriber, responders) => responders.find((responder) => subscriber.owns(responder)),
  };
}

function addOnce(users: Map<string, User>, key: string, user: User, field: string): void {
  if (users.has(key)) throw wrongConfig('belongs to two users', field, 'a value of its own for each user');
  users.set(key, user);
}

function readUser(entry: KmsUserConfig, field: string): User {
  if (entry.pskId === '') throw wrongConfig('empty', `${field}.pskId`, 'the name of the key');
  if (entry.psk.length !== pskOctets) {
    throw wrongConfig(`${entry.psk.length} octets`, `${field}.psk`, `${pskOctets} octets`);
  }
  const identities = entry.identities.map((uri) => canonicalIdentity(uri, `${field}.identities`));
  const identity = identities[0];
  if (identity === undefined) throw wrongConfig('empty', `${field}.identities`, 'at least one URI');
  return {
    name: identityText(identity),
    psk: entry.psk,
    identity,
    identities,
    owns: (other) => identities.some((own) => sameIdentity(own, other)),
    mayRequest: entry.mayRequest ?? true,
    allowed: entry.allowedResponders?.map((uri) => canonicalIdentity(uri, `${field}.allowedResponders`)),
  };
}

function canonicalIdentity(uri: string, field: string): MikeyIdentity {
  try {
    return uriIdentity(kmsUserIdentity(uri));
  } catch {
    throw wrongConfig('not the URI of a user', field, 'sip:user@host or tel:+digits');
  }
}
