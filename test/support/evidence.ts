import type { Evidence, MessageWay, ProtectionLevel } from '../../src/contract/index.ts';

const fingerprint = (seed: number) =>
  Array.from({ length: 32 }, (_, index) =>
    ((index * 37 + seed) % 256).toString(16).padStart(2, '0').toUpperCase(),
  ).join(':');

const metadata = 'who talks to whom, and when';
const operator = 'the text inside the operator’s network, and on the way behind it';

/** Evidence as the engine writes it for each level and way. */
export function evidenceFor(level: ProtectionLevel, way: MessageWay, at: number, peer: string): Evidence {
  const ticket = { issuedAt: at - 95_000, validUntil: at + 3_500_000, credential: 'gba-aka' } as const;
  const tls = { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' };
  if (level === 'e2e') {
    const notProtected = [metadata, 'the text, from whoever runs the key management server'];
    const common = { kms: 'sip:kms.lab.test', ticket, vouchedBy: 'kms', verifiedAt: at, notProtected } as const;
    return way === 'msrp'
      ? {
          kind: 'msrp-psk-tls',
          tls: { version: 'TLSv1.2', suite: 'TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256' },
          role: 'active',
          keyId: '5b1c09ee.01',
          peer,
          ...common,
        }
      : {
          kind: 'message-psk-mime',
          contentEncryption: 'AES-256-GCM',
          keyId: '5b1c09ee01a7c4f2',
          origin: 'proven',
          ...common,
        };
  }
  const vouchedBy = level === 'e2ae' ? 'network' : 'nobody';
  if (way === 'msrp') {
    if (level === 'none')
      return { kind: 'msrp-plain', vouchedBy: 'nobody', notProtected: ['the text, to everybody on the way', metadata] };
    return {
      kind: 'msrp-fingerprint-tls',
      tls,
      localFingerprint: fingerprint(11),
      peerFingerprint: fingerprint(171),
      indication: level === 'e2ae' ? 'applied' : 'none',
      vouchedBy,
      verifiedAt: at,
      notProtected:
        level === 'e2ae'
          ? [operator, metadata]
          : ['the text, from an end point that nobody vouched for', operator, metadata],
    };
  }
  return {
    kind: 'message-signalling',
    transport: level === 'none' ? 'tcp' : 'tls',
    ...(level === 'none' ? {} : { tls }),
    securityAgreement: level === 'e2ae' ? ['tls;q=0.2', 'msrp-tls;mediasec'] : [],
    vouchedBy,
    verifiedAt: at,
    notProtected: level === 'none' ? ['the text, to everybody on the way', metadata] : [operator, metadata],
  };
}
