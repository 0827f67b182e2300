import { profile } from '../../protocol/profile.ts';

/** TLS of everything that the KMS listens on or connects to (profile 2.6, TS 33.210 6.2): 1.2 at least, AEAD with forward secrecy. */
export const tlsProfile = {
  minVersion: profile.kms.tlsMinVersion,
  ciphers: profile.kms.tlsSuites.join(':'),
  honorCipherOrder: true,
} as const;
