// tsyringe, inside @peculiar/x509, wants it at load time.
import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { ProtocolError } from '../base/errors.ts';
import { commonNameOf, ecdsaP256, exportPrivateKeyPem, generateKeyPair } from './certificate-keys.ts';

export interface LeafNames {
  readonly dnsNames: readonly string[];
  /** IPv4 or IPv6 literals. */
  readonly ipAddresses: readonly string[];
}

export interface LeafOptions {
  /** Also for the client's side of mutual TLS. */
  readonly alsoClient?: boolean;
  /** Milliseconds since 1970; the root's bounds where absent. */
  readonly validFrom?: number;
  readonly validUntil?: number;
}

export interface CertificateAuthority {
  readonly certificatePem: string;
  /** A TLS certificate for these names. @throws ProtocolError `local` when there is no name at all. */
  issue(
    names: LeafNames,
    options?: LeafOptions,
  ): Promise<{ readonly certificatePem: string; readonly privateKeyPem: string }>;
}

const hourMilliseconds = 3_600_000;
const yearMilliseconds = 365 * 24 * hourMilliseconds;

/**
 * A root of EC P-256 that lives only in memory, for the lab and for tests.
 * @param now milliseconds since 1970; root and leaves are valid from one hour before to one year after.
 */
export async function createCertificateAuthority(options: {
  readonly commonName: string;
  readonly now: number;
}): Promise<CertificateAuthority> {
  const keys = await generateKeyPair();
  const validity = {
    notBefore: new Date(options.now - hourMilliseconds),
    notAfter: new Date(options.now + yearMilliseconds),
  };
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      name: commonNameOf(options.commonName),
      ...validity,
      keys,
      signingAlgorithm: ecdsaP256,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return {
    certificatePem: pem(root),
    issue: async (names, { alsoClient = false, validFrom, validUntil } = {}) => {
      const leafKeys = await generateKeyPair();
      const leaf = await X509CertificateGenerator.create(
        {
          subject: commonNameOf(firstName(names)),
          issuer: root.subjectName,
          notBefore: validFrom === undefined ? validity.notBefore : new Date(validFrom),
          notAfter: validUntil === undefined ? validity.notAfter : new Date(validUntil),
          publicKey: leafKeys.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm: ecdsaP256,
          extensions: await leafExtensions(names, alsoClient, leafKeys.publicKey, keys.publicKey),
        },
        webcrypto,
      );
      return { certificatePem: pem(leaf), privateKeyPem: await exportPrivateKeyPem(leafKeys.privateKey) };
    },
  };
}

async function leafExtensions(
  names: LeafNames,
  alsoClient: boolean,
  subject: webcrypto.CryptoKey,
  issuer: webcrypto.CryptoKey,
) {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ...(alsoClient ? [ExtendedKeyUsage.clientAuth] : [])]),
    new SubjectAlternativeNameExtension([
      ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
      ...names.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
    ]),
    await SubjectKeyIdentifierExtension.create(subject, false, webcrypto),
    await AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
  ];
}

function firstName(names: LeafNames): string {
  const first = names.dnsNames[0] ?? names.ipAddresses[0];
  if (first === undefined) {
    throw new ProtocolError('local', 'no name given', { field: 'certificate.names', expected: 'at least one name' });
  }
  return first;
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
