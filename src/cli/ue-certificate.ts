import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { fromBase64, fromUtf8, toBase64, utf8 } from '../base/bytes.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { readOwnCertificate, type OwnCertificate } from '../crypto/key-files.ts';
import { readPemCertificates, toPemCertificates } from '../crypto/pem.ts';
import type { KmsCredentialConfig } from '../engine/account-config.ts';

const path = z.string().min(1);

/** `kms.credential` of mode `certificate` as a configuration file has it; paths are relative to that file. */
const certificateFiles = z.strictObject({
  mode: z.literal('certificate'),
  /** PEM (the account's own first, then its authorities), or PKCS #12 with the private key. */
  certificateFile: path,
  /** PEM; left out with PKCS #12. */
  privateKeyFile: path.optional(),
  /** Of the private key or the PKCS #12 file. */
  passphrase: z.string().optional(),
  /** PEM. */
  kmsCertificateFile: path,
});
const namesFiles = z.looseObject({
  kms: z.looseObject({ credential: z.looseObject({ certificateFile: z.unknown() }) }),
});

/** The same with what the files hold; the private key stands beside it, as a pre-shared key would. */
export const certificateCredentialSchema = z.strictObject({
  mode: z.literal('certificate'),
  /** PEM, the account's own first, each next one certifies the one before. */
  certificates: z.string().min(1),
  /** PEM. */
  kmsCertificate: z.string().min(1),
});

/**
 * Replaces the certificate files that a configuration names by their contents; any other configuration is given back as it is.
 * @throws Error that names the file or the setting; nothing of a private key or a passphrase is repeated.
 */
export async function withCertificateFiles(config: unknown, folder: string): Promise<unknown> {
  const naming = namesFiles.safeParse(config);
  if (!naming.success) return config;
  const { kms } = naming.data;
  const checked = certificateFiles.safeParse(kms.credential);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new Error(`${['kms.credential', ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not valid'}`);
  }
  const { certificates, privateKey, kmsCertificate } = await readFiles(checked.data, folder);
  const credential = { mode: 'certificate', certificates: toPemCertificates(certificates), kmsCertificate };
  return { ...naming.data, kms: { ...kms, credential, privateKey: privateKey.use(toBase64) } };
}

async function readFiles(
  { kmsCertificateFile, ...files }: z.infer<typeof certificateFiles>,
  folder: string,
): Promise<OwnCertificate & { readonly kmsCertificate: string }> {
  const place = (file: string): string => resolve(folder, file);
  const own = await readOwnCertificateFiles(files, place, 'kms.credential');
  const field = 'kms.credential.kmsCertificateFile';
  return { ...own, kmsCertificate: fromUtf8(await readNamed(place(kmsCertificateFile)), field) };
}

/**
 * Private key and certificates from the files that a configuration names.
 * @param place where a file is. @param field names the setting in errors. @throws Error that names the file or the setting.
 */
export async function readOwnCertificateFiles(
  files: {
    readonly certificateFile: string;
    readonly privateKeyFile?: string | undefined;
    readonly passphrase?: string | undefined;
  },
  place: (file: string) => string,
  field: string,
): Promise<OwnCertificate> {
  const { certificateFile, privateKeyFile, passphrase } = files;
  const keyFile = privateKeyFile === undefined ? undefined : await readNamed(place(privateKeyFile));
  const secret = passphrase === undefined ? undefined : new SecretBytes(utf8(passphrase));
  const certificate = await readNamed(place(certificateFile));
  try {
    return readOwnCertificate(
      { certificate, ...(keyFile && { privateKey: keyFile }), ...(secret && { passphrase: secret }) },
      field,
    );
  } finally {
    keyFile?.fill(0);
    secret?.dispose();
  }
}

async function readNamed(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch {
    throw new Error(`cannot read ${file}`);
  }
}

/** @throws ProtocolError that names the field. */
export function certificateCredential({
  certificates,
  kmsCertificate,
}: z.infer<typeof certificateCredentialSchema>): KmsCredentialConfig {
  const [ofKms = new Uint8Array()] = readPemCertificates(kmsCertificate, 'kms.credential.kmsCertificate');
  return {
    mode: 'certificate',
    certificates: readPemCertificates(certificates, 'kms.credential.certificates'),
    kmsCertificate: ofKms,
  };
}

export const privateKeyOf = (base64: string): SecretBytes => new SecretBytes(fromBase64(base64, 'kms.privateKey'));
