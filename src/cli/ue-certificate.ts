import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { readOwnCertificate } from '../crypto/key-files.ts';
import { readPemCertificates } from '../crypto/pem.ts';
import type { AccountSecrets, KmsCredentialConfig } from '../engine/account-config.ts';

/** `kms.credential` of an account that proves itself to its KMS by certificate; paths are relative to the configuration file. */
export const certificateCredentialSchema = z.strictObject({
  mode: z.literal('certificate'),
  /** PEM (the account's own first, then its authorities), or PKCS #12 with the private key. */
  certificateFile: z.string().min(1),
  /** PEM; left out with PKCS #12. */
  privateKeyFile: z.string().min(1).optional(),
  /** Of the private key or the PKCS #12 file. */
  passphrase: z.string().optional(),
  /** PEM. */
  kmsCertificateFile: z.string().min(1),
});
export type CertificateCredentialFiles = z.infer<typeof certificateCredentialSchema>;

export function withAbsolutePaths(files: CertificateCredentialFiles, folder: string): CertificateCredentialFiles {
  const { certificateFile, privateKeyFile, kmsCertificateFile } = files;
  return {
    ...files,
    certificateFile: resolve(folder, certificateFile),
    ...(privateKeyFile === undefined ? {} : { privateKeyFile: resolve(folder, privateKeyFile) }),
    kmsCertificateFile: resolve(folder, kmsCertificateFile),
  };
}

/** @throws ProtocolError or Error that names the file or the setting; nothing of a private key or a passphrase is repeated. */
export function readCertificateCredential(files: CertificateCredentialFiles): {
  readonly credential: KmsCredentialConfig;
  readonly secrets: Pick<AccountSecrets, 'kmsPrivateKey'>;
} {
  const field = 'kms.credential';
  const certificate = readFileSync(files.certificateFile);
  const keyFile = files.privateKeyFile === undefined ? undefined : readFileSync(files.privateKeyFile);
  const passphrase = files.passphrase === undefined ? undefined : new SecretBytes(utf8(files.passphrase));
  const own = readOwnCertificate(
    { certificate, ...(keyFile && { privateKey: keyFile }), ...(passphrase && { passphrase }) },
    field,
  );
  keyFile?.fill(0);
  passphrase?.dispose();
  const kmsField = `${field}.kmsCertificateFile`;
  const [kmsCertificate = new Uint8Array()] = readPemCertificates(
    fromUtf8(readFileSync(files.kmsCertificateFile), kmsField),
    kmsField,
  );
  return {
    credential: { mode: 'certificate', certificates: own.certificates, kmsCertificate },
    secrets: { kmsPrivateKey: own.privateKey },
  };
}
