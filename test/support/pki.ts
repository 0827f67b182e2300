import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  Extension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { toBase64 } from '../../src/base/bytes.ts';

const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: Uint8Array.of(1, 0, 1),
  modulusLength: 2048,
} as const;

export { KeyUsageFlags };

export interface Keys {
  readonly pair: webcrypto.CryptoKeyPair;
  /** DER of PKCS #8. */
  readonly pkcs8: Uint8Array;
}

export interface Issued {
  readonly certificate: X509Certificate;
  readonly der: Uint8Array;
  readonly pem: string;
  readonly keys: Keys;
}

export interface CertificateWishes {
  readonly name: string;
  readonly keys: Keys;
  /** Self-signed without. */
  readonly issuer?: Issued;
  readonly from?: number;
  readonly until?: number;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly authority?: boolean | { readonly pathLength: number };
  readonly usage?: KeyUsageFlags | null;
  readonly purposes?: readonly string[];
  readonly unknownCriticalExtension?: boolean;
  /** Of the signature by an issuer with an elliptic curve; an RSA key here has SHA-256 built in. */
  readonly hash?: 'SHA-256' | 'SHA-1';
}

/** The middle of the validity of what is made here when nothing else is said: wide enough for fake and real clocks. */
const always = { from: Date.UTC(2020, 0, 1), until: Date.UTC(2099, 0, 1) };

export async function makeKeys(kind: 'rsa' | 'rsa-1024' | 'ec' = 'rsa'): Promise<Keys> {
  const { subtle } = webcrypto;
  const usages = ['sign', 'verify'] as const;
  const pair =
    kind === 'ec'
      ? await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, usages)
      : await subtle.generateKey({ ...rsa, modulusLength: kind === 'rsa' ? 2048 : 1024 }, true, usages);
  return { pair, pkcs8: new Uint8Array(await subtle.exportKey('pkcs8', pair.privateKey)) };
}

export function privateKeyPem({ pkcs8 }: Keys): string {
  const lines = toBase64(pkcs8).match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}

let serial = 1;

export async function issue(wishes: CertificateWishes): Promise<Issued> {
  const { name, keys, issuer, uris = [], dnsNames = [], authority = false, usage, purposes } = wishes;
  const signer = issuer?.keys ?? keys;
  const isEc = signer.pair.privateKey.algorithm.name === 'ECDSA';
  const pathLength = typeof authority === 'object' ? authority.pathLength : undefined;
  const isAuthority = authority !== false;
  const defaultUsage = isAuthority
    ? KeyUsageFlags.keyCertSign
    : ((KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment) as KeyUsageFlags);
  const names = [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
  ];
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: (serial++).toString(16).padStart(4, '0'),
      subject: [{ CN: [name] }],
      issuer: issuer?.certificate.subjectName ?? [{ CN: [name] }],
      notBefore: new Date(wishes.from ?? always.from),
      notAfter: new Date(wishes.until ?? always.until),
      publicKey: keys.pair.publicKey,
      signingKey: signer.pair.privateKey,
      signingAlgorithm: isEc
        ? { name: 'ECDSA', namedCurve: 'P-256', hash: wishes.hash ?? 'SHA-256' }
        : { name: rsa.name, hash: rsa.hash },
      extensions: [
        new BasicConstraintsExtension(isAuthority, pathLength, true),
        ...(usage === null ? [] : [new KeyUsagesExtension(usage ?? defaultUsage, true)]),
        ...(purposes === undefined ? [] : [new ExtendedKeyUsageExtension([...purposes])]),
        ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
        ...(wishes.unknownCriticalExtension === true ? [new Extension('1.2.3.4', true, Uint8Array.of(5, 0))] : []),
      ],
    },
    webcrypto,
  );
  return {
    certificate,
    der: new Uint8Array(certificate.rawData),
    pem: `${certificate.toString('pem')}\n`,
    keys,
  };
}
