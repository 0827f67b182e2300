import { beforeAll, describe, expect, it } from 'vitest';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { readPemCertificates } from '../../src/crypto/pem.ts';
import { provesSipDomain } from '../../src/crypto/server-identity.ts';
import { issue, makeKeys, type Keys } from '../support/pki.ts';

let keys: Keys;

beforeAll(async () => {
  keys = await makeKeys('ec');
}, 60_000);

describe('the domain that a certificate proves (RFC 5922)', () => {
  it.each([
    ['its DNS name', { dnsNames: ['a.test', 'example.org'] }, 'example.org', true],
    ['in any case, with a last dot', { dnsNames: ['Example.ORG'] }, 'example.org.', true],
    ['another DNS name', { dnsNames: ['example.org'] }, 'sip.example.org', false],
    ['a wildcard', { dnsNames: ['*.example.org'] }, 'sip.example.org', false],
    ['its SIP URI', { uris: ['sip:example.org'] }, 'example.org', true],
    ['a SIP URI with a port', { uris: ['sip:example.org:5061'] }, 'example.org', true],
    ['a URI of a user', { uris: ['sip:alice@example.org'] }, 'example.org', false],
    ['a URI of the web', { uris: ['https:example.org'] }, 'example.org', false],
    [
      'a DNS name beside a SIP URI of another domain',
      { uris: ['sip:a.test'], dnsNames: ['example.org'] },
      'example.org',
      false,
    ],
    ['a DNS name beside a URI of a user', { uris: ['sip:bob@a.test'], dnsNames: ['example.org'] }, 'example.org', true],
    ['nothing but a common name', {}, 'example.org', false],
  ] as const)('%s', async (_, names, asked, isProven) => {
    const { der } = await issue({ name: 'example.org', keys, ...names });
    expect(provesSipDomain(der, asked)).toBe(isProven);
  });

  it('an IP address only by an IP address', async () => {
    const authority = await createCertificateAuthority({ commonName: 'root', now: Date.now() });
    const { certificatePem } = await authority.issue({
      dnsNames: ['192.0.2.2'],
      ipAddresses: ['192.0.2.1', '2001:db8::1'],
    });
    const [der = new Uint8Array()] = readPemCertificates(certificatePem, 'test');
    expect(['192.0.2.1', '2001:db8:0::1', '192.0.2.2'].map((name) => provesSipDomain(der, name))).toEqual([
      true,
      true,
      false,
    ]);
  });
});
