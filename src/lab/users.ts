import { toHex } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import type { MilenageKeys } from '../protocol/gba/index.ts';

/** One subscriber of the lab. All secrets are made at start and live as long as the lab. */
export interface LabUser {
  readonly name: string;
  /** IMPU, `sip:alice@lab.test`. */
  readonly identity: string;
  /** All public identities of the subscription, `identity` first (TS 23.228 4.3.3). */
  readonly identities: readonly string[];
  /** IMPI, the digest user name. */
  readonly privateIdentity: string;
  readonly password: string;
  /** What the registrar asks of the user. */
  readonly authentication: 'digest' | 'aka';
  /** K and OPc of the user's SIM; everybody has one. */
  readonly sim: MilenageKeys;
  /** Names the key at the KMS (IDRpsk). */
  readonly pskId: string;
  /** 32 octets. */
  readonly psk: SecretBytes;
}

export interface UserOptions {
  /** What the registrar asks of each; `digest` unless said. */
  readonly authentication?: Readonly<Record<string, LabUser['authentication']>> | undefined;
  /** SIMs that exist already; the others get fresh keys. */
  readonly sims?: Readonly<Record<string, MilenageKeys>> | undefined;
  /** More public identities (`sip:` or `tel:`) of each. */
  readonly identities?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** @throws RangeError for a name that is no plain user part, or a repeated one. */
export function createUsers(
  names: readonly string[],
  domain: string,
  random: Random,
  { authentication = {}, sims = {}, identities = {} }: UserOptions = {},
): ReadonlyMap<string, LabUser> {
  const users = new Map<string, LabUser>();
  for (const name of names) {
    if (!/^[a-z0-9][a-z0-9.-]{0,31}$/.test(name) || users.has(name)) {
      throw new RangeError(
        `"${name}" is no user name, or stands twice: names are lower-case letters, digits, "." and "-"`,
      );
    }
    users.set(name, {
      name,
      identity: `sip:${name}@${domain}`,
      identities: [`sip:${name}@${domain}`, ...(identities[name] ?? [])],
      privateIdentity: `${name}@${domain}`,
      password: toHex(random.bytes(12)),
      authentication: authentication[name] ?? 'digest',
      sim: sims[name] ?? { k: new SecretBytes(random.bytes(16)), opc: new SecretBytes(random.bytes(16)) },
      pskId: `${name}-${toHex(random.bytes(4))}`,
      psk: new SecretBytes(random.bytes(32)),
    });
  }
  const unknown = [authentication, sims, identities].flatMap(Object.keys).find((name) => !users.has(name));
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is no user`);
  return users;
}
