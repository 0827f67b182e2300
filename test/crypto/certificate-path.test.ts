import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { TrustAnchors, validatePath } from '../../src/crypto/certificate-path.ts';
import { sha1, sha256 } from '../../src/crypto/digest.ts';
import { Certificate, type CertificateUse } from '../../src/crypto/x509.ts';
import { issue, KeyUsageFlags, makeKeys, type CertificateWishes, type Issued, type Keys } from '../support/pki.ts';

const now = Date.UTC(2026, 0, 1);
const day = 24 * 3600_000;

let keys: Keys;
let ecKeys: Keys;
let root: Issued;
let ecRoot: Issued;
let intermediate: Issued;
let anchors: TrustAnchors;

beforeAll(async () => {
  keys = await makeKeys();
  ecKeys = await makeKeys('ec');
  root = await issue({ name: 'root', keys: await makeKeys(), authority: { pathLength: 1 } });
  ecRoot = await issue({ name: 'ec root', keys: ecKeys, authority: true });
  intermediate = await issue({ name: 'intermediate', keys: await makeKeys(), issuer: root, authority: true });
  anchors = new TrustAnchors([root.der, ecRoot.der], 'anchors');
}, 60_000);

const leaf = (changes: Partial<CertificateWishes> = {}): Promise<Issued> =>
  issue({ name: 'alice', keys, issuer: root, uris: ['sip:alice@lab.test'], ...changes });

const validate = (path: readonly Issued[], use: CertificateUse = 'signature', at = now): Certificate =>
  validatePath(
    path.map(({ der }) => der),
    { anchors, use, now: at },
  );

describe('a path that holds', () => {
  it('issued by an anchor, RSA or elliptic curve', async () => {
    for (const issuer of [root, ecRoot]) {
      const owner = validate([await leaf({ issuer })]);
      expect(owner.uris).toEqual(['sip:alice@lab.test']);
      expect(owner.publicKey().modulusOctets).toBe(256);
    }
  });

  it('over an intermediate authority, the anchor sent along or not', async () => {
    const alice = await leaf({ issuer: intermediate });
    expect(validate([alice, intermediate]).subject).toBe('CN=alice');
    expect(validate([alice, intermediate, root]).subject).toBe('CN=alice');
  });

  it('a single certificate that is trusted itself', async () => {
    const alone = await issue({ name: 'alone', keys, uris: ['sip:alone@lab.test'], usage: null });
    const trusting = new TrustAnchors([alone.der], 'anchors');
    expect(validatePath([alone.der], { anchors: trusting, use: 'signature', now }).subject).toBe('CN=alone');
    expect(() => validate([alone])).toThrow(expect.objectContaining({ kind: 'policy-denied', field: 'certificates' }));
  });

  it('without keyUsage, and with the purpose of a client', async () => {
    expect(validate([await leaf({ usage: null })]).fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    validate([await leaf({ purposes: ['1.3.6.1.5.5.7.3.2'] })]);
    validate([await leaf({ purposes: ['2.5.29.37.0'] })]);
  });

  it('hashes the whole certificate', async () => {
    const { der } = await leaf();
    const certificate = new Certificate(der, 'test');
    expect(toHex(certificate.hash('sha1'))).toBe(toHex(sha1(der)));
    expect(toHex(certificate.hash('sha256'))).toBe(toHex(sha256(der)));
    expect(certificate.hash('md5')).toHaveLength(16);
  });
});

describe('a path that does not hold', () => {
  const denials: readonly [
    name: string,
    make: () => Promise<readonly Issued[]>,
    error: Partial<ProtocolError>,
    use?: CertificateUse,
  ][] = [
    ['nothing', () => Promise.resolve([]), { kind: 'malformed', field: 'certificates' }],
    [
      'too many certificates',
      async () => Array<Issued>(5).fill(await leaf()),
      { kind: 'malformed', field: 'certificates' },
    ],
    ['expired', async () => [await leaf({ until: now - 1000 })], { kind: 'expired', field: 'certificate[0].validity' }],
    [
      'not valid yet',
      async () => [await leaf({ from: now + 1000 })],
      { kind: 'expired', field: 'certificate[0].validity' },
    ],
    [
      'issued by somebody else under the name of the anchor',
      async () => [await leaf({ issuer: await issue({ name: 'root', keys: await makeKeys(), authority: true }) })],
      { kind: 'peer-misbehaved', field: 'certificate[0].issuer' },
    ],
    [
      'issued by an unknown authority',
      async () => [await leaf({ issuer: await issue({ name: 'other', keys: ecKeys, authority: true }) })],
      { kind: 'policy-denied', field: 'certificates' },
    ],
    [
      'the next certificate is not the issuer',
      async () => [await leaf(), intermediate],
      { kind: 'peer-misbehaved', field: 'certificate[0].issuer' },
    ],
    [
      'issued by a user',
      async () => {
        const user = await leaf({ name: 'bob' });
        return [await leaf({ issuer: user }), user];
      },
      { kind: 'policy-denied', field: 'certificate[1].usage' },
    ],
    [
      'an authority that may not sign certificates',
      async () => {
        const authority = await leaf({ name: 'ca', authority: true, usage: KeyUsageFlags.digitalSignature });
        return [await leaf({ issuer: authority }), authority];
      },
      { kind: 'policy-denied', field: 'certificate[1].usage' },
    ],
    [
      'an expired authority',
      async () => {
        const authority = await leaf({ name: 'ca', authority: true, until: now - 1 });
        return [await leaf({ issuer: authority }), authority];
      },
      { kind: 'expired', field: 'certificate[1].validity' },
    ],
    [
      'more authorities than the anchor allows',
      async () => {
        const second = await issue({ name: 'second', keys: ecKeys, issuer: intermediate, authority: true });
        return [await leaf({ issuer: second }), second, intermediate];
      },
      { kind: 'policy-denied', field: 'certificates' },
    ],
    [
      'a key that signs nothing',
      async () => [await leaf({ usage: KeyUsageFlags.keyEncipherment })],
      { kind: 'policy-denied', field: 'certificate[0].usage' },
    ],
    [
      'a key that enciphers nothing',
      async () => [await leaf({ usage: KeyUsageFlags.digitalSignature })],
      { kind: 'policy-denied', field: 'certificate[0].usage' },
      'encryption',
    ],
    [
      "a server's certificate",
      async () => [await leaf({ purposes: ['1.3.6.1.5.5.7.3.1'] })],
      { kind: 'policy-denied', field: 'certificate[0].usage' },
    ],
    [
      'an unknown critical extension',
      async () => [await leaf({ unknownCriticalExtension: true })],
      { kind: 'policy-denied', field: 'certificate[0].usage' },
    ],
    [
      'signed with SHA-1',
      async () => [await leaf({ issuer: ecRoot, hash: 'SHA-1' })],
      { kind: 'unsupported', field: 'certificate[0].signatureAlgorithm' },
    ],
    [
      'more names than anybody has',
      async () => [await leaf({ uris: Array.from({ length: 40 }, (_, index) => `sip:a${index}@lab.test`) })],
      { kind: 'malformed', field: 'certificate[0].subjectAltName' },
    ],
    [
      'too large',
      async () => [await leaf({ uris: ['sip:a@lab.test', `sip:${'x'.repeat(4000)}@lab.test`] })],
      { kind: 'malformed', field: 'certificate[0]' },
    ],
  ];

  it.each(denials)('%s', async (_, make, error, use = 'signature') => {
    const path = await make();
    expect(() => validate(path, use)).toThrow(expect.objectContaining(error));
  });

  it('keys other than RSA of a fitting length', async () => {
    for (const wrong of [ecKeys, await makeKeys('rsa-1024')]) {
      const owner = validate([await leaf({ keys: wrong })]);
      expect(() => owner.publicKey()).toThrow(expect.objectContaining({ kind: 'unsupported' }));
    }
  });

  it('an anchor outside its validity', async () => {
    const old = await issue({ name: 'old', keys: ecKeys, authority: true, until: now });
    const trusting = new TrustAnchors([old.der], 'anchors');
    const alice = await leaf({ issuer: old });
    validatePath([alice.der], { anchors: trusting, use: 'signature', now });
    expect(() => validatePath([alice.der], { anchors: trusting, use: 'signature', now: now + day })).toThrow(
      expect.objectContaining({ kind: 'expired' }),
    );
  });

  it('an anchor of the same name that did not sign is passed over', async () => {
    const twin = await issue({ name: 'root', keys: ecKeys, authority: true });
    const trusting = new TrustAnchors([twin.der, root.der], 'anchors');
    const alice = await leaf();
    expect(validatePath([alice.der], { anchors: trusting, use: 'signature', now }).subject).toBe('CN=alice');
    expect(trusting.size).toBe(2);
  });

  it('any changed octet', async () => {
    const { der } = await leaf();
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const changed = Uint8Array.from(der);
        changed[position]! ^= change;
        expect(() => validatePath([changed], { anchors, use: 'signature', now })).toThrow(ProtocolError);
      }),
      { numRuns: 300, seed: 6043 },
    );
  });

  it('octets after the end, cut octets, no certificate at all', async () => {
    const { der } = await leaf();
    for (const octets of [Uint8Array.from([...der, 0]), der.subarray(0, -1), new Uint8Array(), new Uint8Array(100)]) {
      expect(() => new Certificate(octets, 'test')).toThrow(
        expect.objectContaining({ kind: 'malformed', field: 'test' }),
      );
    }
  });
});
