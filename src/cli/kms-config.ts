import { z } from 'zod';
import type { KmsConfig, KmsCredentialConfig } from '../engine/account-config.ts';
import { profile } from '../protocol/profile.ts';
import { certificateCredential, certificateCredentialSchema } from './ue-certificate.ts';

const httpsUrl = z.url({ protocol: /^https$/ });
const hostName = z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, 'expected the name of a host');

/** `kms` of a configuration file: where the KMS is and how the account comes to the key that both share. */
export const kmsSchema = z.strictObject({
  url: httpsUrl,
  /** The name that its certificate must prove, when it is not the host of the URL; for bootstrapped keys the name of the NAF. */
  serverName: hostName.optional(),
  identity: z.string().min(1),
  /** Of credential mode `static-psk`. */
  pskId: z.string().min(1).optional(),
  psk: z
    .string()
    .regex(/^([0-9a-fA-F]{2}){16,64}$/, 'expected 16 to 64 octets in hexadecimal')
    .optional(),
  /** Of credential mode `certificate`: base64 of PKCS #8. */
  privateKey: z.base64().min(1).optional(),
  /** `static-psk` when absent. */
  credential: z
    .discriminatedUnion('mode', [
      z.strictObject({ mode: z.literal('static-psk') }),
      z.strictObject({
        mode: z.enum(['gba-aka', 'gba-digest']),
        bsfUrl: httpsUrl,
        /** The name that the BSF's certificate must prove, when it is not the host of the URL. */
        bsfServerName: hostName.optional(),
      }),
      certificateCredentialSchema,
    ])
    .optional(),
  suite: z.enum(['256', '128']).optional(),
  bodyEncoding: z.enum(['base64', 'binary']).optional(),
  /** As in `KmsConfig`. */
  ticketsMadeHere: z.boolean().optional(),
});
export type KmsFields = z.infer<typeof kmsSchema>;

export const credentialMode = (kms: Pick<KmsFields, 'credential'> | undefined) =>
  kms === undefined ? undefined : (kms.credential?.mode ?? 'static-psk');

/** Which field is wrong and how, if any. `psk` may be kept elsewhere. */
export function kmsProblem({
  pskId,
  psk,
  privateKey,
  credential,
  ticketsMadeHere,
  suite = '256',
}: KmsFields): readonly [field: string, message: string] | undefined {
  const mode = credentialMode({ credential });
  const isStatic = mode === 'static-psk';
  if (isStatic && pskId === undefined) return ['pskId', 'expected the name of the key'];
  if (isStatic && psk === undefined) return ['psk', 'expected 16 to 64 octets in hexadecimal'];
  if (mode === 'certificate' && privateKey === undefined) return ['privateKey', 'expected the key of the certificate'];
  if (mode !== 'certificate' && privateKey !== undefined) return ['privateKey', 'nothing here uses one'];
  if (mode === 'certificate' && (pskId ?? psk) !== undefined)
    return ['pskId', 'an account with a certificate has none'];
  if (ticketsMadeHere === true && mode === 'certificate')
    return ['ticketsMadeHere', 'a certificate is no key that the server has too'];
  // A ticket is protected no worse than what is in it: a ticket protection key has the length of the keys that the suite makes.
  if (ticketsMadeHere === true && psk !== undefined && psk.length * 4 < Number(suite))
    return ['ticketsMadeHere', `needs a key of ${Number(suite) / 8} octets or more`];
  if (!isStatic && (pskId ?? psk) !== undefined) return ['pskId', 'a bootstrapped key has its own name and value'];
  return undefined;
}

/** Of a checked configuration. @param trusted PEM, instead of the system's authorities */
export function kmsConfig(fields: KmsFields, trusted: { readonly trustedCa?: string }): KmsConfig {
  const { url, serverName, identity, pskId = '', credential, suite = '256', bodyEncoding, ticketsMadeHere } = fields;
  const mode = credentialMode(fields);
  const token = mode === 'gba-aka' || mode === 'gba-digest' ? { userAgent: profile.bootstrapping.nafTokens[mode] } : {};
  const named = serverName === undefined ? {} : { serverName };
  return {
    address: { url, ...named, bodyEncoding: bodyEncoding ?? profile.kms.bodyEncoding, ...trusted, ...token },
    identity,
    credential: credentialConfig(credential, pskId, trusted),
    suite,
    ...(ticketsMadeHere === undefined ? {} : { ticketsMadeHere }),
  };
}

function credentialConfig(
  credential: KmsFields['credential'],
  pskId: string,
  trusted: { readonly trustedCa?: string },
): KmsCredentialConfig {
  if (credential === undefined || credential.mode === 'static-psk') return { mode: 'static-psk', pskId };
  if (credential.mode === 'certificate') return certificateCredential(credential);
  const { mode, bsfUrl, bsfServerName } = credential;
  return {
    mode,
    bsf: { url: bsfUrl, ...(bsfServerName === undefined ? {} : { serverName: bsfServerName }), ...trusted },
  };
}
