import { concatBytes, utf8 } from '../../base/bytes.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { hmacSha256, sha256 } from '../../crypto/digest.ts';
import type { AccountConfig, AccountSecrets } from '../account-config.ts';

const label = utf8('tessera tickets at rest');

/**
 * 32 octets that differ as soon as the account, its KMS, who makes its tickets or any of its secrets does: tickets at rest are used only by whom
 * they were made for. They tell something about the secrets and are kept enciphered with the tickets.
 */
export function credentialBinding(
  config: AccountConfig,
  { password, kmsPsk, kmsPrivateKey, sim }: AccountSecrets,
): Uint8Array {
  const { identity, privateIdentity, domain, kms } = config;
  const names = utf8(
    JSON.stringify([
      identity,
      privateIdentity,
      domain,
      kms?.identity,
      kms?.address.url,
      kms?.credential,
      kms?.ticketsMadeHere ?? false,
    ]),
  );
  const secrets = [password, kmsPsk, kmsPrivateKey, sim?.k, sim?.opc];
  return sha256(concatBytes(sha256(names), ...secrets.map(proofOf)));
}

function proofOf(secret: SecretBytes | undefined): Uint8Array {
  return secret === undefined ? new Uint8Array(32) : secret.use((octets) => hmacSha256(octets, label));
}
