import { SecretBytes } from '../src/base/secret-bytes.ts';
import { secureRandom } from '../src/crypto/random.ts';
import type { SecretStore, TicketStorage } from '../src/engine/ports.ts';
import { createTicketStore } from '../src/node/ticket-store.ts';

const keyOctets = 32;

/**
 * Where an account's key tickets outlive the program: a file in the program's data folder under a key of their own in the
 * keychain. Where the keychain cannot be used they stay in memory.
 */
export async function ticketStorage(folder: string, identity: string, secrets: SecretStore): Promise<TicketStorage> {
  const key = await keyFor(`${identity} ticket-cache-key`, secrets);
  const health = await secrets.health();
  if (!health.usable)
    return { kept: 'memory', reason: `The keychain of this system cannot be used (${health.reason})` };
  return { kept: 'sealed', store: createTicketStore(folder, identity), key: { kind: 'key', key } };
}

async function keyFor(name: string, secrets: SecretStore): Promise<SecretBytes> {
  const known = await secrets.get(name);
  if (known?.length === keyOctets) return known;
  const made = new SecretBytes(secureRandom.bytes(keyOctets));
  await secrets.set(name, made);
  return made;
}
