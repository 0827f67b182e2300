import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import {
  accountFromUeConfig,
  checkUeConfig,
  readUeConfig,
  ticketStorageFromUeConfig,
  type UeConfig,
} from '../../src/cli/ue-config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const config: UeConfig = {
  identity: 'sip:alice@lab.test',
  privateIdentity: 'alice@lab.test',
  domain: 'lab.test',
  password: 'pass word',
  server: { host: '127.0.0.1', port: 5061, transport: 'tls' },
  kms: { url: 'https://kms.lab.test:8443', identity: 'sip:kms.lab.test', pskId: 'alice', psk: 'ab'.repeat(32) },
};
const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

test('what is left out gets its default', () => {
  const { config: account, secrets } = accountFromUeConfig(config);
  expect(account).toMatchObject({
    policy: 'prefer-e2e',
    server: { protocol: 'tls', serverName: 'lab.test' },
    kms: { suite: '256', address: { bodyEncoding: 'base64' } },
  });
  expect(secrets.kmsPsk?.length).toBe(32);
  expect(JSON.stringify(secrets)).not.toContain('pass word');
});

test('where sessions are listened for', () => {
  const media = { address: '2001:db8::7', portRange: [50_000, 50_099] };
  expect(accountFromUeConfig(checkUeConfig({ ...config, media })).config.media).toEqual(media);
  expect(accountFromUeConfig(checkUeConfig(config)).config.media).toBeUndefined();
});

test('realms on the way have credentials of their own, which are not shown', () => {
  const credentials = [{ realm: 'visited.test', username: 'guest', password: 'guest word' }];
  const read = accountFromUeConfig(
    checkUeConfig({ ...config, credentials, digestQop: 'auth-int', registrationEvents: false }),
  );
  expect(read.config).toMatchObject({ digestQop: 'auth-int', registrationEvents: false });
  expect(read.secrets.credentials).toMatchObject([{ realm: 'visited.test', username: 'guest' }]);
  expect(JSON.stringify(read)).not.toContain('guest word');
  expect(() => checkUeConfig({ ...config, credentials: [{ realm: '', username: 'guest', password: '' }] })).toThrow(
    /^credentials\.0\.realm: /,
  );
});

test('a relay has the account’s certificates, and its password or one of its own', () => {
  const relay = { uri: 'msrps://relay.lab.test:2855;tcp', username: 'al', realm: 'lab.test', expires: 600 };
  const own = accountFromUeConfig(
    checkUeConfig({ ...config, ca: pem, msrpRelay: { ...relay, password: 'other word' } }),
  );
  expect(own.config.msrpRelay).toEqual({ ...relay, trustedCa: pem });
  expect(own.secrets.msrpRelayPassword?.length).toBe('other word'.length);
  expect(JSON.stringify(own)).not.toContain('other word');
  const shared = accountFromUeConfig(checkUeConfig({ ...config, msrpRelay: relay }));
  expect(shared.secrets.msrpRelayPassword).toBeUndefined();
});

test.each(['msrp://relay.lab.test:2855;tcp', 'https://relay.lab.test', 'msrps://relay.lab.test:2855/session;tcp'])(
  '%s is no relay',
  (uri) => {
    expect(() => checkUeConfig({ ...config, msrpRelay: { uri } })).toThrow(/^msrpRelay\.uri: .*msrps/);
  },
);

test('a relay of an account with a SIM needs a password of its own', () => {
  const sim = { mode: 'aka', k: '465b5ce8b199b49faa5f0a2ee238a6bc', opc: 'cd63cb71954a9f4e48a5994e37a02baf' } as const;
  const msrpRelay = { uri: 'msrps://relay.lab.test:2855;tcp' };
  expect(() => checkUeConfig({ ...config, password: undefined, authentication: sim, msrpRelay })).toThrow(
    /^msrpRelay\.password/,
  );
});

const withoutPassword: UeConfig = { ...config, password: undefined };
const k = '465b5ce8b199b49faa5f0a2ee238a6bc';
const op = 'cdc202d5123e20f62b6d676ac72cb318';
const opc = 'cd63cb71954a9f4e48a5994e37a02baf';

test('key tickets are sealed under a passphrase, or stay in memory', () => {
  const kept = (change: object) => ticketStorageFromUeConfig(checkUeConfig({ ...config, ...change }));
  expect(kept({})).toMatchObject({ kept: 'memory', reason: expect.stringContaining('stateDirectory') as string });
  expect(kept({ stateDirectory: '/nowhere' })).toMatchObject({ kept: 'memory' });
  const sealed = kept({ stateDirectory: '/nowhere', statePassphrase: 'twelve letters' });
  expect(sealed).toMatchObject({ kept: 'sealed', key: { kind: 'passphrase' } });
  expect(JSON.stringify(sealed)).not.toContain('twelve');
  expect(() => kept({ statePassphrase: 'short' })).toThrow('statePassphrase: expected 12 characters');
});

test.each([{ opc }, { op }])('a SIM has K and OPc, given as %j', (given) => {
  const checked = checkUeConfig({ ...withoutPassword, authentication: { mode: 'aka', k, ...given, amf: '8000' } });
  const { config: account, secrets } = accountFromUeConfig(checked);
  expect(account.authentication).toEqual({ mode: 'aka', amf: Uint8Array.of(0x80, 0) });
  expect(secrets.password).toBeUndefined();
  expect([secrets.sim?.k.use(toHex), secrets.sim?.opc.use(toHex)]).toEqual([k, opc]);
  expect(JSON.stringify([account, secrets])).not.toMatch(new RegExp(`${k}|${op}|${opc}`));
});

const bsf = { bsfUrl: 'https://127.0.0.1:8444/', bsfServerName: 'bsf.lab.test' };
const gbaKms = (mode: 'gba-aka' | 'gba-digest'): UeConfig['kms'] => ({
  url: 'https://127.0.0.1:8443',
  serverName: 'kms.lab.test',
  identity: 'sip:kms.lab.test',
  credential: { mode, ...bsf },
});

test('the key of the KMS may come by bootstrapping, with the password or with a SIM', () => {
  const byPassword = accountFromUeConfig(checkUeConfig({ ...config, ca: pem, kms: gbaKms('gba-digest') }));
  expect(byPassword.config.kms).toEqual({
    address: {
      url: 'https://127.0.0.1:8443',
      serverName: 'kms.lab.test',
      bodyEncoding: 'base64',
      trustedCa: pem,
      userAgent: '3gpp-gba-digest',
    },
    identity: 'sip:kms.lab.test',
    credential: {
      mode: 'gba-digest',
      bsf: { url: 'https://127.0.0.1:8444/', serverName: 'bsf.lab.test', trustedCa: pem },
    },
    suite: '256',
  });
  expect(byPassword.secrets.kmsPsk).toBeUndefined();
  const bySim = accountFromUeConfig(checkUeConfig({ ...config, sim: { k, op }, kms: gbaKms('gba-aka') }));
  expect([bySim.secrets.sim?.k.use(toHex), bySim.secrets.sim?.opc.use(toHex)]).toEqual([k, opc]);
  expect(bySim.secrets.password).toBeDefined();
  const oneSim = { ...withoutPassword, authentication: { mode: 'aka', k, opc } as const, kms: gbaKms('gba-aka') };
  expect(accountFromUeConfig(checkUeConfig(oneSim)).secrets.sim?.opc.use(toHex)).toBe(opc);
});

test('an account may make its tickets itself, where it shares a key with the KMS that is long enough', () => {
  const kms = (change: object) =>
    checkUeConfig({ ...config, kms: { ...config.kms, ticketsMadeHere: true, ...change } });
  expect(accountFromUeConfig(kms({})).config.kms).toMatchObject({ ticketsMadeHere: true });
  expect(accountFromUeConfig(config).config.kms).not.toHaveProperty('ticketsMadeHere');
  const short = { psk: 'ab'.repeat(16) };
  expect(accountFromUeConfig(kms({ ...short, suite: '128' })).config.kms).toMatchObject({ ticketsMadeHere: true });
  expect(() => kms(short)).toThrow('kms.ticketsMadeHere: needs a key of 32 octets or more');
});

test('a password may be named as the way', () => {
  const { config: account } = accountFromUeConfig(checkUeConfig({ ...config, authentication: { mode: 'digest' } }));
  expect(account.authentication).toEqual({ mode: 'digest' });
});

test('the CA may stand in the file or beside it', async () => {
  const folder = temporaryFolder('ue-config');
  await writeFile(join(folder, 'ca.pem'), pem);
  await writeFile(join(folder, 'beside.json'), JSON.stringify({ ...config, ca: 'ca.pem' }));
  await writeFile(join(folder, 'inside.json'), JSON.stringify({ ...config, ca: pem }));
  await writeFile(join(folder, 'missing.json'), JSON.stringify({ ...config, ca: 'other.pem' }));
  expect((await readUeConfig(join(folder, 'beside.json'))).ca).toBe(pem);
  expect((await readUeConfig(join(folder, 'inside.json'))).ca).toBe(pem);
  await expect(readUeConfig(join(folder, 'missing.json'))).rejects.toThrow(/cannot read .*other\.pem/);
  await expect(readUeConfig(join(folder, 'none.json'))).rejects.toThrow(/cannot read/);
});

test.each([
  ['identity', { ...config, identity: 'alice' }],
  ['server.port', { ...config, server: { ...config.server, port: 0 } }],
  ['kms.url', { ...config, kms: { ...config.kms, url: 'http://kms.lab.test' } }],
  ['kms.psk', { ...config, kms: { ...config.kms, psk: 'secret in words' } }],
  ['policy', { ...config, policy: 'whatever' }],
  ['media.address', { ...config, media: { address: 'localhost' } }],
  ['media.portRange', { ...config, media: { portRange: [50_000, 49_999] } }],
  ['media.portRange.0', { ...config, media: { portRange: [80, 50_000] } }],
  ['media', { ...config, media: { ports: 1 } }],
  ['password', withoutPassword],
  ['password', { ...config, authentication: { mode: 'aka', k, opc } }],
  ['authentication', { ...withoutPassword, authentication: { mode: 'aka', k } }],
  ['authentication', { ...withoutPassword, authentication: { mode: 'aka', k, op, opc } }],
  ['authentication.k', { ...withoutPassword, authentication: { mode: 'aka', k: 'secret in words', opc } }],
  ['authentication.opc', { ...withoutPassword, authentication: { mode: 'aka', k, opc: `${opc}00` } }],
  ['authentication.amf', { ...withoutPassword, authentication: { mode: 'aka', k, opc, amf: '80' } }],
  ['authentication.mode', { ...config, authentication: { mode: 'none' } }],
  ['kms.pskId', { ...config, kms: { ...config.kms, pskId: undefined } }],
  ['kms.psk', { ...config, kms: { ...config.kms, psk: undefined } }],
  ['kms.pskId', { ...config, kms: { ...config.kms, ...gbaKms('gba-digest') } }],
  ['kms.credential.bsfUrl', { ...config, kms: { ...gbaKms('gba-digest'), credential: { mode: 'gba-digest' } } }],
  ['kms.serverName', { ...config, kms: { ...gbaKms('gba-digest'), serverName: 'a b' } }],
  ['sim', { ...config, kms: gbaKms('gba-aka') }],
  ['sim', { ...config, sim: { k, opc } }],
  ['sim', { ...config, sim: { k }, kms: gbaKms('gba-aka') }],
  ['sim', { ...withoutPassword, authentication: { mode: 'aka', k, opc }, sim: { k, opc }, kms: gbaKms('gba-aka') }],
  ['password', { ...withoutPassword, authentication: { mode: 'aka', k, opc }, kms: gbaKms('gba-digest') }],
  ['contacts.sip:bob@lab.test.policy', { ...config, contacts: { 'sip:bob@lab.test': { policy: 'x' } } }],
])('a wrong %s is named, its value is not told', (field, wrong) => {
  expect(() => checkUeConfig(wrong)).toThrow(`${field}: `);
  expect(() => checkUeConfig(wrong)).not.toThrow(/secret in words/);
});

test('an unknown setting is refused: it may be a misspelt one', () => {
  expect(() => checkUeConfig({ ...config, polciy: 'any' })).toThrow(/polciy/);
});

test('what is taken of files, and where they go', async () => {
  const files = { maxOctets: 5, refusedTypes: ['video/*'], autoAccept: 'contacts' } as const;
  expect(accountFromUeConfig(checkUeConfig({ ...config, files })).config.files).toEqual(files);
  const folder = temporaryFolder('ue-config');
  const file = join(folder, 'ue.json');
  await writeFile(file, JSON.stringify(config));
  expect((await readUeConfig(file)).receivedFolder).toBe(join(folder, 'received'));
  await writeFile(file, JSON.stringify({ ...config, receivedFolder: 'in/box' }));
  expect((await readUeConfig(file)).receivedFolder).toBe(join(folder, 'in', 'box'));
});

test.each([
  [{ maxOctets: 0 }, 'files.maxOctets'],
  [{ refusedTypes: ['video'] }, 'files.refusedTypes.0'],
  [{ autoAccept: 'everybody' }, 'files.autoAccept'],
])('%j of files is refused by name', (files, field) => {
  expect(() => checkUeConfig({ ...config, files })).toThrow(field);
});
