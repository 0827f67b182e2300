import { equalBytes, fromAscii, utf8 } from '../../../src/base/bytes.ts';
import { TrustAnchors, validatePath } from '../../../src/crypto/certificate-path.ts';
import { readPemCertificates, toPemCertificates } from '../../../src/crypto/pem.ts';
import { Certificate, type CertificateUse } from '../../../src/crypto/x509.ts';
import { asText, words } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { start } from './mikey-world.ts';
import { publicKeys } from './public-keys.ts';

const { authority, below, elliptic, kms, alice, bob } = publicKeys;
const ders = [alice.certificate, bob.certificate, below, authority, elliptic, kms.certificate];
const anchors = new TrustAnchors([authority], 'anchors');
const uses: readonly CertificateUse[] = ['signature', 'encryption', 'issuing'];

/** A path that leads to the anchor although somebody changed a certificate in it would let anybody be anybody. */
function checkPath(path: readonly Uint8Array[]): void {
  const owner = parsed(() => validatePath(path, { anchors, use: 'signature', now: start }));
  if (owner === undefined) return;
  const isIssued = ders.some((der) => equalBytes(der, owner.der));
  ensure(isIssued, 'a certificate was believed that nobody has issued');
}

/** Certificates as strangers send them: a typed error, or facts that can be asked for; only what was issued is believed. */
export const certificates: FuzzTarget = {
  name: 'certificates',
  corpus: [...ders, utf8(toPemCertificates([bob.certificate, below]))],
  tokens: [
    ...words('-----BEGIN CERTIFICATE-----\n', '-----END CERTIFICATE-----\n', 'sip:alice@lab.test'),
    Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x0f),
    Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x11),
    Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x13),
    Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x25),
    Uint8Array.of(0x30, 0x80),
    Uint8Array.of(0x00, 0x00),
    Uint8Array.of(0x86, 0x00),
    Uint8Array.of(0x01, 0x01, 0xff),
  ],
  check: (input) => {
    const certificate = parsed(() => new Certificate(input, 'fuzz'));
    if (certificate !== undefined) {
      ensureSame(certificate.der, input, 'another certificate than it was read from');
      ensure(typeof certificate.subject === 'string', 'no subject');
      for (const use of uses) certificate.isFor(use);
      parsed(() => certificate.publicKey());
      parsed(() => certificate.refuseOutsideValidity(start));
      for (const der of ders) {
        const other = new Certificate(der, 'issuer');
        parsed(() => certificate.refuseUnlessIssuedBy(other));
        parsed(() => other.refuseUnlessIssuedBy(certificate));
      }
    }
    checkPath([input]);
    checkPath([input, below]);
    checkPath([bob.certificate, input]);
    checkPath([input, input, input, authority]);
    const text = asText(input) ?? fromAscii(input.map((octet) => octet & 0x7f));
    const blocks = parsed(() => readPemCertificates(text, 'fuzz'));
    if (blocks === undefined) return;
    ensureSame(readPemCertificates(toPemCertificates(blocks), 'fuzz'), blocks, 'another PEM after writing and reading');
    checkPath(blocks);
  },
};
