import type { Certificate } from '../crypto/x509.ts';
import { identityText, sameIdentity, uriIdentity, type MikeyIdentity } from '../protocol/mikey/index.ts';
import { tryKmsUserIdentity } from '../protocol/sip/identities.ts';
import type { KmsStorage, StoredUser } from './ports.ts';

/** Whom certificates prove besides the users who are marked for it. */
export interface CertificateRules {
  /** Host names in lower case: whoever bears a certificate for an address there is taken as a user. */
  readonly domains: readonly string[];
}

/** What a certificate proves. */
export interface CertifiedIdentities {
  /** All that its bearer may speak under. */
  readonly identities: readonly MikeyIdentity[];
  /** By whom the bearer is judged; somebody disabled before anybody else. */
  readonly judge: StoredUser | undefined;
}

/**
 * Finds out whether a certificate that leads to a trust anchor proves `claimed`: it is named in subjectAltName (a sip or tel URI) or
 * belongs to a user who is, or the certificate itself is the one that the user was entered with. Names are looked up whether the user
 * is known or not, so that the time of an answer does not tell who is.
 */
export async function certifiedIdentities(
  storage: Pick<KmsStorage, 'users' | 'groups'>,
  { domains }: CertificateRules,
  claimed: MikeyIdentity,
  certificate: Certificate,
): Promise<CertifiedIdentities | undefined> {
  if (claimed.type !== 'uri') return undefined;
  const address = identityText(claimed);
  const named = [...new Set(certificate.uris.flatMap((uri) => tryKmsUserIdentity(uri) ?? []))];
  const user = await storage.users.findByIdentity(address);
  const disabled: StoredUser[] = [];
  for (const name of named) {
    const other = await storage.users.findByIdentity(name);
    if (other?.isDisabled === true) disabled.push(other);
  }
  const isOpen = isWithin(domains, address);
  if (user === undefined && isOpen) {
    // A group has members, not a certificate.
    const groups = await storage.groups.list();
    if (groups.some(({ identity }) => identity === address)) return undefined;
  }
  const mayBe = user?.certificates ?? (isOpen ? 'any' : undefined);
  const isProven =
    mayBe === 'any'
      ? (user?.identities ?? [address]).some((identity) => named.includes(identity))
      : mayBe?.includes(certificate.fingerprint) === true;
  if (!isProven) return undefined;
  return { identities: (user?.identities ?? [address]).map(uriIdentity), judge: disabled[0] ?? user };
}

export const ownsOneOf =
  (identities: readonly MikeyIdentity[]) =>
  (other: MikeyIdentity): boolean =>
    identities.some((own) => sameIdentity(own, other));

function isWithin(domains: readonly string[], address: string): boolean {
  const [, host] = /^sip:[^@]+@(.+)$/.exec(address) ?? [];
  return host !== undefined && domains.includes(host);
}
