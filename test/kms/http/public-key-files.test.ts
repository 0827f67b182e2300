import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { readPublicKeyFiles, type PublicKeyFiles } from '../../../src/kms/http/public-key-files.ts';
import { readUserEntry } from '../../../src/kms/http/user-entry.ts';
import { issue, KeyUsageFlags, makeKeys, privateKeyPem } from '../../support/pki.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const folder = temporaryFolder('public-key-files');
const beside = (file: string): string => join(folder, file);

beforeAll(async () => {
  const [keys, otherKeys] = await Promise.all([makeKeys(), makeKeys()]);
  const authority = await issue({ name: 'users', keys: await makeKeys('ec'), authority: true });
  const uris = ['sip:kms.lab.test'];
  const kms = await issue({ name: 'kms', keys, uris });
  const signer = await issue({ name: 'kms', keys, uris, usage: KeyUsageFlags.digitalSignature });
  await Promise.all([
    writeFile(beside('kms.pem'), kms.pem),
    writeFile(beside('signer.pem'), signer.pem),
    writeFile(beside('kms.key'), privateKeyPem(keys)),
    writeFile(beside('other.key'), privateKeyPem(otherKeys)),
    writeFile(beside('anchors.pem'), authority.pem),
    writeFile(beside('words.pem'), 'no certificate'),
  ]);
}, 60_000);

const files = (changes: Partial<PublicKeyFiles> = {}): PublicKeyFiles => ({
  certificateFiles: ['kms.pem'],
  privateKeyFiles: ['kms.key'],
  trustAnchorsFile: 'anchors.pem',
  ...changes,
});

describe('the certificates of a KMS', () => {
  it('are read with their keys; domains have no case', async () => {
    const config = await readPublicKeyFiles(files({ domains: ['Lab.Test'] }), beside);
    expect(config.keys.map(({ certificate }) => certificate.uris)).toEqual([['sip:kms.lab.test']]);
    expect(config.anchors.size).toBe(1);
    expect(config.domains).toEqual(['lab.test']);
  });

  it.each<{ name: string; changes: Partial<PublicKeyFiles>; field: string }>([
    { name: 'a key is missing', changes: { certificateFiles: ['kms.pem', 'kms.pem'] }, field: 'privateKeyFiles' },
    { name: 'there is a key too many', changes: { privateKeyFiles: ['kms.key', 'kms.key'] }, field: 'privateKeyFiles' },
    {
      name: 'the key is of another certificate',
      changes: { privateKeyFiles: ['other.key'] },
      field: 'privateKeyFiles[0]',
    },
    { name: 'the key is none', changes: { privateKeyFiles: ['kms.pem'] }, field: 'privateKeyFiles[0]' },
    { name: 'a file is not there', changes: { certificateFiles: ['absent.pem'] }, field: 'certificateFiles[0]' },
    { name: 'a file is no certificate', changes: { certificateFiles: ['words.pem'] }, field: 'certificateFiles[0]' },
    {
      name: 'the certificate is not for encryption',
      changes: { certificateFiles: ['signer.pem'] },
      field: 'certificateFiles[0].usage',
    },
    { name: 'there are no anchors', changes: { trustAnchorsFile: 'words.pem' }, field: 'trustAnchorsFile' },
  ])('are refused when $name, by the name of the setting', async ({ changes, field }) => {
    await expect(readPublicKeyFiles(files(changes), beside)).rejects.toMatchObject({
      name: 'ProtocolError',
      field: `kms.config.publicKey.${field}`,
    });
  });
});

describe('an entry of a user with a certificate', () => {
  it('has a key that nobody knows, under a name that tells so', () => {
    const identities = ['sip:alice@lab.test'];
    const any = readUserEntry({ identities, certificate: true });
    expect(any).toMatchObject({ pskId: 'certificate of sip:alice@lab.test', certificates: 'any' });
    expect(any.psk).toHaveLength(32);
    const one = readUserEntry({ identities, certificate: ['AB:CD'] });
    expect(one.certificates).toEqual(['AB:CD']);
  });
});
