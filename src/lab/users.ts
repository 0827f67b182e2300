import { toHex } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import type { MilenageKeys } from '../protocol/gba/index.ts';
import { restoreUser, type SavedUser, type UserSecrets } from './saved-user.ts';

/** One subscriber of the lab. Secrets are made at the first start and live as long as the lab, or its state. */
export interface LabUser extends UserSecrets {
  readonly name: string;
  /** IMPU, `sip:alice@lab.test`. */
  readonly identity: string;
  /** All public identities of the subscription, `identity` first (TS 23.228 4.3.3). */
  readonly identities: readonly string[];
  /** IMPI, the digest user name. */
  readonly privateIdentity: string;
  /** What the registrar asks of the user. */
  readonly authentication: 'digest' | 'aka';
}

export interface UserOptions {
  /** What the registrar asks of each; `digest` unless said. */
  readonly authentication?: Readonly<Record<string, LabUser['authentication']>> | undefined;
  /** SIMs that exist already; the others get fresh keys. */
  readonly sims?: Readonly<Record<string, MilenageKeys>> | undefined;
  /** More public identities (`sip:` or `tel:`) of each. */
  readonly identities?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Secrets of an earlier run; the others get fresh ones. */
  readonly known?: readonly SavedUser[];
}

/** @throws RangeError for a name that is no plain user part, or a repeated one. */
export function createUsers(
  names: readonly string[],
  domain: string,
  random: Random,
  { authentication = {}, sims = {}, identities = {}, known = [] }: UserOptions = {},
): ReadonlyMap<string, LabUser> {
  const users = new Map<string, LabUser>();
  for (const name of names) {
    if (!/^[a-z0-9][a-z0-9.-]{0,31}$/.test(name) || users.has(name)) {
      throw new RangeError(
        `"${name}" is no user name, or stands twice: names are lower-case letters, digits, "." and "-"`,
      );
    }
    const saved = known.find((user) => user.name === name);
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
      ...(saved === undefined ? {} : restoreUser(saved)),
      ...(sims[name] === undefined ? {} : { sim: sims[name] }),
    });
  }
  const unknown = [authentication, sims, identities]
    .flatMap((named) => Object.keys(named))
    .find((name) => !users.has(name));
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is no user`);
  return users;
}
