import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fromUtf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { TrustAnchors } from '../../crypto/certificate-path.ts';
import { readPrivateKeyPem } from '../../crypto/key-files.ts';
import { readPemCertificates } from '../../crypto/pem.ts';
import { RsaPrivateKey } from '../../crypto/rsa.ts';
import { Certificate } from '../../crypto/x509.ts';
import type { KmsKeyPair } from '../../protocol/mikey/index.ts';
import type { KmsPublicKeyConfig } from '../config.ts';

const maxKeys = 8;
const files = z.array(z.string().min(1)).min(1).max(maxKeys);

/** `publicKey` of a KMS's configuration. */
export const publicKeySchema = z.strictObject({
  /** PEM; the key that belongs to the first certificate of each stands at the same place in `privateKeyFiles`. */
  certificateFiles: files,
  privateKeyFiles: files,
  /** PEM: authorities that certify users, or certificates of single users. */
  trustAnchorsFile: z.string().min(1),
  /** Whoever bears a certificate for an address in one of these is taken as a user. */
  domains: z.array(z.string().regex(/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, 'a host name')).optional(),
});
export type PublicKeyFiles = z.infer<typeof publicKeySchema>;

const field = (name: string): string => `kms.config.publicKey.${name}`;

/**
 * @param beside makes a path of the configuration absolute.
 * @throws ProtocolError `local`, `malformed` or `policy-denied` that names the setting; nothing of a private key is repeated.
 */
export async function readPublicKeyFiles(
  { certificateFiles, privateKeyFiles, trustAnchorsFile, domains = [] }: PublicKeyFiles,
  beside: (file: string) => string,
): Promise<KmsPublicKeyConfig> {
  const keys: KmsKeyPair[] = [];
  for (const [index, certificateFile] of certificateFiles.entries()) {
    const keyFile = privateKeyFiles[index];
    if (keyFile === undefined) return refuseCount(privateKeyFiles);
    keys.push(await readKeyPair(beside(certificateFile), beside(keyFile), index));
  }
  if (privateKeyFiles.length > certificateFiles.length) refuseCount(privateKeyFiles);
  const anchors = await readCertificates(beside(trustAnchorsFile), field('trustAnchorsFile'));
  return {
    keys,
    anchors: new TrustAnchors(anchors, field('trustAnchorsFile')),
    domains: domains.map((domain) => domain.toLowerCase()),
  };
}

function refuseCount(privateKeyFiles: readonly string[]): never {
  throw new ProtocolError('local', `${privateKeyFiles.length} files`, {
    field: field('privateKeyFiles'),
    expected: 'one for each certificate file',
  });
}

async function readKeyPair(certificateFile: string, keyFile: string, index: number): Promise<KmsKeyPair> {
  const certificateField = field(`certificateFiles[${index}]`);
  const keyField = field(`privateKeyFiles[${index}]`);
  const [der = new Uint8Array()] = await readCertificates(certificateFile, certificateField);
  const certificate = new Certificate(der, certificateField);
  certificate.refuseOtherUse('encryption');
  const file = await readWhole(keyFile, keyField);
  const secret = readPrivateKeyPem(file, keyField);
  file.fill(0);
  const privateKey = new RsaPrivateKey(secret, keyField);
  secret.dispose();
  if (!privateKey.publicKey.equals(certificate.publicKey())) {
    throw new ProtocolError('local', 'not the key of the certificate', { field: keyField });
  }
  return { certificate, privateKey };
}

async function readCertificates(path: string, name: string): Promise<readonly Uint8Array[]> {
  return readPemCertificates(fromUtf8(await readWhole(path, name), name), name);
}

async function readWhole(path: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    throw new ProtocolError('local', `cannot read ${path}: ${code}`, { field: name });
  }
}
