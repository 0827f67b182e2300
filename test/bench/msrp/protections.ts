import { createDeviceCertificate } from '../../../src/crypto/certificate.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { fromUtf8, toHex } from '../../../src/base/bytes.ts';
import { probePskCiphers } from '../../../src/node/msrp/psk-probe.ts';
import type { PairOptions } from './peer-pair.ts';
import type { SentCertificate } from './wire.ts';

export interface NamedProtection {
  readonly name: string;
  readonly protections: PairOptions['protections'];
}

/** Plain TCP, TLS by fingerprint, and PSK-TLS with each suite that this TLS library really does. */
export async function protectionsToMeasure(): Promise<readonly NamedProtection[]> {
  const plain = { mode: 'plain' } as const;
  const suites = ((await probePskCiphers()) ?? '').split(':').filter((suite) => suite !== '' && !suite.startsWith('@'));
  return [
    { name: 'plain TCP', protections: { active: plain, passive: plain } },
    await fingerprintProtection(),
    ...suites.map((suite) => {
      const psk = { mode: 'psk', suite, keyHex: toHex(secureRandom.bytes(32)) } as const;
      return { name: `PSK-TLS ${suite}`, protections: { active: psk, passive: psk } };
    }),
  ];
}

export async function fingerprintProtection(): Promise<NamedProtection> {
  const [alice, bob] = [await certificateOf('alice'), await certificateOf('bob')];
  return {
    name: 'fingerprint TLS',
    protections: {
      active: { mode: 'fingerprint', own: alice, peerSha256: bob.sha256 },
      passive: { mode: 'fingerprint', own: bob, peerSha256: alice.sha256 },
    },
  };
}

async function certificateOf(commonName: string): Promise<SentCertificate> {
  const { certificatePem, privateKeyPem, sha256 } = await createDeviceCertificate({ commonName, now: Date.now() });
  return { certificatePem, sha256, privateKeyPem: privateKeyPem.use((pem) => fromUtf8(pem)) };
}
