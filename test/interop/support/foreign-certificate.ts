import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A self-signed certificate made by OpenSSL, and its fingerprints as OpenSSL counts them. */
export interface ForeignCertificate {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
  /** SHA-256. */
  readonly fingerprint: string;
  fingerprintWith(hash: 'sha1' | 'sha256' | 'sha384' | 'sha512'): string;
}

const keyTypes = {
  EC: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  RSA: ['-newkey', 'rsa:2048'],
} as const;

export function createForeignCertificate(keyType: keyof typeof keyTypes): ForeignCertificate {
  const folder = temporaryFolder('fingerprint');
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const parameters = [
    '-x509',
    '-nodes',
    '-subj',
    '/CN=peer',
    ...keyTypes[keyType],
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  execFileSync('openssl', ['req', ...parameters], { stdio: 'ignore' });
  const fingerprintWith: ForeignCertificate['fingerprintWith'] = (hash) => {
    const told = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', `-${hash}`]).toString();
    return told.trim().split('=')[1] ?? '';
  };
  return { certificate, key, fingerprint: fingerprintWith('sha256'), fingerprintWith };
}
