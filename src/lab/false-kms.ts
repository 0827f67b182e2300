import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { createDirectory, type SubscriberSource } from '../kms/directory.ts';
import { KeyEncryptionKey } from '../kms/key-encryption-key.ts';
import { createMemoryStorage } from '../kms/memory-storage.ts';
import { seedUsers } from '../kms/users.ts';
import type { KmsConfig } from '../kms/config.ts';
import { createTpkRing, type TpkEntry } from '../kms/tpk-ring.ts';
import {
  KmsMachine,
  type KmsDirectory,
  type KmsSubscriber,
  type KmsUser,
  uriIdentity,
} from '../protocol/mikey/index.ts';
import { profile } from '../protocol/profile.ts';

/**
 * A KMS that takes every question as the real one would and answers it in the right form, but under keys of its own
 * instead of the users'. It has the real one's ticket keys, so that it can answer for any ticket.
 */
export async function createFalseKms(
  config: KmsConfig,
  tpks: readonly TpkEntry[],
  sources: readonly SubscriberSource[],
  random: Random,
): Promise<(question: Uint8Array, now: number) => Promise<Uint8Array | undefined>> {
  const storage = createMemoryStorage();
  const kek = new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);
  await seedUsers(storage, kek, config.users);
  const directory = createDirectory({ storage, kek, sources });
  const machine = new KmsMachine({
    identity: uriIdentity(config.identity),
    tpks: createTpkRing(tpks),
    directory: withFalseKeys(directory, random),
    rules: profile.ticket,
    random,
  });
  return async (question, now) => {
    const granted = await machine.handleTicketRequest(question, now);
    if (granted.outcome === 'answered') return granted.message;
    const resolved = await machine.handleTicketResolve(question, now);
    return resolved.outcome === 'answered' ? resolved.message : undefined;
  };
}

/** Everybody's real key checks the question, which is the first thing it is asked for; a false one is lent after that. */
function withFalseKeys(directory: KmsDirectory, random: Random): KmsDirectory {
  const originals = new WeakMap<KmsUser, KmsSubscriber>();
  const original = (subscriber: KmsUser): KmsUser => originals.get(subscriber) ?? subscriber;
  return {
    async findSubscriber(pskId, claimed) {
      const found = await directory.findSubscriber(pskId, claimed);
      if (found === undefined) return undefined;
      const keys = [found.psk];
      const falseKey = new SecretBytes(random.bytes(found.psk.length));
      const subscriber: KmsSubscriber = {
        name: found.name,
        identity: found.identity,
        owns: (identity) => found.owns(identity),
        get psk() {
          return keys.shift() ?? falseKey;
        },
      };
      originals.set(subscriber, found);
      return subscriber;
    },
    mayRequest: (subscriber, responders) => directory.mayRequest(original(subscriber), responders),
    responderFor: (subscriber, responders, asker) => directory.responderFor(original(subscriber), responders, asker),
  };
}
