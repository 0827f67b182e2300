// tsyringe, inside @peculiar/x509, wants it at load time.
import 'reflect-metadata';
import { SubjectAlternativeNameExtension, X509Certificate as ReadableCertificate } from '@peculiar/x509';
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate with more names is not read to the end. */
const maxNames = 256;

/**
 * Whether the certificate of a SIP server is one of the domain `name` (RFC 5922 7.1, 7.2): by a `sip:` URI without a user among its
 * subjectAltName, or, where there is none of these, by a DNS name. Names are compared whole: no wildcard counts, and no common name.
 * A `name` that is an IP address is looked for among the IP addresses.
 * The chain of the certificate is not judged here.
 */
export function provesSipDomain(der: Uint8Array, name: string): boolean {
  if (isIP(name) !== 0) return new X509Certificate(der).checkIP(name) !== undefined;
  const names = alternativeNames(der);
  const domains = names.filter(({ type }) => type === 'url').flatMap(({ value }) => sipDomain(value));
  const proven = domains.length > 0 ? domains : names.filter(({ type }) => type === 'dns').map(({ value }) => value);
  return proven.some((one) => sameName(one, name));
}

function alternativeNames(der: Uint8Array): readonly { readonly type: string; readonly value: string }[] {
  try {
    const names = new ReadableCertificate(Uint8Array.from(der)).getExtension(SubjectAlternativeNameExtension);
    return names?.names.items.slice(0, maxNames) ?? [];
  } catch {
    // What cannot be read proves nothing.
    return [];
  }
}

/** RFC 5922 7.1: a URI with a user part is one of a user, not of a domain. */
function sipDomain(uri: string): string[] {
  const host = /^sip:([^@;?]+)$/i.exec(uri)?.[1]?.replace(/:[0-9]+$/, '');
  return host === undefined ? [] : [host];
}

function sameName(one: string, other: string): boolean {
  return one.replace(/\.$/, '').toLowerCase() === other.replace(/\.$/, '').toLowerCase();
}
