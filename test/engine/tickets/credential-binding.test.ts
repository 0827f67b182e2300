import { expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { AccountConfig, AccountSecrets } from '../../../src/engine/account-config.ts';
import { credentialBinding } from '../../../src/engine/tickets/credential-binding.ts';

const kms = {
  address: { url: 'https://kms.lab.test', bodyEncoding: 'base64' },
  identity: 'sip:kms.lab.test',
  credential: { mode: 'static-psk', pskId: 'alice' },
  suite: '256',
} as const;
const config: AccountConfig = {
  id: 'alice',
  identity: 'sip:alice@lab.test',
  privateIdentity: 'alice@lab.test',
  domain: 'lab.test',
  server: { host: '127.0.0.1', port: 5061, protocol: 'tls', serverName: 'lab.test' },
  policy: 'prefer-e2e',
  kms,
};
const secret = (text: string) => new SecretBytes(utf8(text));
const secrets: AccountSecrets = { password: secret('password'), kmsPsk: secret('a key of the KMS') };

it('differs with everything that decides whose tickets they are and who made them', () => {
  const bindings = (
    [
      [config, secrets],
      [{ ...config, identity: 'sip:bob@lab.test' }, secrets],
      [{ ...config, domain: 'other.test' }, secrets],
      [{ ...config, kms: { ...kms, identity: 'sip:kms.other.test' } }, secrets],
      [{ ...config, kms: { ...kms, address: { ...kms.address, url: 'https://other.test' } } }, secrets],
      [{ ...config, kms: { ...kms, credential: { mode: 'static-psk', pskId: 'bob' } } }, secrets],
      [{ ...config, kms: { ...kms, ticketsMadeHere: true } }, secrets],
      [config, { ...secrets, kmsPsk: secret('another key') }],
      [config, { ...secrets, password: secret('another password') }],
    ] as [AccountConfig, AccountSecrets][]
  ).map(([account, own]) => toHex(credentialBinding(account, own)));
  expect(new Set(bindings).size).toBe(bindings.length);
  expect(toHex(credentialBinding({ ...config, kms: { ...kms, ticketsMadeHere: false } }, secrets))).toBe(bindings[0]);
});
