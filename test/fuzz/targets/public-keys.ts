import { readFileSync } from 'node:fs';

import { fromBase64 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { RsaPrivateKey } from '../../../src/crypto/rsa.ts';

interface Owner {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Made once and kept, because RSA keys and envelopes are never the same twice. Base64 of DER, valid from 2020 to 2099. */
const kept = JSON.parse(readFileSync(new URL('public-keys.json', import.meta.url), 'utf8')) as {
  readonly authority: string;
  /** An authority below `authority`, which certifies Bob. */
  readonly below: string;
  /** An elliptic key and a critical extension that nobody knows. */
  readonly elliptic: string;
  readonly kms: Owner;
  readonly alice: Owner;
  readonly bob: Owner;
  /** REQUEST_INIT_PK of Alice and RESOLVE_INIT_PK of Bob, right at the `start` of the exchanges. */
  readonly questions: { readonly request: string; readonly resolve: string };
};

const octets = (text: string): Uint8Array => fromBase64(text, 'public-keys.json');
const owner = ({ certificate, privateKey }: Owner) => ({
  certificate: octets(certificate),
  privateKey: new RsaPrivateKey(new SecretBytes(octets(privateKey)), 'public-keys.json'),
});

export const publicKeys = {
  authority: octets(kept.authority),
  below: octets(kept.below),
  elliptic: octets(kept.elliptic),
  kms: owner(kept.kms),
  alice: owner(kept.alice),
  bob: owner(kept.bob),
  request: octets(kept.questions.request),
  resolve: octets(kept.questions.resolve),
};
