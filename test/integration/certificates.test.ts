import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import forge from 'node-forge';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { silentLogger, type Logger } from '../../src/base/log.ts';
import { accountFromUeConfig, readUeConfig } from '../../src/cli/ue-config.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { Engine } from '../../src/engine/engine.ts';
import { readKmsConfig } from '../../src/kms/http/config-file.ts';
import type { KmsServer } from '../../src/kms/http/kms-server.ts';
import { startKms } from '../../src/kms/http/start-kms.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { issue, makeKeys, privateKeyPem, type CertificateWishes, type Issued } from '../support/pki.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until, type Party } from './support/parties.ts';

const kmsUri = 'sip:kms.lab.test';
const passphrase = 'a long pass phrase';
const patience = 30_000;
const folder = temporaryFolder('certificates');
const logged: string[] = [];
const log: Logger = { log: (level, event, fields) => logged.push(JSON.stringify({ level, event, ...fields })) };

let lab: Lab;
let kms: KmsServer;
let users: Issued;
let ca: string;
let alice: Party;
let bob: Party;
let aliceCertificate: Issued;
let bobCertificate: Issued;
const parties: Party[] = [];

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
  return name;
}

function userCertificate(name: string, changes: Partial<CertificateWishes> = {}): Promise<Issued> {
  return makeKeys().then((keys) => issue({ name, keys, issuer: users, uris: [`sip:${name}@lab.test`], ...changes }));
}

function pkcs12(owner: Issued): Uint8Array {
  const { asn1, pki } = forge;
  const file = forge.pkcs12.toPkcs12Asn1(
    pki.privateKeyFromPem(privateKeyPem(owner.keys)),
    pki.certificateFromPem(owner.pem),
    passphrase,
    { algorithm: 'aes256', count: 100 },
  );
  return Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), 'binary'));
}

/** Everything from files, as `npm run kms` and `npm run ue` read them. */
async function startCertifiedKms(): Promise<KmsServer> {
  const authority = await createCertificateAuthority({ commonName: 'Test CA', now: Date.now() });
  const tls = await authority.issue({ dnsNames: [], ipAddresses: ['127.0.0.1'] });
  ca = lab.caPem + authority.certificatePem;
  users = await issue({ name: 'users', keys: await makeKeys(), authority: true });
  const own = await issue({ name: 'kms', keys: await makeKeys(), uris: [kmsUri] });
  const config = {
    identity: kmsUri,
    listen: { port: 0 },
    tls: { certificateFile: write('tls.pem', tls.certificatePem), privateKeyFile: write('tls.key', tls.privateKeyPem) },
    publicKey: {
      certificateFiles: [write('kms.pem', own.pem)],
      privateKeyFiles: [write('kms.key', privateKeyPem(own.keys))],
      trustAnchorsFile: write('users.pem', users.pem),
    },
    users: ['alice', 'bob', 'carol'].map((name) => ({ identities: [`sip:${name}@lab.test`], certificate: true })),
  };
  const read = await readKmsConfig(join(folder, write('kms.json', JSON.stringify(config))));
  return startKms({ config: read.kms, tls, host: '127.0.0.1', port: 0, clock: systemClock, log });
}

async function start(name: string, credential: object): Promise<Party> {
  const config = {
    ...lab.ueConfig(name, { withoutKms: true }),
    ca,
    kms: {
      url: kms.url,
      identity: kmsUri,
      credential: { mode: 'certificate', kmsCertificateFile: 'kms.pem', ...credential },
    },
  };
  const read = await readUeConfig(join(folder, write(`${name}.json`, JSON.stringify(config))));
  const account = accountFromUeConfig(read);
  const engine = new Engine({ ...(await createEnginePorts({ log: silentLogger })), log });
  const added = engine.addAccount(account.config, account.secrets);
  const party: Party = {
    uri: account.config.identity,
    account: added,
    received: [],
    refused: [],
    stop: () => engine.stop(),
  };
  added.events.on('messageReceived', (message) => party.received.push(message));
  added.events.on('incomingRefused', (refused) => party.refused.push(refused));
  parties.push(party);
  expect(await added.register()).toMatchObject({ state: 'registered' });
  return party;
}

const pemFiles = (name: string, owner: Issued): object => ({
  certificateFile: write(`${name}.pem`, owner.pem),
  privateKeyFile: write(`${name}.key`, privateKeyPem(owner.keys)),
});

beforeAll(async () => {
  lab = await startLab();
  kms = await startCertifiedKms();
  [aliceCertificate, bobCertificate] = await Promise.all([userCertificate('alice'), userCertificate('bob')]);
  alice = await start('alice', pemFiles('alice', aliceCertificate));
  bob = await start('bob', { certificateFile: write('bob.p12', pkcs12(bobCertificate)), passphrase });
}, 60_000);

afterAll(async () => {
  await Promise.all(parties.map((party) => party.stop()));
  await kms.stop();
  await lab.stop();
});

beforeEach(() => {
  for (const { received, refused } of [alice, bob]) {
    received.length = 0;
    refused.length = 0;
  }
});

describe('two accounts that prove themselves to the KMS by certificate', () => {
  test.each(['alice to bob', 'bob to alice'])('send a message end to end: %s', async (direction) => {
    const [from, to] = direction === 'alice to bob' ? [alice, bob] : [bob, alice];
    const text = `only for one reader, ${direction}`;
    const outcome = await from.account.sendMessage({ to: to.uri, text, way: 'message', policy: 'require-e2e' });
    expect(outcome).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
    await until(() => to.received.length > 0, 'the message arrives', patience);
    expect(to.received).toMatchObject([
      { text, from: from.uri, level: 'e2e', evidence: { kind: 'message-psk-mime', vouchedBy: 'kms' } },
    ]);
    expect(lab.recorder.find(text).accessLeg.count).toBe(0);
  });

  test('open a session end to end', async () => {
    const text = 'in a session';
    const outcome = await alice.account.sendMessage({ to: bob.uri, text, way: 'msrp', policy: 'require-e2e' });
    expect(outcome).toMatchObject({ outcome: 'sent', message: { level: 'e2e', evidence: { kind: 'msrp-psk-tls' } } });
    await until(() => bob.received.length > 0, 'the message arrives', patience);
    expect(bob.received).toMatchObject([{ text, level: 'e2e' }]);
  });

  test('leave nothing of their keys in a log', () => {
    const lines = logged.join('\n');
    expect(lines).toContain('ticket.granted');
    for (const { keys } of [aliceCertificate, bobCertificate]) {
      const base64 = Buffer.from(keys.pkcs8).toString('base64');
      for (let offset = 0; offset + 24 < base64.length; offset += 64) {
        // The head of PKCS #8 is the same for every RSA key and stands in no log either.
        expect(lines).not.toContain(base64.slice(offset, offset + 24));
      }
    }
    expect(lines).not.toContain(passphrase);
  });
});

describe('an account whose certificate is of no use', () => {
  test('of an authority that the KMS does not trust', async () => {
    const stranger = await issue({ name: 'stranger', keys: await makeKeys(), authority: true });
    const carol = await start('carol', pemFiles('carol', await userCertificate('carol', { issuer: stranger })));
    const outcome = await carol.account.sendMessage({ to: bob.uri, text: 'no', way: 'message', policy: 'require-e2e' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-refused' } });
    expect(JSON.stringify(outcome)).toContain('does not accept the certificate of this account');
    await carol.stop();
  });

  test('of another user', async () => {
    const carol = await start('carol', pemFiles('carol', aliceCertificate));
    const outcome = await carol.account.sendMessage({ to: bob.uri, text: 'no', way: 'message', policy: 'require-e2e' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-refused' } });
    await carol.stop();
  });

  test('expired: the KMS is not even asked', async () => {
    const old = await userCertificate('carol', { until: Date.now() - 1000 });
    const carol = await start('carol', pemFiles('carol', old));
    const outcome = await carol.account.sendMessage({ to: bob.uri, text: 'no', way: 'message', policy: 'require-e2e' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-refused' } });
    expect(JSON.stringify(outcome)).toContain('The certificate of this account has expired');
    await carol.stop();
  });
});

describe('files that cannot be used are named, and nothing of them is repeated', () => {
  const read = async (credential: object): Promise<unknown> => {
    const config = {
      ...lab.ueConfig('carol', { withoutKms: true }),
      kms: {
        url: kms.url,
        identity: kmsUri,
        credential: { mode: 'certificate', kmsCertificateFile: 'kms.pem', ...credential },
      },
    };
    const file = join(folder, write('wrong.json', JSON.stringify(config)));
    return readUeConfig(file).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : error),
    );
  };

  test.each<[string, () => object, RegExp]>([
    ['missing', () => ({ certificateFile: 'none.pem', privateKeyFile: 'alice.key' }), /cannot read .*none\.pem/],
    ['no path', () => ({ certificateFile: 7 }), /kms\.credential\.certificateFile/],
    ['no key', () => ({ certificateFile: 'alice.pem' }), /kms\.credential\.privateKeyFile/],
    [
      'another key',
      () => ({ certificateFile: 'alice.pem', privateKeyFile: 'kms.key' }),
      /no certificate of the private key/,
    ],
    ['wrong passphrase', () => ({ certificateFile: 'bob.p12', passphrase: 'secret words' }), /another passphrase/],
    ['nonsense', () => ({ certificateFile: write('x.pem', utf8('secret words')), privateKeyFile: 'alice.key' }), /PEM/],
  ])('%s', async (_, credential, expected) => {
    const message = await read(credential());
    expect(message).toMatch(expected);
    expect(message).not.toContain('secret words');
  });
});
