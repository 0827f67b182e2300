import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { TrustAnchors, validatePath } from '../../src/crypto/certificate-path.ts';
import { readOwnCertificate, readPrivateKeyPem } from '../../src/crypto/key-files.ts';
import { readPemCertificates } from '../../src/crypto/pem.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { RsaPrivateKey } from '../../src/crypto/rsa.ts';
import { Certificate } from '../../src/crypto/x509.ts';
import {
  createTicketRequestPk,
  decodeMessage,
  encodeMessage,
  KmsMachine,
  msrpTicketFlags,
  sameIdentity,
  uriIdentity,
  type KmsKeyPair,
} from '../../src/protocol/mikey/index.ts';
import { coveredOctets } from '../../src/protocol/mikey/protection.ts';
import { profile } from '../../src/protocol/profile.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

const alice = uriIdentity('sip:alice@lab.test');
const kms = uriIdentity('sip:kms.lab.test');
const folder = temporaryFolder('openssl-mikey-pk');
const path = (name: string): string => join(folder, name);
const write = (name: string, content: Uint8Array | string): string => {
  writeFileSync(path(name), content);
  return path(name);
};
const openssl = (...parameters: readonly string[]): Uint8Array =>
  Uint8Array.from(execFileSync('openssl', parameters, { stdio: ['pipe', 'pipe', 'pipe'] }));

const privateKey = (name: string): RsaPrivateKey =>
  new RsaPrivateKey(readPrivateKeyPem(readFileSync(path(`${name}.key`)), 'test'), 'test');
const certificate = (name: string): Uint8Array =>
  readPemCertificates(readFileSync(path(`${name}.pem`), 'utf8'), 'test')[0]!;

/** As docs/kms-public-key.md says it. */
function makeCertificates(): void {
  const request = (name: string, ...more: readonly string[]): Uint8Array =>
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', path(`${name}.key`), '-subj', `/CN=${name}`, ...more);
  request(
    'authority',
    '-x509',
    '-days',
    '30',
    '-out',
    path('authority.pem'),
    '-addext',
    'basicConstraints=critical,CA:TRUE,pathlen:0',
    '-addext',
    'keyUsage=critical,keyCertSign',
  );
  request(
    'kms',
    '-x509',
    '-days',
    '30',
    '-out',
    path('kms.pem'),
    '-addext',
    'subjectAltName=URI:sip:kms.lab.test',
    '-addext',
    'keyUsage=critical,keyEncipherment,digitalSignature',
    '-addext',
    'basicConstraints=critical,CA:FALSE',
  );
  request('alice', '-out', path('alice.csr'));
  const extensions = write(
    'alice.ext',
    'subjectAltName=URI:sip:alice@lab.test\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n',
  );
  openssl(
    'x509',
    '-req',
    '-in',
    path('alice.csr'),
    '-CA',
    path('authority.pem'),
    '-CAkey',
    path('authority.key'),
    '-days',
    '30',
    '-out',
    path('alice.pem'),
    '-extfile',
    extensions,
  );
}

describe('the public-key variants and OpenSSL', needing(lackOfOpenssl), () => {
  let pair: KmsKeyPair;
  let anchors: TrustAnchors;

  beforeAll(() => {
    makeCertificates();
    pair = { certificate: new Certificate(certificate('kms'), 'kms'), privateKey: privateKey('kms') };
    anchors = new TrustAnchors([certificate('authority')], 'anchors');
    openssl('x509', '-in', path('alice.pem'), '-noout', '-pubkey', '-out', path('alice.pub'));
    openssl('x509', '-in', path('kms.pem'), '-noout', '-pubkey', '-out', path('kms.pub'));
  }, 60_000);

  const ask = (suite: '128' | '256') =>
    createTicketRequestPk({
      suite,
      credential: {
        certificates: [certificate('alice')],
        privateKey: privateKey('alice'),
        kmsCertificate: pair.certificate,
      },
      initiator: alice,
      kms,
      responders: [uriIdentity('sip:bob@lab.test')],
      flags: msrpTicketFlags,
      keyKind: 'TGK',
      validFrom: Date.now() - 300_000,
      validUntil: Date.now() + 3600_000,
      now: Date.now(),
      random: secureRandom,
    });

  const machine = (): KmsMachine =>
    new KmsMachine({
      identity: kms,
      tpks: { current: { id: kms, key: new SecretBytes(new Uint8Array(32)) }, find: () => undefined },
      directory: {
        findSubscriber: () => undefined,
        findCertified: (claimed, { uris }) =>
          uris.some((uri) => sameIdentity(uriIdentity(uri), claimed))
            ? { name: 'alice', identity: claimed, owns: (other) => sameIdentity(other, claimed) }
            : undefined,
        mayRequest: () => true,
        responderFor: () => undefined,
      },
      rules: profile.ticket,
      random: secureRandom,
      publicKey: { keys: [pair], anchors },
    });

  const partsOf = (message: Uint8Array) => {
    const decoded = decodeMessage(message);
    const sign = decoded.payloads.find((payload) => payload.payload === 'SIGN')!;
    const pke = decoded.payloads.find((payload) => payload.payload === 'PKE')!;
    return { decoded, sign, pke, covered: concatBytes(coveredOctets(decoded, false), alice.data, kms.data) };
  };

  it('agree on the chain', () => {
    openssl('verify', '-CAfile', path('authority.pem'), path('alice.pem'));
    const owner = validatePath([certificate('alice')], { anchors, use: 'signature', now: Date.now() });
    expect(owner.uris).toEqual(['sip:alice@lab.test']);
  });

  it.each([
    ['128', 'sha1'],
    ['256', 'sha256'],
  ] as const)('suite %s: OpenSSL verifies our signature and deciphers our envelope key', (suite, hash) => {
    const { message } = ask(suite);
    const { sign, pke, covered } = partsOf(message);
    const data = write('covered', covered);
    const signature = write('signature', sign.signature);
    const verified = openssl('dgst', `-${hash}`, '-verify', path('alice.pub'), '-signature', signature, data);
    expect(Buffer.from(verified).toString()).toContain('Verified OK');
    const input = write('pke', pke.data);
    const options = ['-inkey', path('kms.key'), '-pkeyopt', 'rsa_padding_mode:pkcs1', '-in', input];
    const deciphered = openssl('pkeyutl', '-decrypt', ...options);
    expect(deciphered).toHaveLength(suite === '256' ? 32 : 16);
    expect(deciphered).toEqual(pair.privateKey.decryptKey(pke.data, deciphered.length));
  });

  it.each([
    ['128', 'sha1', [], 0],
    ['256', 'sha256', [], 0],
    ['256', 'sha256', ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'], 1],
    ['128', 'sha1', ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20'], 1],
  ] as const)(
    'suite %s with %s %j: a KMS takes what OpenSSL enciphered and signed',
    async (suite, hash, options, type) => {
      const { decoded } = partsOf(ask(suite).message);
      const key = write('key', secureRandom.bytes(suite === '256' ? 32 : 16));
      const data = openssl(
        'pkeyutl',
        '-encrypt',
        '-pubin',
        '-inkey',
        path('kms.pub'),
        '-pkeyopt',
        'rsa_padding_mode:pkcs1',
        '-in',
        key,
      );
      const payloads = decoded.payloads.map((payload) => {
        if (payload.payload === 'PKE') return { ...payload, data };
        return payload.payload === 'SIGN' ? { ...payload, signatureType: type } : payload;
      });
      const message = encodeMessage({ header: decoded.header, payloads });
      const covered = write('covered', concatBytes(message.subarray(0, -256), alice.data, kms.data));
      const signature = openssl('dgst', `-${hash}`, '-sign', path('alice.key'), ...options, covered);
      message.set(signature, message.length - 256);
      const outcome = await machine().handleTicketRequest(message, Date.now());
      expect(outcome).toMatchObject({ outcome: 'answered', subscriber: 'alice' });
      expect(pair.privateKey.decryptKey(data, readFileSync(key).length)).toEqual(Uint8Array.from(readFileSync(key)));
    },
  );

  it('a PKCS #12 file of OpenSSL serves as a credential', () => {
    const file = openssl(
      'pkcs12',
      '-export',
      '-inkey',
      path('alice.key'),
      '-in',
      path('alice.pem'),
      '-certfile',
      path('authority.pem'),
      '-passout',
      'pass:words',
    );
    const own = readOwnCertificate({ certificate: file, passphrase: new SecretBytes(utf8('words')) }, 'test');
    expect(own.certificates).toEqual([certificate('alice'), certificate('authority')]);
    expect(new RsaPrivateKey(own.privateKey, 'test').publicKey.equals(privateKey('alice').publicKey)).toBe(true);
  });
});
