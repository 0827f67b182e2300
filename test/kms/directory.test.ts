import { describe, expect, it } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { KmsUserConfig } from '../../src/kms/config.ts';
import { createDirectory } from '../../src/kms/directory.ts';
import { bytesIdentity, uriIdentity } from '../../src/protocol/mikey/index.ts';

const user = (name: string, changes: Partial<KmsUserConfig> = {}): KmsUserConfig => ({
  identities: [`sip:${name}@lab.test`],
  pskId: `${name}-key`,
  psk: new SecretBytes(new Uint8Array(32)),
  ...changes,
});
const directoryOf = (...users: readonly KmsUserConfig[]) => createDirectory({ identity: 'sip:kms.lab.test', users });
const pskId = (name: string) => bytesIdentity(utf8(`${name}-key`));
const uri = (name: string) => uriIdentity(`sip:${name}@lab.test`);

describe('users', () => {
  const directory = directoryOf(
    user('alice', { identities: ['sips:Alice@LAB.test:5061;user=phone', 'tel:+1-555-0100'] }),
    user('bob', { identities: ['sip:bob@lab.test', 'sip:robert@lab.test'], mayRequest: false }),
    user('carol', { allowedResponders: ['sip:bob@lab.test'] }),
  );

  it('are found by the name of their key, or by an identity where none is named', () => {
    expect(directory.findSubscriber(pskId('alice'), undefined)?.name).toBe('sip:Alice@lab.test');
    expect(directory.findSubscriber(undefined, uriIdentity('tel:+15550100'))?.name).toBe('sip:Alice@lab.test');
    expect(directory.findSubscriber(pskId('mallory'), uri('bob'))).toBeUndefined();
    expect(directory.findSubscriber(undefined, undefined)).toBeUndefined();
  });

  it('ask for tickets only as their configuration allows, an alias counting as its owner', () => {
    const may = (name: string, ...responders: readonly string[]) =>
      directory.mayRequest(directory.findSubscriber(pskId(name), undefined)!, responders.map(uri));
    expect(may('alice', 'bob', 'anybody')).toBe(true);
    expect(may('bob', 'carol')).toBe(false);
    expect(may('carol', 'robert')).toBe(true);
    expect(may('carol', 'robert', 'alice')).toBe(false);
  });

  it('resolve tickets for any of their own identities and no other', () => {
    const bob = directory.findSubscriber(pskId('bob'), undefined)!;
    expect(directory.responderFor(bob, [uri('carol'), uri('robert')])).toEqual(uri('robert'));
    expect(directory.responderFor(bob, [uri('carol')])).toBeUndefined();
  });
});

describe('a configuration that cannot be', () => {
  it.each([
    ['a key of wrong length', [user('a', { psk: new SecretBytes(new Uint8Array(16)) })], 'users[0].psk'],
    ['a key name twice', [user('a'), user('b', { pskId: 'a-key' })], 'users[1].pskId'],
    ['an identity twice', [user('a'), user('b', { identities: ['sip:a@LAB.test'] })], 'users[1].identities'],
    ['a user without identity', [user('a', { identities: [] })], 'users[0].identities'],
    ['an identity that is none', [user('a', { identities: ['http://a'] })], 'users[0].identities'],
  ])('names the entry: %s', (_, users, field) => {
    expect(() => directoryOf(...users)).toThrow(
      expect.objectContaining({ name: 'ProtocolError', kind: 'local', field: `kms.config.${field}` }),
    );
  });
});
