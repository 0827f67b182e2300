import forge from 'node-forge';
import { toBase64 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { SecretBytes } from '../base/secret-bytes.ts';

const maxBundleCharacters = 1024 * 1024;
const maxCertificates = 512;

/**
 * The DER certificates of a PEM bundle, in order. Text between the blocks (comments of a bundle) is passed over.
 * @param field names the setting in errors, for example `server.ca`
 * @throws ProtocolError `malformed` when a block is broken, is no certificate, or when there is none.
 */
export function readPemCertificates(text: string, field: string): Uint8Array[] {
  if (text.length > maxBundleCharacters) fail(field, 'too large', `at most ${maxBundleCharacters} characters`);
  const blocks = decodeBlocks(text, field);
  if (blocks.length > maxCertificates) fail(field, 'too many blocks', `at most ${maxCertificates} certificates`);
  return blocks.map((block, index) => readCertificate(block, `${field}[${index}]`));
}

/** The inverse: DER certificates in PEM, in order. */
export function toPemCertificates(ders: readonly Uint8Array[]): string {
  return ders.map((der) => block('CERTIFICATE', der)).join('');
}

/** A private key in DER of PKCS #8 as PEM, the only form that Node's TLS takes: a secret in clear, for the length of that call. */
export function toPemPrivateKey(pkcs8: SecretBytes): string {
  return pkcs8.use((der) => block('PRIVATE KEY', der));
}

function block(type: string, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${type}-----`, ...lines, `-----END ${type}-----`, ''].join('\n');
}

function decodeBlocks(text: string, field: string): forge.pem.ObjectPEM[] {
  try {
    return forge.pem.decode(text);
  } catch (cause) {
    return fail(field, 'no PEM block', 'PEM certificates', cause);
  }
}

function readCertificate(block: forge.pem.ObjectPEM, field: string): Uint8Array {
  if (block.type !== 'CERTIFICATE') fail(field, 'a block of another type', 'BEGIN CERTIFICATE');
  try {
    const outer = forge.asn1.fromDer(block.body, true);
    if (outer.type !== forge.asn1.Type.SEQUENCE || !outer.constructed) throw new Error('not a SEQUENCE');
  } catch (cause) {
    return fail(field, 'not DER', 'a DER X.509 certificate', cause);
  }
  return Uint8Array.from(block.body, (character) => character.charCodeAt(0));
}

function fail(field: string, problem: string, expected: string, cause?: unknown): never {
  throw new ProtocolError('malformed', problem, { field, expected, ...(cause === undefined ? {} : { cause }) });
}
