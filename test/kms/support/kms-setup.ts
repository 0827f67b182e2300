import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '../../../src/base/bytes.ts';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { party, type Party } from '../../protocol/mikey/parties.ts';

export interface KmsFolder {
  readonly path: string;
  /** PEM, for clients. */
  readonly trustedCa: string;
  /** Writes a configuration file of this name with the people as its users. */
  config(name: string, changes?: object, people?: readonly Party[]): Promise<string>;
}

export const people = { alice: party('alice'), bob: party('bob'), carol: party('carol') } as const;

export const configUser = ({ name, psk }: Party) => ({
  identities: [`sip:${name}@lab.test`],
  pskId: `${name}-key`,
  psk: psk.use(toHex),
});

/** These tests ask as fast as they can, all from one address. */
const unlimited = { perSecond: 100_000, burst: 100_000 };

/** A certificate in a folder, and configurations beside it. */
export async function prepareKmsFolder(path: string): Promise<KmsFolder> {
  const authority = await createCertificateAuthority({ commonName: 'Test CA', now: Date.now() });
  const { certificatePem, privateKeyPem } = await authority.issue({ dnsNames: [], ipAddresses: ['127.0.0.1'] });
  await writeFile(join(path, 'server.pem'), certificatePem);
  await writeFile(join(path, 'server.key'), privateKeyPem, { mode: 0o600 });
  return {
    path,
    trustedCa: authority.certificatePem,
    async config(name, changes = {}, users = [people.alice, people.bob]) {
      const file = join(path, name);
      const config = {
        identity: 'sip:kms.lab.test',
        listen: { port: 0 },
        tls: { certificateFile: 'server.pem', privateKeyFile: 'server.key' },
        users: users.map(configUser),
        auditHeadFile: `${name}.audit-head`,
        limits: { perUser: unlimited, perAddress: unlimited, newConnectionsPerAddress: unlimited },
        ...changes,
      };
      await writeFile(file, JSON.stringify(config), { mode: 0o600 });
      return file;
    },
  };
}
