// tsyringe, inside @peculiar/x509, wants it at load time.
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate as ReadableCertificate,
} from '@peculiar/x509';
import { X509Certificate } from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { certificateSha256 } from './certificate.ts';
import { md5, sha1, sha256 } from './digest.ts';
import { RsaPublicKey } from './rsa.ts';

/** What a certificate may be needed for. */
export type CertificateUse = 'signature' | 'encryption' | 'issuing';

/** Hash functions of CHASH (RFC 3830 6.8, RFC 6043 6.7). MD5 only finds a key here; nothing is proven by it. */
export type CertificateHash = 'sha1' | 'md5' | 'sha256';

/** Limits of one certificate in a message (RFC 5280 sets none). */
export const certificateLimits = { octets: 4096, names: 32 } as const;

/** Extensions whose meaning is followed here; another one that is critical makes a certificate unusable (RFC 5280 4.2). */
const followedExtensions = new Set(['2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.37', '2.5.29.14', '2.5.29.35']);
const clientAuthentication = '1.3.6.1.5.5.7.3.2';
const anyExtendedKeyUsage = '2.5.29.37.0';
const strongHashes = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
const hashes = { sha1, md5, sha256 } as const;

/** An X.509 certificate, read but not believed. */
export class Certificate {
  readonly der: Uint8Array;
  /** As in `CertificateFacts.sha256`. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  /** Milliseconds since 1970, the last moment included. */
  readonly validUntil: number;
  /** URIs of subjectAltName, as they stand there. */
  readonly uris: readonly string[];
  /** One that is not its own issuer is proven by this one's key alone. */
  readonly isAuthority: boolean;
  /** How many authorities may stand between this one and a user's certificate; absent means any number. */
  readonly pathLength: number | undefined;
  readonly #field: string;
  readonly #platform: X509Certificate;
  readonly #readable: ReadableCertificate;

  /**
   * @param field names the certificate in errors.
   * @throws ProtocolError `malformed` when the octets are not one DER certificate within the limits.
   */
  constructor(der: Uint8Array, field: string) {
    if (der.length > certificateLimits.octets) {
      throw malformed(field, `${der.length} octets`, `at most ${certificateLimits.octets} octets`);
    }
    this.der = Uint8Array.from(der);
    this.#field = field;
    const { platform, readable } = parse(this.der, field);
    this.#platform = platform;
    this.#readable = readable;
    this.fingerprint = certificateSha256(this.der);
    const { notBefore, notAfter, names, constraints } = reading(field, () => ({
      notBefore: readable.notBefore,
      notAfter: readable.notAfter,
      names: readable.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [],
      constraints: readable.getExtension(BasicConstraintsExtension),
    }));
    this.validFrom = notBefore.getTime();
    this.validUntil = notAfter.getTime();
    if (names.length > certificateLimits.names) {
      throw malformed(`${field}.subjectAltName`, `${names.length} names`, `at most ${certificateLimits.names}`);
    }
    this.uris = names.filter(({ type }) => type === 'url').map(({ value }) => value);
    this.isAuthority = constraints?.ca ?? false;
    this.pathLength = constraints?.pathLength;
  }

  /** For people: the subject in one line. */
  get subject(): string {
    return this.#platform.subject.split('\n').join(', ');
  }

  /** @throws ProtocolError `unsupported` when it holds no RSA key that we use. */
  publicKey(): RsaPublicKey {
    const key = reading(this.#field, () => this.#platform.publicKey);
    return new RsaPublicKey(key, `${this.#field}.publicKey`);
  }

  /** The value of a CHASH: over the whole DER certificate (RFC 3830 6.8). */
  hash(name: CertificateHash): Uint8Array {
    return hashes[name](this.der);
  }

  isSame(other: Certificate): boolean {
    return equalBytes(this.der, other.der);
  }

  /** @throws ProtocolError `expired` outside its validity, `now` in milliseconds since 1970. */
  refuseOutsideValidity(now: number): void {
    if (now >= this.validFrom && now <= this.validUntil) return;
    throw new ProtocolError('expired', now < this.validFrom ? 'not valid yet' : 'not valid any more', {
      field: `${this.#field}.validity`,
    });
  }

  /** @throws ProtocolError `policy-denied` when its extensions forbid the use, or say something that we cannot follow. */
  refuseOtherUse(use: CertificateUse): void {
    const denied = (problem: string, expected: string): never => {
      throw new ProtocolError('policy-denied', problem, { field: `${this.#field}.usage`, expected });
    };
    const { extensions, usage, purposes } = reading(this.#field, () => ({
      extensions: this.#readable.extensions,
      usage: this.#readable.getExtension(KeyUsagesExtension)?.usages,
      purposes: this.#readable.getExtension(ExtendedKeyUsageExtension)?.usages,
    }));
    const unknown = extensions.find(({ critical, type }) => critical && !followedExtensions.has(type));
    if (unknown !== undefined) denied(`critical extension ${unknown.type}`, 'no critical extension but the usual ones');
    if (use === 'issuing' && !this.isAuthority) denied('not an authority', 'basicConstraints with cA');
    // RFC 5280 4.2.1.3: where keyUsage stands, the key is for nothing else; where it does not, for anything.
    const wanted = {
      signature: KeyUsageFlags.digitalSignature | KeyUsageFlags.nonRepudiation,
      encryption: KeyUsageFlags.keyEncipherment,
      issuing: KeyUsageFlags.keyCertSign,
    }[use];
    if (usage !== undefined && (usage & wanted) === 0) denied('keyUsage forbids it', use);
    // No purpose of its own is registered for MIKEY: a user's certificate is one for clients, or for anything.
    const isClient = purposes?.some((purpose) => purpose === clientAuthentication || purpose === anyExtendedKeyUsage);
    if (use === 'signature' && isClient === false) denied('extendedKeyUsage forbids it', 'clientAuth');
  }

  /** As `refuseOtherUse`, as an answer. */
  isFor(use: CertificateUse): boolean {
    try {
      this.refuseOtherUse(use);
      return true;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }

  /** @throws ProtocolError `peer-misbehaved` unless `issuer` is the one that this certificate names and its key signed it. */
  refuseUnlessIssuedBy(issuer: Certificate): void {
    const { name, hash } = reading(this.#field, () => this.#readable.signatureAlgorithm as SignatureAlgorithm);
    if (name !== 'Ed25519' && !strongHashes.has(hash?.name ?? '')) {
      throw new ProtocolError('unsupported', 'signed with a weak or unknown algorithm', {
        field: `${this.#field}.signatureAlgorithm`,
        expected: 'SHA-256, SHA-384, SHA-512 or Ed25519',
      });
    }
    const isIssued = reading(
      this.#field,
      () => this.#platform.checkIssued(issuer.#platform) && this.#platform.verify(issuer.#platform.publicKey),
    );
    if (!isIssued) {
      throw new ProtocolError('peer-misbehaved', 'not issued by the next one', { field: `${this.#field}.issuer` });
    }
  }

  /** True when this certificate names `issuer` as its own; proves nothing. */
  namesIssuer(issuer: Certificate): boolean {
    return this.#platform.checkIssued(issuer.#platform);
  }
}

interface SignatureAlgorithm {
  readonly name: string;
  readonly hash?: { readonly name: string };
}

function malformed(field: string, problem: string, expected: string, cause?: unknown): ProtocolError {
  return new ProtocolError('malformed', problem, { field, expected, ...(cause === undefined ? {} : { cause }) });
}

/** The platform parses for keys and signatures, @peculiar/x509 for the extensions that the platform does not show. */
function parse(
  der: Uint8Array,
  field: string,
): { readonly platform: X509Certificate; readonly readable: ReadableCertificate } {
  return reading(field, () => {
    const platform = new X509Certificate(der);
    // Both libraries pass over octets after the end.
    if (!equalBytes(platform.raw, der)) throw new Error('not DER, or not one certificate alone');
    return { platform, readable: new ReadableCertificate(der) };
  });
}

function reading<Result>(field: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw malformed(field, 'not readable', 'a DER X.509 certificate', cause);
  }
}
