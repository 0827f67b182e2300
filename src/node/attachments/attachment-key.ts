import { fromHex, toHex } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { Store } from '../../engine/store/index.ts';

const keyOctets = 32;

/**
 * The key of sealed files. It is in the store, under the key of the store: who can open the one can open the others, and without the
 * store nobody reads them. Resolves when the key is durable: a file that is sealed before would be lost with it.
 * @returns undefined for a store that keeps nothing, or nothing encrypted
 * @throws StoreError
 */
export async function attachmentKey(store: Store): Promise<SecretBytes | undefined> {
  if (store.keeping.kept !== 'encrypted') return undefined;
  const kept = store.notes.get('attachments', 'key');
  if (typeof kept === 'string' && kept.length === 2 * keyOctets) {
    await store.durable();
    return new SecretBytes(fromHex(kept, 'attachments.key'));
  }
  const octets = secureRandom.bytes(keyOctets);
  store.notes.set('attachments', 'key', toHex(octets));
  const key = new SecretBytes(octets);
  octets.fill(0);
  await store.durable();
  return key;
}
