import { z } from 'zod';
import { fromHex, toHex } from '../base/bytes.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import type { MilenageKeys } from '../protocol/gba/index.ts';

/** What a user of the lab shares with the network. */
export interface UserSecrets {
  readonly password: string;
  /** K and OPc of the user's SIM; everybody has one. */
  readonly sim: MilenageKeys;
  /** Names the key at the KMS (IDRpsk). */
  readonly pskId: string;
  /** 32 octets. */
  readonly psk: SecretBytes;
}

const hex = (octets: number) => z.string().regex(new RegExp(`^[0-9a-f]{${octets * 2}}$`));

/** A user in the state file. */
export const savedUserSchema = z.strictObject({
  name: z.string(),
  password: z.string(),
  pskId: z.string(),
  psk: hex(32),
  k: hex(16),
  opc: hex(16),
});
export type SavedUser = z.output<typeof savedUserSchema>;

export function saveUser({ name, password, pskId, psk, sim }: UserSecrets & { readonly name: string }): SavedUser {
  return { name, password, pskId, psk: psk.use(toHex), k: sim.k.use(toHex), opc: sim.opc.use(toHex) };
}

export function restoreUser({ password, pskId, psk, k, opc }: SavedUser): UserSecrets {
  const secret = (text: string): SecretBytes => new SecretBytes(fromHex(text));
  return { password, pskId, psk: secret(psk), sim: { k: secret(k), opc: secret(opc) } };
}
