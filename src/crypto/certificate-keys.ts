import { webcrypto } from 'node:crypto';
import { toBase64 } from '../base/bytes.ts';

/** The one kind of key this project makes for certificates. */
export const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export function generateKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsaP256, true, ['sign', 'verify']);
}

/** PKCS #8 in PEM. */
export async function exportPrivateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const lines = toBase64(new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', key))).match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}

/** A distinguished name of one common name, in the form that leaves nothing to escape. */
export function commonNameOf(text: string): { CN: string[] }[] {
  return [{ CN: [text] }];
}
