// tsyringe, inside @peculiar/x509, wants it at load time.
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { createHash, createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { concatBytes, fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { commonNameOf, ecdsaP256, exportPrivateKeyPem, generateKeyPair } from './certificate-keys.ts';

/** A certificate of this device; the same shape as the engine's port of that name. */
export interface DeviceCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: SecretBytes;
  /** SHA-256 over the DER certificate, upper-case hexadecimal pairs joined by colons. */
  readonly sha256: string;
}

/** What a user or a log may know of a certificate; the same shape as the engine's port of that name. */
export interface CertificateFacts {
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601. */
  readonly validUntil: string;
}

/** Hash names of `a=fingerprint` (RFC 8122) that this project computes; the weak ones are left out on purpose. */
export type FingerprintHash = 'sha-256' | 'sha-384' | 'sha-512';

const hourMilliseconds = 3_600_000;
const deviceLifetimeMilliseconds = 365 * 24 * hourMilliseconds;

/**
 * A fresh self-signed EC P-256 certificate for MSRP over TLS (profile 2.4): usable as client and as server.
 * @param now milliseconds since 1970; the certificate is valid from one hour before, for peers whose clock is late, to one year after.
 */
export async function createDeviceCertificate(options: {
  readonly commonName: string;
  readonly now: number;
}): Promise<DeviceCertificate & { readonly validUntil: number }> {
  const keys = await generateKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: commonNameOf(options.commonName),
      notBefore: new Date(options.now - hourMilliseconds),
      notAfter: new Date(options.now + deviceLifetimeMilliseconds),
      keys,
      signingAlgorithm: ecdsaP256,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      ],
    },
    webcrypto,
  );
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: new SecretBytes(utf8(await exportPrivateKeyPem(keys.privateKey))),
    sha256: certificateSha256(new Uint8Array(certificate.rawData)),
    validUntil: certificate.notAfter.getTime(),
  };
}

const keyBegins = '-----BEGIN PRIVATE KEY-----';
const maxKeptOctets = 16 * 1024;

/** A certificate and its private key in PEM, one after the other, to be kept as one secret. */
export function writeDeviceCertificate({ certificatePem, privateKeyPem }: DeviceCertificate): SecretBytes {
  return privateKeyPem.use((key) => {
    const both = concatBytes(utf8(certificatePem), key);
    const secret = new SecretBytes(both);
    both.fill(0);
    return secret;
  });
}

/**
 * The inverse, with the end of the certificate's life in milliseconds since 1970.
 * @throws ProtocolError `malformed` when this is no such pair, or the key is not that of the certificate.
 */
export function readDeviceCertificate(kept: SecretBytes): DeviceCertificate & { readonly validUntil: number } {
  return kept.use((bytes) => {
    // A view: the key is copied only into what holds it from now on.
    const both = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      if (both.length > maxKeptOctets) throw new Error('too long');
      const position = both.indexOf(keyBegins);
      if (position < 0) throw new Error('no private key');
      const certificatePem = fromUtf8(both.subarray(0, position), 'certificate');
      const certificate = new X509Certificate(certificatePem);
      const key = both.subarray(position);
      if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('another key');
      return {
        certificatePem,
        privateKeyPem: new SecretBytes(key),
        sha256: certificateSha256(Uint8Array.from(certificate.raw)),
        validUntil: Date.parse(certificate.validTo),
      };
    } catch {
      // What was thrown may quote the key.
      throw new ProtocolError('malformed', 'not usable', {
        field: 'certificate',
        expected: 'a certificate and its private key in PEM',
      });
    }
  });
}

/** SHA-256 of a DER certificate as `AA:BB:…`. */
export function certificateSha256(der: Uint8Array): string {
  return certificateFingerprint('sha-256', der);
}

/** The value of `a=fingerprint:<hash> <value>` (RFC 8122 5) for a DER certificate. */
export function certificateFingerprint(hash: FingerprintHash, der: Uint8Array): string {
  const digest = createHash(hash.replace('-', '')).update(der).digest();
  return (toHex(digest).toUpperCase().match(/../g) ?? []).join(':');
}

/** @throws ProtocolError `malformed` when the octets are not a certificate. */
export function describeCertificate(der: Uint8Array): CertificateFacts {
  const certificate = parse(der);
  return {
    sha256: certificateSha256(der),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    validUntil: new Date(certificate.validTo).toISOString(),
  };
}

/**
 * The span in which a DER certificate is valid, milliseconds since 1970.
 * @throws ProtocolError `malformed` when the octets are not a certificate.
 */
export function certificateValidity(der: Uint8Array): { readonly from: number; readonly until: number } {
  const { validFrom, validTo } = parse(der);
  return { from: Date.parse(validFrom), until: Date.parse(validTo) };
}

function parse(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new ProtocolError('malformed', 'not readable', {
      field: 'certificate',
      offset: 0,
      expected: 'a DER X.509 certificate',
      cause,
    });
  }
}

function oneLine(name: string): string {
  return name.split('\n').join(', ');
}
