import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import forge from 'node-forge';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import {
  accountFromUeConfig,
  checkUeConfig,
  pinFileFromUeConfig,
  readUeConfig,
  type UeConfig,
} from '../../src/cli/ue-config.ts';
import { issue, makeKeys, privateKeyPem, type Issued } from '../support/pki.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const config: UeConfig = {
  identity: 'sip:alice@lab.test',
  privateIdentity: 'alice@lab.test',
  domain: 'lab.test',
  password: 'pass word',
};
const withServer = (server: object): UeConfig => checkUeConfig({ ...config, server });
const serverOf = (server: object) => accountFromUeConfig(withServer(server)).config.server;

let alice: Issued;

beforeAll(async () => {
  alice = await issue({ name: 'alice', keys: await makeKeys() });
}, 60_000);

describe('the server of an account', () => {
  it('is found by the records of the domain when nothing is said', () => {
    expect(accountFromUeConfig(checkUeConfig(config)).config.server).toEqual({
      host: 'lab.test',
      serverName: 'lab.test',
    });
    expect(serverOf({})).toEqual({ host: 'lab.test', serverName: 'lab.test' });
  });

  it('is what is said', () => {
    const said = { security: 'any', trust: 'pin-on-first-use', webSocketPath: '/ws?a=b', port: 8080 } as const;
    expect(serverOf({ ...said, host: 'edge.lab.test', transport: 'ws', serverName: 'edge.test' })).toEqual({
      ...said,
      host: 'edge.lab.test',
      protocol: 'ws',
      serverName: 'edge.test',
    });
    for (const transport of ['udp', 'tcp', 'tls', 'ws', 'wss'])
      expect(serverOf({ transport }).protocol).toBe(transport);
  });

  it.each([
    ['server.transport', { transport: 'sctp' }],
    ['server.security', { transport: 'udp', security: 'tls-only' }],
    ['server.security', { transport: 'ws', security: 'tls-only' }],
    ['server.trust', { trust: 'anything' }],
    ['server.webSocketPath', { webSocketPath: 'ws' }],
    ['server.webSocketPath', { webSocketPath: '/a b' }],
    ['server.host', { host: '' }],
    ['server.clientCertificate.privateKey', { clientCertificate: { certificates: 'x' } }],
  ])('%s is named when it is wrong', (field, server) => {
    expect(() => withServer(server)).toThrow(`${field}: `);
  });

  it('has its certificate remembered in the state folder, and nowhere else', () => {
    const pinning = { server: { trust: 'pin-on-first-use' } } as const;
    expect(pinFileFromUeConfig(checkUeConfig({ ...config, ...pinning, stateDirectory: '/state' }))).toBe(
      join('/state', 'servers.json'),
    );
    expect(() => pinFileFromUeConfig(checkUeConfig({ ...config, ...pinning }))).toThrow(/^stateDirectory: /);
    expect(pinFileFromUeConfig(checkUeConfig({ ...config, stateDirectory: '/state' }))).toBeUndefined();
  });
});

describe('the access to the network', () => {
  it('may have a second server, an identity that is preferred, and facts of the access', () => {
    const said = {
      secondServer: { host: 'second.lab.test', transport: 'tls', port: 5071 },
      preferredIdentity: 'tel:+49301234',
      accessNetworkInfo: 'IEEE-802.11',
      flowRecovery: { allFailed: 100, someFailed: 200, longest: 1000 },
    } as const;
    const { config: account } = accountFromUeConfig(checkUeConfig({ ...config, ...said, ca: alice.pem }));
    expect(account).toMatchObject({
      secondServer: {
        host: 'second.lab.test',
        protocol: 'tls',
        port: 5071,
        serverName: 'lab.test',
        trustedCa: alice.pem,
      },
      preferredIdentity: said.preferredIdentity,
      accessNetworkInfo: said.accessNetworkInfo,
      flowRecovery: said.flowRecovery,
    });
    const plain = accountFromUeConfig(checkUeConfig(config)).config;
    expect(Object.keys(plain).filter((key) => key in said)).toEqual([]);
  });

  it.each([
    ['secondServer.security', { secondServer: { transport: 'tcp', security: 'tls-only' } }],
    ['preferredIdentity', { preferredIdentity: 'alice' }],
    ['accessNetworkInfo', { accessNetworkInfo: 'IEEE-802.11\r\nX: y' }],
    ['flowRecovery.longest', { flowRecovery: { allFailed: 1, someFailed: 1, longest: 0 } }],
  ])('%s is named when it is wrong', (field, change) => {
    expect(() => checkUeConfig({ ...config, ...change })).toThrow(`${field}: `);
  });
});

describe('a client certificate', () => {
  async function read(clientCertificate: object, files: Record<string, string | Uint8Array>): Promise<UeConfig> {
    const folder = temporaryFolder('server-config');
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    await writeFile(join(folder, 'ue.json'), JSON.stringify({ ...config, server: { clientCertificate } }));
    return readUeConfig(join(folder, 'ue.json'));
  }

  it('comes from PEM files', async () => {
    const given = await read(
      { certificateFile: 'alice.pem', privateKeyFile: 'alice.key' },
      { 'alice.pem': alice.pem, 'alice.key': privateKeyPem(alice.keys) },
    );
    const { config: account, secrets } = accountFromUeConfig(given);
    expect(account.server.clientCertificates?.map(toHex)).toEqual([toHex(alice.der)]);
    expect(secrets.clientPrivateKey?.use(toHex)).toBe(toHex(alice.keys.pkcs8));
    expect(JSON.stringify(secrets)).toContain('[secret]');
  });

  it('comes from a PKCS #12 file with its passphrase', async () => {
    const { asn1, pki, pkcs12 } = forge;
    const key = pki.privateKeyFromPem(privateKeyPem(alice.keys));
    const options = { algorithm: 'aes256', count: 100 } as const;
    const file = pkcs12.toPkcs12Asn1(key, pki.certificateFromPem(alice.pem), 'pass phrase', options);
    const bytes = Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), 'binary'));
    const given = await read({ certificateFile: 'alice.p12', passphrase: 'pass phrase' }, { 'alice.p12': bytes });
    expect(accountFromUeConfig(given).secrets.clientPrivateKey?.use(toHex)).toBe(toHex(alice.keys.pkcs8));
    await expect(
      read({ certificateFile: 'alice.p12', passphrase: 'other words' }, { 'alice.p12': bytes }),
    ).rejects.toThrow(/server\.clientCertificate\.certificateFile: another passphrase/);
  });

  it('that cannot be read is named', async () => {
    const files = { 'alice.pem': alice.pem };
    await expect(read({ certificateFile: 'alice.pem' }, files)).rejects.toThrow(
      /server\.clientCertificate\.privateKeyFile/,
    );
    await expect(read({ certificateFile: 'none.pem' }, files)).rejects.toThrow(/cannot read .*none\.pem/);
    await expect(read({ certificateFile: 'alice.pem', key: 'x' }, files)).rejects.toThrow(/server\.clientCertificate/);
  });
});
