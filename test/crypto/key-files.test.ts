import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import forge from 'node-forge';
import { beforeAll, describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { looksLikePkcs12, readOwnCertificate, readPkcs12, readPrivateKeyPem } from '../../src/crypto/key-files.ts';
import { issue, makeKeys, privateKeyPem, type Issued } from '../support/pki.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

const field = 'kms.credential';
const passphrase = new SecretBytes(utf8('pass phrase'));

let root: Issued;
let alice: Issued;
let rsaRoot: Issued;
let bob: Issued;

beforeAll(async () => {
  root = await issue({ name: 'root', keys: await makeKeys('ec'), authority: true });
  alice = await issue({ name: 'alice', keys: await makeKeys(), issuer: root, uris: ['sip:alice@lab.test'] });
  rsaRoot = await issue({ name: 'rsa root', keys: await makeKeys(), authority: true });
  bob = await issue({ name: 'bob', keys: alice.keys, issuer: rsaRoot, uris: ['sip:bob@lab.test'] });
}, 60_000);

const octetsOf = (secret: SecretBytes): string => secret.use(toHex);

describe('PEM', () => {
  it('PKCS #8, PKCS #1 and an encrypted key become PKCS #8', () => {
    const key = createPrivateKey(privateKeyPem(alice.keys));
    const forms = [
      [key.export({ format: 'pem', type: 'pkcs8' }), undefined],
      [key.export({ format: 'pem', type: 'pkcs1' }), undefined],
      [key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'pass phrase' }), passphrase],
    ] as const;
    for (const [pem, secret] of forms) {
      expect(octetsOf(readPrivateKeyPem(utf8(pem.toString()), field, secret))).toBe(toHex(alice.keys.pkcs8));
    }
  });

  it('the certificate of the key comes first, its authorities follow, others are left out', async () => {
    const stranger = await issue({ name: 'stranger', keys: await makeKeys('ec') });
    const certificate = utf8(stranger.pem + root.pem + alice.pem);
    const read = readOwnCertificate({ certificate, privateKey: utf8(privateKeyPem(alice.keys)) }, field);
    expect(read.certificates.map(toHex)).toEqual([toHex(alice.der), toHex(root.der)]);
    expect(octetsOf(read.privateKey)).toBe(toHex(alice.keys.pkcs8));
  });

  it.each([
    ['no key at all', () => readPrivateKeyPem(utf8('nonsense words'), field)],
    ['a key that is encrypted, without passphrase', () => readPrivateKeyPem(encrypted(), field)],
    ['a wrong passphrase', () => readPrivateKeyPem(encrypted(), field, new SecretBytes(utf8('wrong words')))],
    ['a file too large', () => readPrivateKeyPem(new Uint8Array(300_000), field)],
    ['PEM without a key file', () => readOwnCertificate({ certificate: utf8(alice.pem) }, field)],
    [
      'the key of another certificate',
      () => readOwnCertificate({ certificate: utf8(root.pem), privateKey: utf8(privateKeyPem(alice.keys)) }, field),
    ],
  ])('refuses %s', (_, read) => {
    let thrown: unknown;
    try {
      read();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ kind: 'local', field: expect.stringMatching(/^kms\.credential/) as string });
    expect(inspect(thrown, { depth: 9, showHidden: true })).not.toMatch(/nonsense words|wrong words|BEGIN/);
  });

  function encrypted(): Uint8Array {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const options = { format: 'pem', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'pass phrase' } as const;
    return utf8(privateKey.export(options).toString());
  }
});

describe('PKCS #12', () => {
  it('as forge writes it', () => {
    const { asn1, pki, pkcs12 } = forge;
    const file = pkcs12.toPkcs12Asn1(
      pki.privateKeyFromPem(privateKeyPem(alice.keys)),
      pki.certificateFromPem(bob.pem),
      'pass phrase',
      { algorithm: 'aes256', count: 100 },
    );
    const bytes = Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), 'binary'));
    expect(looksLikePkcs12(bytes)).toBe(true);
    const read = readOwnCertificate({ certificate: bytes, passphrase }, field);
    expect(read.certificates.map(toHex)).toEqual([toHex(bob.der)]);
    expect(octetsOf(read.privateKey)).toBe(toHex(bob.keys.pkcs8));
    expect(() => readPkcs12(bytes, field, new SecretBytes(utf8('wrong')))).toThrow(
      expect.objectContaining({
        kind: 'local',
        field,
        message: expect.stringContaining('another passphrase') as string,
      }),
    );
    expect(() => readPkcs12(bytes, field)).toThrow(
      expect.objectContaining({ kind: 'local', field, message: expect.stringContaining('has a passphrase') as string }),
    );
    for (const cut of [1, 10, bytes.length - 1]) {
      expect(() => readPkcs12(bytes.subarray(0, cut), field, passphrase)).toThrow(
        expect.objectContaining({ kind: 'local', field }),
      );
    }
  });

  it.each([
    ['no key', 0],
    ['several keys', 2],
  ])('refuses %s', (_, count) => {
    const { asn1, pki } = forge;
    const { Class, Type } = asn1;
    const node = (type: forge.asn1.Type, constructed: boolean, value: forge.asn1.Asn1[] | string) =>
      asn1.create(Class.UNIVERSAL, type, constructed, value);
    const oid = (name: string) => node(Type.OID, false, asn1.oidToDer(pki.oids[name] ?? '').getBytes());
    const tagged = (inner: forge.asn1.Asn1) => asn1.create(Class.CONTEXT_SPECIFIC, Type.NONE, true, [inner]);
    const octets = (inner: forge.asn1.Asn1) => node(Type.OCTETSTRING, false, asn1.toDer(inner).getBytes());
    const data = (inner: forge.asn1.Asn1) => node(Type.SEQUENCE, true, [oid('data'), tagged(octets(inner))]);
    const key = pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(pki.privateKeyFromPem(privateKeyPem(alice.keys))));
    const bag = node(Type.SEQUENCE, true, [oid('keyBag'), tagged(key)]);
    const bags = node(
      Type.SEQUENCE,
      true,
      Array.from({ length: count }, () => bag),
    );
    const version = node(Type.INTEGER, false, asn1.integerToDer(3).getBytes());
    const file = node(Type.SEQUENCE, true, [version, data(node(Type.SEQUENCE, true, [data(bags)]))]);
    const bytes = Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), 'binary'));
    expect(() => readPkcs12(bytes, field)).toThrow(
      expect.objectContaining({
        kind: 'local',
        field,
        message: expect.stringContaining(`${count} private keys`) as string,
      }),
    );
  });

  it('does not hash a passphrase without end', () => {
    const { asn1, pki, pkcs12 } = forge;
    const file = pkcs12.toPkcs12Asn1(
      pki.privateKeyFromPem(privateKeyPem(alice.keys)),
      pki.certificateFromPem(bob.pem),
      'pass phrase',
      { algorithm: 'aes256', count: 100 },
    );
    const bytes = Buffer.from(asn1.toDer(file).getBytes(), 'binary');
    // The count of the MAC stands last; INTEGER 100 becomes one that is much too large, of as many octets.
    const macCount = (bytes.at(-3) ?? 0) === 2 ? bytes.length - 3 : -1;
    expect(bytes.subarray(macCount)).toEqual(Buffer.from([2, 1, 100]));
    const mac = (file.value as forge.asn1.Asn1[])[2]?.value as forge.asn1.Asn1[];
    mac[2] = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, '\x7f\xff\xff\xff');
    const endless = Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), 'binary'));
    expect(() => readPkcs12(endless, field, passphrase)).toThrow(
      expect.objectContaining({ kind: 'local', field, message: expect.stringContaining('hashed more than') as string }),
    );
  });

  it.each([
    ['RSA authority', () => [bob, rsaRoot] as const],
    ['elliptic curve authority', () => [alice, root] as const],
  ])('as openssl writes it, %s', { timeout: 30_000, ...needing(lackOfOpenssl) }, (_, make) => {
    const [owner, authority] = make();
    const folder = temporaryFolder('pkcs12');
    const path = (name: string): string => join(folder, name);
    writeFileSync(path('key.pem'), privateKeyPem(owner.keys));
    writeFileSync(path('certificate.pem'), owner.pem);
    writeFileSync(path('authorities.pem'), authority.pem);
    const named = ['-inkey', path('key.pem'), '-in', path('certificate.pem'), '-certfile', path('authorities.pem')];
    const file = execFileSync('openssl', ['pkcs12', '-export', ...named, '-passout', 'pass:pass phrase']);
    const read = readPkcs12(Uint8Array.from(file), field, passphrase);
    expect(read.certificates.map(toHex)).toEqual([toHex(owner.der), toHex(authority.der)]);
    expect(octetsOf(read.privateKey)).toBe(toHex(owner.keys.pkcs8));
  });
});
