import { z } from 'zod';
import { fromHex } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { KmsUserConfig } from '../config.ts';
import { pskOctets } from '../users.ts';

/** One of `users` in a KMS's configuration: somebody with a key, a certificate, or both. */
export const userEntrySchema = z
  .strictObject({
    identities: z.array(z.string()).min(1),
    pskId: z.string().min(1).optional(),
    psk: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, '64 hexadecimal digits')
      .optional(),
    /** True: any certificate that leads to a trust anchor and names one of the identities. Else fingerprints of the only ones. */
    certificate: z.union([z.literal(true), z.array(z.string()).min(1)]).optional(),
    mayRequest: z.boolean().optional(),
    allowedResponders: z.array(z.string()).optional(),
  })
  .refine(({ pskId, psk }) => (pskId === undefined) === (psk === undefined), 'pskId and psk belong together')
  .refine(({ psk, certificate }) => psk !== undefined || certificate !== undefined, 'neither a key nor a certificate');

/** Who has a certificate alone gets a key all the same, which nobody knows: so a key can take its place later. */
export function readUserEntry(entry: z.infer<typeof userEntrySchema>): KmsUserConfig {
  const { identities, psk, certificate, mayRequest, allowedResponders } = entry;
  return {
    identities,
    pskId: entry.pskId ?? `certificate of ${identities.slice(0, 1).join('')}`,
    psk: new SecretBytes(psk === undefined ? secureRandom.bytes(pskOctets) : fromHex(psk)),
    ...(certificate === undefined ? {} : { certificates: certificate === true ? 'any' : certificate }),
    ...(mayRequest === undefined ? {} : { mayRequest }),
    ...(allowedResponders === undefined ? {} : { allowedResponders }),
  };
}
