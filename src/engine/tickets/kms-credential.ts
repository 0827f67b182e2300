import { utf8 } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { bytesIdentity } from '../../protocol/mikey/index.ts';
import type { AccountSecrets, KmsConfig } from '../account-config.ts';
import { createAkaMethod, createDigestMethod, type AkaCard } from '../bootstrapping/bootstrap-method.ts';
import { createCertificateCredential } from './certificate-credential.ts';
import type { KmsCredential, KmsKey } from './kms-credential-types.ts';
import { createGbaCredential, type GbaCredentialOptions } from './gba-credential.ts';

export type { KmsCredentialMode } from './kms-credential-mode.ts';
export type { KmsCredential, KmsKey, SharedKmsKey } from './kms-credential-types.ts';

/** A key that both sides were given by hand (profile 6.3, mode `static-psk`): nobody but the user can replace it. */
export function createStaticPskCredential(pskId: string, psk: SecretBytes): KmsCredential {
  // A copy: the one that was given stays its owner's.
  const own = psk.use((octets) => new SecretBytes(octets));
  const key: KmsKey = { psk: own, pskId: bytesIdentity(utf8(pskId)) };
  return {
    mode: 'static-psk',
    current: () => Promise.resolve(key),
    rejected: () => Promise.resolve('give-up'),
    dispose: () => own.dispose(),
  };
}

/** The subscriber for whom a key is bootstrapped, and what that takes. */
export interface BootstrappingParty {
  readonly ports: GbaCredentialOptions['ports'];
  readonly privateIdentity: string;
  /** Of the home network. */
  readonly domain: string;
  /** The account's one SIM, so that its sequence numbers are those of its registrations too. */
  readonly sim: AkaCard | undefined;
}

/**
 * The credential that a configuration asks for; undefined when its secret is missing.
 * @throws ProtocolError for certificates that cannot be used.
 */
export function createKmsCredential(
  { credential, address }: KmsConfig,
  { kmsPsk, kmsPrivateKey, password }: AccountSecrets,
  party?: BootstrappingParty,
): KmsCredential | undefined {
  if (credential.mode === 'static-psk') {
    return kmsPsk === undefined ? undefined : createStaticPskCredential(credential.pskId, kmsPsk);
  }
  if (credential.mode === 'certificate') {
    return kmsPrivateKey === undefined ? undefined : createCertificateCredential(credential, kmsPrivateKey);
  }
  if (party === undefined) return undefined;
  const { ports, privateIdentity, domain, sim } = party;
  const { bsf } = credential;
  const method =
    credential.mode === 'gba-aka'
      ? sim && createAkaMethod(sim, serverNameOf(bsf))
      : password && createDigestMethod(privateIdentity, password, domain);
  return method && createGbaCredential({ ports, bsf, privateIdentity, method, nafFqdn: serverNameOf(address) });
}

/** The name that the server's certificate has to prove. */
const serverNameOf = ({ url, serverName }: { readonly url: string; readonly serverName?: string }): string =>
  serverName ?? (URL.canParse(url) ? new URL(url).hostname : '');
