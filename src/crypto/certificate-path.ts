import { ProtocolError } from '../base/errors.ts';
import { Certificate, type CertificateUse } from './x509.ts';

/** A user's certificate and the authorities between it and a trust anchor. */
export const maxPathCertificates = 4;

/** What is trusted because it was configured: authorities, and single certificates of users (RFC 3830 4.3.2 knows both). */
export class TrustAnchors {
  readonly #anchors: readonly Certificate[];

  /** @param ders DER certificates. @throws ProtocolError `malformed` that names the one which is wrong. */
  constructor(ders: readonly Uint8Array[], field: string) {
    this.#anchors = ders.map((der, index) => new Certificate(der, `${field}[${index}]`));
  }

  get size(): number {
    return this.#anchors.length;
  }

  includes(certificate: Certificate): boolean {
    return this.#anchors.some((anchor) => anchor.isSame(certificate));
  }

  issuersOf(certificate: Certificate): readonly Certificate[] {
    return this.#anchors.filter((anchor) => certificate.namesIssuer(anchor));
  }
}

/**
 * Reads and validates a chain as MIKEY sends it: the owner's certificate first, each next one certifies the one before
 * (RFC 6043 4.2.1.3), the last one or its issuer is a trust anchor. Follows RFC 5280 6.1 without certificate policies and name
 * constraints (a critical one is refused) and without asking for revocation.
 * @param ders DER, `maxPathCertificates` at most.
 * @param use what the first one's key is for.
 * @param now milliseconds since 1970; every certificate of the path must be valid then, the anchor too.
 * @returns the owner's certificate.
 * @throws ProtocolError that names the certificate and what is wrong with it.
 */
export function validatePath(
  ders: readonly Uint8Array[],
  { anchors, use, now }: { readonly anchors: TrustAnchors; readonly use: CertificateUse; readonly now: number },
): Certificate {
  if (ders.length > maxPathCertificates) {
    throw pathError('malformed', `${ders.length} certificates`, `at most ${maxPathCertificates}`);
  }
  const path = ders.map((der, index) => new Certificate(der, `certificate[${index}]`));
  const [owner] = path;
  if (owner === undefined) throw pathError('malformed', 'none', 'the certificate of the sender');
  owner.refuseOutsideValidity(now);
  owner.refuseOtherUse(use);
  for (const [index, certificate] of path.entries()) {
    if (anchors.includes(certificate)) return owner;
    const next = path[index + 1];
    if (next === undefined) {
      refuseWithoutAnchor(certificate, index, anchors, now);
      return owner;
    }
    refuseUnfitIssuer(certificate, next, index, now);
  }
  return owner;
}

/** @param below how many certificates stand between `issuer` and the owner's. */
function refuseUnfitIssuer(certificate: Certificate, issuer: Certificate, below: number, now: number): void {
  issuer.refuseOutsideValidity(now);
  issuer.refuseOtherUse('issuing');
  if (issuer.pathLength !== undefined && below > issuer.pathLength) {
    throw pathError('policy-denied', 'longer than an authority allows', `${issuer.pathLength} authorities below it`);
  }
  certificate.refuseUnlessIssuedBy(issuer);
}

/** Several anchors may bear the same name, when one follows another. */
function refuseWithoutAnchor(certificate: Certificate, below: number, anchors: TrustAnchors, now: number): void {
  let reason = pathError('policy-denied', 'leads to no trust anchor', 'an issuer that is trusted');
  for (const issuer of anchors.issuersOf(certificate)) {
    try {
      refuseUnfitIssuer(certificate, issuer, below, now);
      return;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      reason = error;
    }
  }
  throw reason;
}

function pathError(kind: 'malformed' | 'policy-denied', problem: string, expected: string): ProtocolError {
  return new ProtocolError(kind, problem, { field: 'certificates', expected });
}
