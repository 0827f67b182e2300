import { fromUtf8 } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { identityText, uriIdentity } from '../protocol/mikey/index.ts';
import type { KmsDirectory, KmsSubscriber, KmsUser, Later, MikeyIdentity } from '../protocol/mikey/index.ts';
import { certifiedIdentities, ownsOneOf, type CertificateRules } from './certified-users.ts';
import { pskContext, type KeyEncryptionKey } from './key-encryption-key.ts';
import { KmsStorageError, mainIdentity, type KmsStorage, type StoredUser } from './ports.ts';
import { pskOctets } from './users.ts';

/** A subscriber of a source, with all identities that it owns. */
export interface SourcedSubscriber extends KmsSubscriber {
  readonly identities: readonly MikeyIdentity[];
}

/** Where subscribers come from whose keys the storage does not keep, for example bootstrapping (GBA). */
export interface SubscriberSource {
  /** As `KmsDirectory.findSubscriber`; asked for what the storage does not know. */
  findSubscriber(
    pskId: MikeyIdentity | undefined,
    claimed: MikeyIdentity | undefined,
  ): Later<SourcedSubscriber | undefined>;
}

export interface StoredDirectoryOptions {
  readonly storage: Pick<KmsStorage, 'users' | 'groups'>;
  readonly kek: KeyEncryptionKey;
  readonly sources?: readonly SubscriberSource[];
  /** Without them nobody is known by certificate. */
  readonly certificates?: CertificateRules;
  /** Users may make tickets themselves, under the key that they share with the KMS (RFC 6043 mode 3); not when absent. */
  readonly ticketsMadeByUsers?: boolean;
}

/**
 * The users of a storage, asked anew for each question, so that a change made anywhere holds at once. A subscriber of
 * another source is judged by the stored user with one of its identities; one whom the storage does not know may ask for
 * tickets to anybody.
 */
export function createDirectory(options: StoredDirectoryOptions): KmsDirectory {
  const { storage, kek, sources = [], certificates, ticketsMadeByUsers = false } = options;
  const stored = new WeakMap<KmsUser, StoredUser>();
  const sourced = new WeakMap<KmsUser, SourcedSubscriber>();
  const decoy = { identities: ['nobody'], pskId: '' };
  const wrappedDecoy = kek.wrap(new SecretBytes(new Uint8Array(pskOctets)), pskContext(decoy));

  const subscriberOf = (user: StoredUser): KmsSubscriber => {
    const identities = user.identities.map(uriIdentity);
    const [identity = uriIdentity('')] = identities;
    const subscriber: KmsSubscriber = {
      name: identityText(identity),
      psk: openPsk(user, kek),
      identity,
      owns: ownsOneOf(identities),
    };
    stored.set(subscriber, user);
    return subscriber;
  };

  const userWith = async (identity: MikeyIdentity | undefined): Promise<StoredUser | undefined> =>
    identity?.type === 'uri' ? storage.users.findByIdentity(identityText(identity)) : undefined;

  const userOf = async (subscriber: KmsUser): Promise<StoredUser | undefined> =>
    stored.get(subscriber) ?? (await judge(sourced.get(subscriber)?.identities ?? [subscriber.identity]));

  /** Whoever is disabled under one of their identities is so under each. */
  const judge = async (identities: readonly MikeyIdentity[]): Promise<StoredUser | undefined> => {
    const users: StoredUser[] = [];
    for (const identity of identities) {
      const user = await userWith(identity);
      if (user !== undefined) users.push(user);
    }
    return users.find(({ isDisabled }) => isDisabled) ?? users[0];
  };

  const isAllowed = async (allowed: readonly string[], responder: MikeyIdentity): Promise<boolean> => {
    if (responder.type !== 'uri') return false;
    if (allowed.includes(identityText(responder))) return true;
    const user = await userWith(responder);
    if (user === undefined) return false;
    if (user.identities.some((alias) => allowed.includes(alias))) return true;
    return (await storage.groups.groupsOf(mainIdentity(user))).some((group) => allowed.includes(group));
  };

  const directory: KmsDirectory = {
    async findSubscriber(pskId, claimed) {
      const name = keyName(pskId);
      const user =
        pskId === undefined
          ? await userWith(claimed)
          : name === undefined
            ? undefined
            : await storage.users.findByPskId(name);
      if (user !== undefined) return subscriberOf(user);
      for (const source of sources) {
        const found = await source.findSubscriber(pskId, claimed);
        if (found === undefined) continue;
        sourced.set(found, found);
        return found;
      }
      // As much work as for somebody known: the time of an answer tells nobody who is.
      kek.unwrap(wrappedDecoy, pskContext(decoy)).dispose();
      return undefined;
    },

    async findCertified(claimed, certificate) {
      const found = certificates && (await certifiedIdentities(storage, certificates, claimed, certificate));
      if (found === undefined) return undefined;
      const { identities, judge: judging } = found;
      const [identity = claimed] = identities;
      const user: KmsUser = { name: identityText(identity), identity, owns: ownsOneOf(identities) };
      if (judging !== undefined) stored.set(user, judging);
      return user;
    },

    async mayRequest(subscriber, responders) {
      const user = await userOf(subscriber);
      if (user === undefined) return true;
      if (user.isDisabled || !user.mayRequest) return false;
      if (user.allowedResponders === undefined) return true;
      for (const responder of responders) if (!(await isAllowed(user.allowedResponders, responder))) return false;
      return true;
    },

    async isHeard(initiator) {
      return (await userWith(initiator))?.isDisabled !== true;
    },

    async responderFor(subscriber, responders) {
      const user = await userOf(subscriber);
      if (user?.isDisabled === true) return undefined;
      const own = responders.find((responder) => subscriber.owns(responder));
      if (own !== undefined || user === undefined) return own;
      const groups = await storage.groups.groupsOf(mainIdentity(user));
      return responders.find(({ type, data }) => type === 'uri' && groups.includes(identityText({ type, data })));
    },
  };
  if (!ticketsMadeByUsers) return directory;
  return {
    ...directory,
    async findTicketMaker(tpkId) {
      const user = await directory.findSubscriber(tpkId, undefined);
      return user === undefined ? undefined : { user, tpk: user.psk };
    },
  };
}

/** A key that does not open is a fault of ours, and none of the sender's. */
function openPsk(user: StoredUser, kek: KeyEncryptionKey): SecretBytes {
  try {
    return kek.unwrap(user.wrappedPsk, pskContext(user));
  } catch (cause) {
    throw new KmsStorageError(`the key of ${mainIdentity(user)} does not open: ${describeError(cause)}`, {
      cause,
    });
  }
}

/** The name of a stored key, or `undefined` for what can be none. */
function keyName(pskId: MikeyIdentity | undefined): string | undefined {
  if (pskId?.type !== 'bytes') return undefined;
  try {
    return fromUtf8(pskId.data);
  } catch {
    return undefined;
  }
}
