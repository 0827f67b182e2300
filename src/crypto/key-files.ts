import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import forge from 'node-forge';
import { ProtocolError } from '../base/errors.ts';
import { fromUtf8 } from '../base/bytes.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { readPemCertificates } from './pem.ts';

const maxFileOctets = 256 * 1024;
/** Of the passphrase of a PKCS #12 file, as far as that shows before it is opened; tools write 2 048 to 600 000. */
const maxIterations = 1_000_000;
const maxNesting = 32;
const derSequence = 0x30;

/** A private key with the certificates that prove it. */
export interface OwnCertificate {
  /** DER, the owner's first, then whatever authorities the files hold, each certifying the one before. */
  readonly certificates: readonly Uint8Array[];
  /** DER of PKCS #8. */
  readonly privateKey: SecretBytes;
}

/**
 * The private key of a PEM file: PKCS #8, PKCS #1 or SEC1, in the clear or, with a passphrase, encrypted.
 * @param field names the setting in errors; nothing of the file is repeated there.
 * @returns DER of PKCS #8.
 * @throws ProtocolError `local` when there is none or the passphrase is wrong.
 */
export function readPrivateKeyPem(file: Uint8Array, field: string, passphrase?: SecretBytes): SecretBytes {
  refuseLarge(file, field);
  try {
    const pem = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    return exported(
      passphrase === undefined
        ? createPrivateKey({ key: pem, format: 'pem' })
        : passphrase.use((octets) => createPrivateKey({ key: pem, format: 'pem', passphrase: Buffer.from(octets) })),
    );
  } catch {
    // The cause is left out here and below: it could repeat octets of the key or of the passphrase.
    throw wrongFile(field, 'no private key that can be read', passphrase);
  }
}

/** True for a file that is not PEM but may be PKCS #12. */
export function looksLikePkcs12(file: Uint8Array): boolean {
  return file[0] === derSequence;
}

/**
 * Key and certificates of a PKCS #12 file (`.p12`, `.pfx`).
 * @throws ProtocolError `local` when it cannot be read, the passphrase is wrong, or it holds no or several private keys.
 */
export function readPkcs12(file: Uint8Array, field: string, passphrase?: SecretBytes): OwnCertificate {
  refuseLarge(file, field);
  const bags = openPkcs12(file, field, passphrase);
  const [key, ...otherKeys] = bags.keys;
  if (key === undefined || otherKeys.length > 0) throw wrongFile(field, `${bags.keys.length} private keys`);
  let privateKey: SecretBytes;
  try {
    privateKey = exported(createPrivateKey({ key: Buffer.from(key, 'binary'), format: 'der', type: 'pkcs8' }));
  } catch {
    throw wrongFile(field, 'no private key that can be read');
  }
  return { certificates: certificatesFor(privateKey, bags.certificates, field), privateKey };
}

/**
 * Key and certificates from files: one PKCS #12 file, or PEM certificates (the owner's first) and a PEM private key.
 * @throws ProtocolError `local` or `malformed` that names the setting; also when key and certificate do not belong together.
 */
export function readOwnCertificate(
  files: { readonly certificate: Uint8Array; readonly privateKey?: Uint8Array; readonly passphrase?: SecretBytes },
  field: string,
): OwnCertificate {
  const { certificate, privateKey: keyFile, passphrase } = files;
  if (looksLikePkcs12(certificate)) return readPkcs12(certificate, `${field}.certificateFile`, passphrase);
  if (keyFile === undefined) throw wrongFile(`${field}.privateKeyFile`, 'missing');
  const certificates = readPemCertificates(
    fromUtf8(certificate, `${field}.certificateFile`),
    `${field}.certificateFile`,
  );
  const privateKey = readPrivateKeyPem(keyFile, `${field}.privateKeyFile`, passphrase);
  return { certificates: certificatesFor(privateKey, certificates, `${field}.certificateFile`), privateKey };
}

interface Pkcs12Bags {
  /** DER as forge keeps it: one character for each octet. */
  readonly keys: readonly string[];
  readonly certificates: readonly Uint8Array[];
}

function openPkcs12(file: Uint8Array, field: string, passphrase: SecretBytes | undefined): Pkcs12Bags {
  try {
    const { asn1, pkcs12, pki } = forge;
    const outer = asn1.fromDer(Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString('binary'), true);
    refuseEndlessWork(outer, field);
    const password = passphrase?.use((octets) => fromUtf8(octets)) ?? '';
    const opened = pkcs12.pkcs12FromAsn1(outer, true, password);
    const bagsOf = (oid: string | undefined): forge.pkcs12.Bag[] =>
      oid === undefined ? [] : (opened.getBags({ bagType: oid })[oid] ?? []);
    const keys = [...bagsOf(pki.oids['pkcs8ShroudedKeyBag']), ...bagsOf(pki.oids['keyBag'])];
    return {
      keys: keys.map((bag) => keyDer(bag)),
      certificates: bagsOf(pki.oids['certBag']).map((bag) => certificateDer(bag)),
    };
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    // forge tells a wrong passphrase by words alone: the MAC over the whole file does not fit (RFC 7292 4).
    if (error instanceof Error && error.message.includes('MAC could not be verified')) {
      throw wrongFile(field, passphrase === undefined ? 'it has a passphrase' : 'another passphrase');
    }
    throw wrongFile(field, 'no PKCS #12 that can be read', passphrase);
  }
}

/**
 * A file says itself how often its passphrase is hashed: after a salt (RFC 7292 4, RFC 8018 A.2). Octet strings are looked into, for the
 * parts of the file stand in them.
 */
function refuseEndlessWork(node: forge.asn1.Asn1, field: string, depth = 0): void {
  const { asn1 } = forge;
  if (depth > maxNesting) throw wrongFile(field, 'nested too deeply');
  if (node.type === asn1.Type.OCTETSTRING && typeof node.value === 'string') {
    const inner = tryDer(node.value);
    if (inner !== undefined) refuseEndlessWork(inner, field, depth + 1);
  }
  if (typeof node.value === 'string') return;
  node.value.forEach((child, at) => {
    const follows = node.value[at - 1];
    const isCount = typeof follows === 'object' && follows.type === asn1.Type.OCTETSTRING;
    if (isCount && child.type === asn1.Type.INTEGER && typeof child.value === 'string') refuseCount(child.value, field);
    refuseEndlessWork(child, field, depth + 1);
  });
}

function refuseCount(octets: string, field: string): void {
  const count = octets.length > 4 ? Infinity : Buffer.from(octets, 'binary').readUIntBE(0, octets.length);
  if (count > maxIterations) throw wrongFile(field, `a passphrase that is hashed more than ${maxIterations} times`);
}

function tryDer(octets: string): forge.asn1.Asn1 | undefined {
  try {
    return forge.asn1.fromDer(octets, true);
  } catch {
    return undefined;
  }
}

/** forge reads RSA keys itself and leaves the others as they are. */
function keyDer(bag: forge.pkcs12.Bag): string {
  const { asn1, pki } = forge;
  const info = bag.key ? pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(bag.key)) : bag.asn1;
  return asn1.toDer(info).getBytes();
}

/**
 * forge reads RSA certificates itself and leaves the others as they are. Of one that it has read, the signed part is still there as it
 * was; forge's own encoder would write names and algorithms in its own way and so break the signature.
 */
function certificateDer(bag: forge.pkcs12.Bag): Uint8Array {
  const { asn1 } = forge;
  const { Class, Type } = asn1;
  let outer = bag.asn1;
  if (bag.cert) {
    const signed = bag.cert.tbsCertificate;
    const fields = signed.value as forge.asn1.Asn1[];
    // Version, when it stands there, then serial number and the algorithm of the signature (RFC 5280 4.1).
    const algorithm = fields[fields[0]?.tagClass === Class.CONTEXT_SPECIFIC ? 2 : 1];
    if (algorithm === undefined) throw new Error('no signature algorithm');
    const signature = asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, `\0${String(bag.cert.signature)}`);
    outer = asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [signed, algorithm, signature]);
  }
  return Uint8Array.from(Buffer.from(asn1.toDer(outer).getBytes(), 'binary'));
}

/** The owner's certificate first, then upwards, as far as the file goes. */
function certificatesFor(privateKey: SecretBytes, found: readonly Uint8Array[], field: string): readonly Uint8Array[] {
  const readable = found.map((der) => readCertificate(der, field));
  const key = privateKey.use((octets) => createPrivateKey({ key: Buffer.from(octets), format: 'der', type: 'pkcs8' }));
  const owner = readable.find((one) => one.checkPrivateKey(key));
  if (owner === undefined) throw wrongFile(field, 'no certificate of the private key');
  const path = [owner];
  for (let last = owner; ;) {
    const issuer = readable.find((one) => !path.includes(one) && last.checkIssued(one) && last.verify(one.publicKey));
    if (issuer === undefined) return path.map((one) => Uint8Array.from(one.raw));
    path.push(issuer);
    last = issuer;
  }
}

function readCertificate(der: Uint8Array, field: string): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw wrongFile(field, 'a certificate that cannot be read');
  }
}

function exported(key: KeyObject): SecretBytes {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const secret = new SecretBytes(der);
  der.fill(0);
  return secret;
}

function refuseLarge(file: Uint8Array, field: string): void {
  if (file.length > maxFileOctets) throw wrongFile(field, `larger than ${maxFileOctets} octets`);
}

function wrongFile(field: string, problem: string, passphrase?: SecretBytes): ProtocolError {
  const hint = passphrase === undefined ? '' : ' with this passphrase';
  return new ProtocolError('local', `${problem}${hint}`, { field, expected: 'a certificate and its private key' });
}
