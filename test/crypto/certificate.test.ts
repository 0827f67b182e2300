import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import {
  certificateFingerprint,
  certificateSha256,
  createDeviceCertificate,
  describeCertificate,
} from '../../src/crypto/certificate.ts';
import { readPemCertificates } from '../../src/crypto/pem.ts';
import { lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'tessera-certificate-'));

afterAll(() => rmSync(folder, { recursive: true }));

function openssl(...parameters: string[]): string {
  return execFileSync('openssl', parameters, { encoding: 'utf8' });
}

function file(name: string, contents: string): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

describe('device certificate', () => {
  it('is EC P-256, self-signed, and described as the facts of its own octets', async () => {
    const now = Date.UTC(2026, 10, 23);
    const device = await createDeviceCertificate({ commonName: 'Ä, O=x+CN=y', now });
    const [der] = readPemCertificates(device.certificatePem, 'device');
    const facts = describeCertificate(der!);
    expect(facts.sha256).toBe(device.sha256);
    expect(device.sha256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(facts.validUntil).toBe('2027-11-23T00:00:00.000Z');
    expect(facts.subject).toBe(facts.issuer);
    expect(facts.subject).toContain('Ä');
    expect(certificateFingerprint('sha-512', der!)).toHaveLength(64 * 3 - 1);
  });

  it('never has the same key twice', async () => {
    const options = { commonName: 'device', now: Date.now() };
    const [first, second] = await Promise.all([createDeviceCertificate(options), createDeviceCertificate(options)]);
    expect(first.sha256).not.toBe(second.sha256);
  });

  it('agrees with openssl about fingerprint, curve and key', needing(lackOfOpenssl), async () => {
    const device = await createDeviceCertificate({ commonName: 'device', now: Date.now() });
    const path = file('device.pem', device.certificatePem);
    const key = file('device.key', device.privateKeyPem.use(fromUtf8));
    expect(openssl('x509', '-in', path, '-noout', '-fingerprint', '-sha256')).toContain(device.sha256);
    expect(openssl('x509', '-in', path, '-noout', '-text')).toContain('ASN1 OID: prime256v1');
    expect(openssl('pkey', '-in', key, '-pubout')).toBe(openssl('x509', '-in', path, '-noout', '-pubkey'));
    expect(openssl('verify', '-CAfile', path, path)).toContain('OK');
  });
});

describe('certificate authority', () => {
  it('issues leaves that openssl verifies for their names only', needing(lackOfOpenssl), async () => {
    const authority = await createCertificateAuthority({ commonName: 'Lab CA', now: Date.now() });
    const leaf = await authority.issue({ dnsNames: ['lab.test', 'kms.lab.test'], ipAddresses: ['127.0.0.1', '::1'] });
    const ca = file('ca.pem', authority.certificatePem);
    const path = file('leaf.pem', leaf.certificatePem);
    const verify = (...more: string[]) =>
      spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', ca, ...more, path]).status;
    expect(verify('-purpose', 'sslserver', '-verify_hostname', 'kms.lab.test')).toBe(0);
    expect(verify('-verify_ip', '127.0.0.1')).toBe(0);
    expect(verify('-verify_ip', '::1')).toBe(0);
    expect(verify('-verify_hostname', 'other.test')).not.toBe(0);
  });

  it('carries a TLS connection whose client trusts only this root', async () => {
    const authority = await createCertificateAuthority({ commonName: 'Lab CA', now: Date.now() });
    const leaf = await authority.issue({ dnsNames: ['lab.test'], ipAddresses: ['127.0.0.1'] });
    const server = createServer({ cert: leaf.certificatePem, key: leaf.privateKeyPem }, (socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const subject = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'lab.test', ca: authority.certificatePem }, () => {
        resolve(describeCertificate(socket.getPeerX509Certificate()!.raw).subject);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    server.close();
    expect(subject).toBe('CN=lab.test');
  });

  it('refuses a leaf without a name', async () => {
    const authority = await createCertificateAuthority({ commonName: 'Lab CA', now: Date.now() });
    await expect(authority.issue({ dnsNames: [], ipAddresses: [] })).rejects.toThrow(ProtocolError);
  });
});

describe('PEM bundle', () => {
  it('reads every certificate of a bundle with comments and CRLF', async () => {
    const now = Date.now();
    const [first, second] = await Promise.all(
      ['one', 'two'].map((commonName) => createDeviceCertificate({ commonName, now })),
    );
    const bundle = `# trusted\r\n${first!.certificatePem.replaceAll('\n', '\r\n')}# more\n${second!.certificatePem}`;
    expect(readPemCertificates(bundle, 'ca').map(certificateSha256)).toEqual([first!.sha256, second!.sha256]);
  });

  it.each([
    ['nothing', ''],
    ['no block', 'hello'],
    ['another type', '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n'],
    ['no DER', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
    ['DER with a tail', '-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n'],
    ['too large', 'x'.repeat(2 * 1024 * 1024)],
  ])('refuses %s with a typed error that names the field', (_case, text) => {
    expect(() => readPemCertificates(text, 'server.ca')).toThrow(
      expect.objectContaining({ name: 'ProtocolError', kind: 'malformed' }),
    );
    expect(() => readPemCertificates(text, 'server.ca')).toThrow(/^server\.ca/);
  });

  it('describes nothing that is no certificate', () => {
    expect(() => describeCertificate(Uint8Array.of(0x30, 0))).toThrow(ProtocolError);
  });
});
