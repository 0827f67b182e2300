import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import {
  createKmsCredential,
  type KmsCredential,
  type SharedKmsKey,
} from '../../../src/engine/tickets/kms-credential.ts';
import { readKmsConfig } from '../../../src/kms/http/config-file.ts';
import { openGbaSource } from '../../../src/kms/http/gba-config.ts';
import { startLabBsf, type LabBsf } from '../../../src/lab/bsf/start-bsf.ts';
import { WireRecorder } from '../../../src/lab/wire-recorder.ts';
import { createHttpsBootstrapping } from '../../../src/node/bootstrapping.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { TestSubscriber } from '../../engine/support/memory-bsf.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const name = 'bsf.lab.test';
const nafFqdn = 'kms.lab.test';
const folder = temporaryFolder('gba-config');
let lab: LabBsf;
let trustedCa: string;

beforeAll(async () => {
  const authority = await createCertificateAuthority({ commonName: 'Test CA', now: Date.now() });
  trustedCa = authority.certificatePem;
  const subscriber = new TestSubscriber(['sip:alice@lab.test'], 'right', secureRandom);
  lab = await startLabBsf({
    name,
    domain: 'lab.test',
    subscribers: { find: () => subscriber },
    tls: await authority.issue({ dnsNames: [name], ipAddresses: ['127.0.0.1'] }),
    nafAuthority: trustedCa,
    recorder: new WireRecorder(0),
    log: silentLogger,
    port: 0,
  });
  const own = await authority.issue({ dnsNames: [nafFqdn], ipAddresses: ['127.0.0.1'] }, { alsoClient: true });
  await writeFile(join(folder, 'server.pem'), own.certificatePem);
  await writeFile(join(folder, 'server.key'), own.privateKeyPem, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), trustedCa);
  await writeFile(join(folder, 'words.pem'), 'no certificate');
});
afterAll(() => lab.stop());

const files = { certificateFile: 'server.pem', privateKeyFile: 'server.key' };

async function written(gba: object): Promise<string> {
  const path = join(folder, 'kms.json');
  const base = { bsfUrl: lab.znUrl, bsfServerName: name, bsfDomain: name, nafFqdn, trustedCaFile: 'ca.pem' };
  const config = { identity: `sip:${nafFqdn}`, listen: { port: 0 }, tls: files, gba: { ...base, ...gba } };
  await writeFile(path, JSON.stringify(config));
  return path;
}

describe('a KMS that is the NAF of a network', () => {
  it.each([
    ['its certificate for UEs', {}],
    ['one of its own', { tls: files }],
  ])('finds subscribers by bootstrapping, proven by %s', async (_, gba) => {
    const config = await readKmsConfig(await written(gba));
    const { source, certificate } = await openGbaSource(config.gba!, { clock: systemClock, log: silentLogger });
    const credential = createKmsCredential(
      {
        address: { url: 'https://192.0.2.1', serverName: nafFqdn, bodyEncoding: 'base64' },
        identity: `sip:${nafFqdn}`,
        credential: { mode: 'gba-digest', bsf: { url: lab.url, serverName: name, trustedCa } },
        suite: '256',
      },
      { password: new SecretBytes(utf8('right')) },
      {
        ports: {
          clock: systemClock,
          random: secureRandom,
          log: silentLogger,
          bootstrapping: createHttpsBootstrapping(),
        },
        privateIdentity: 'alice@lab.test',
        domain: 'lab.test',
        sim: undefined,
      },
    );
    const { psk, pskId } = await (credential as KmsCredential<SharedKmsKey>).current(Date.now());
    const found = await source.findSubscriber(pskId, undefined);
    expect(found?.name).toBe('sip:alice@lab.test');
    expect(found?.psk.use(toHex)).toBe(psk.use(toHex));
    certificate.stop();
  });

  it.each([
    ['gba.bsfUrl', { bsfUrl: 'http://127.0.0.1' }],
    ['gba.nafFqdn', { nafFqdn: 'a b' }],
    ['gba.bsfDomain', { bsfDomain: undefined }],
    ['gba.trustedCaFile', { trustedCaFile: 'none.pem' }],
    ['gba.trustedCaFile', { trustedCaFile: 'words.pem' }],
  ])('names a wrong %s', async (field, gba) => {
    await expect(readKmsConfig(await written(gba))).rejects.toMatchObject({
      name: 'ProtocolError',
      field: expect.stringContaining(`kms.config.${field}`) as string,
    });
  });

  it('takes the name and the authorities of the system where none are given', async () => {
    const { gba } = await readKmsConfig(await written({ bsfServerName: undefined, trustedCaFile: undefined }));
    expect(gba?.server).toEqual({ url: lab.znUrl });
  });

  it('names a certificate that is not there', async () => {
    const config = await readKmsConfig(await written({ tls: { ...files, privateKeyFile: 'none.key' } }));
    const opening = openGbaSource(config.gba!, { clock: systemClock, log: silentLogger });
    await expect(opening).rejects.toMatchObject({ kind: 'local', field: 'kms.config.gba.tls.privateKeyFile' });
  });
});
