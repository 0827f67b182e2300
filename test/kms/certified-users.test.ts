import { beforeAll, describe, expect, it } from 'vitest';

import { FakeClock } from '../../src/base/clock.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { TrustAnchors } from '../../src/crypto/certificate-path.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { RsaPrivateKey } from '../../src/crypto/rsa.ts';
import { Certificate } from '../../src/crypto/x509.ts';
import type { KmsPublicKeyConfig, KmsUserConfig } from '../../src/kms/config.ts';
import { reloadablePublicKey } from '../../src/kms/http/reloadable-public-key.ts';
import { KeyEncryptionKey } from '../../src/kms/key-encryption-key.ts';
import { createKmsService, type KmsService } from '../../src/kms/kms-service.ts';
import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import type { KmsStorage } from '../../src/kms/ports.ts';
import { seedUsers } from '../../src/kms/users.ts';
import {
  createTicketRequestPk,
  msrpTicketFlags,
  readErrorMessage,
  uriIdentity,
  type KmsKeyPair,
  type KmsOutcome,
} from '../../src/protocol/mikey/index.ts';
import { issue, makeKeys, type CertificateWishes, type Issued, type Keys } from '../support/pki.ts';

const kmsUri = 'sip:kms.lab.test';
const start = Date.UTC(2026, 0, 1);
let keys: Keys;
let authority: Issued;
let pair: KmsKeyPair;

beforeAll(async () => {
  keys = await makeKeys();
  authority = await issue({ name: 'users', keys: await makeKeys('ec'), authority: true });
  const kms = await issue({ name: 'kms', keys: await makeKeys(), uris: [kmsUri] });
  pair = { certificate: new Certificate(kms.der, 'kms'), privateKey: keyOf(kms.keys) };
}, 60_000);

const keyOf = ({ pkcs8 }: Keys): RsaPrivateKey => new RsaPrivateKey(new SecretBytes(pkcs8), 'test');
const certificate = (uris: readonly string[], changes: Partial<CertificateWishes> = {}): Promise<Issued> =>
  issue({ name: 'user', keys, issuer: authority, uris, ...changes });
const fingerprintOf = ({ der }: Issued): string => new Certificate(der, 'test').fingerprint;

async function service(
  users: readonly Partial<KmsUserConfig>[],
  domains: readonly string[] = [],
  publicKey: KmsPublicKeyConfig = { keys: [pair], anchors: new TrustAnchors([authority.der], 'anchors'), domains },
): Promise<{ kms: KmsService; storage: KmsStorage }> {
  const storage = createMemoryStorage();
  const kek = new KeyEncryptionKey(new SecretBytes(secureRandom.bytes(32)), secureRandom);
  const whole = users.map((user, index) => ({
    identities: [],
    pskId: `key ${index}`,
    psk: new SecretBytes(new Uint8Array(32)),
    ...user,
  }));
  await seedUsers(storage, kek, whole);
  const clock = new FakeClock(start);
  const kms = await createKmsService({ identity: kmsUri, storage, kek, clock, random: secureRandom, publicKey });
  return { kms, storage };
}

function question(claimed: string, proof: Issued): Uint8Array {
  return createTicketRequestPk({
    suite: '256',
    credential: { certificates: [proof.der], privateKey: keyOf(keys), kmsCertificate: pair.certificate },
    initiator: uriIdentity(claimed),
    kms: uriIdentity(kmsUri),
    responders: [uriIdentity('sip:bob@lab.test')],
    flags: msrpTicketFlags,
    keyKind: 'TGK',
    validFrom: start - 300_000,
    validUntil: start + 3600_000,
    now: start,
    random: secureRandom,
  }).message;
}

async function ask(kms: KmsService, claimed: string, proof: Issued): Promise<KmsOutcome> {
  return kms.handle('ticketrequest', question(claimed, proof), { address: '192.0.2.1' });
}

const alice: Partial<KmsUserConfig> = {
  identities: ['sip:alice@lab.test', 'tel:+15550100'],
  certificates: 'any',
};

describe('what public-key questions are judged by', () => {
  it('is read again as a whole while the server runs; what is wrong leaves the old', async () => {
    const successor = await issue({ name: 'users', keys: await makeKeys('ec'), authority: true });
    const under = ({ der }: Issued): KmsPublicKeyConfig => ({
      keys: [pair],
      anchors: new TrustAnchors([der], 'anchors'),
      domains: ['lab.test'],
    });
    const answers = [under(successor), undefined, new Error('unreadable')];
    const events: string[] = [];
    const { publicKey, reload } = reloadablePublicKey(
      under(authority),
      async () => {
        const next = answers.shift();
        if (next instanceof Error) throw next;
        return next;
      },
      { log: (_level, event) => void events.push(event) },
    );
    const { kms } = await service([], [], publicKey);
    const names = { uris: ['sip:alice@lab.test'] };
    const old = await issue({ name: 'user', keys, issuer: authority, ...names });
    const fresh = await issue({ name: 'user', keys, issuer: successor, ...names });
    const outcomes = async () =>
      [await ask(kms, 'sip:alice@lab.test', old), await ask(kms, 'sip:alice@lab.test', fresh)].map(
        ({ outcome }) => outcome,
      );
    expect(await outcomes()).toEqual(['answered', 'not-authenticated']);
    expect(await reload()).toBe('loaded');
    expect(await outcomes()).toEqual(['not-authenticated', 'answered']);
    expect([await reload(), await reload()]).toEqual(['refused', 'refused']);
    expect(await outcomes()).toEqual(['not-authenticated', 'answered']);
    expect(events).toEqual(['kms.public-key-loaded', 'kms.public-key-refused', 'kms.public-key-refused']);
    await kms.close();
  });
});

describe('whom a certificate proves', () => {
  const names = ['sip:alice@lab.test'];
  const rows: readonly [
    what: string,
    users: readonly Partial<KmsUserConfig>[],
    domains: readonly string[],
    claimed: string,
    uris: readonly string[],
    outcome: KmsOutcome['outcome'],
  ][] = [
    ['the user that it names', [alice], [], 'sip:alice@lab.test', names, 'answered'],
    ['in any form of the address', [alice], [], 'sip:alice@lab.test', ['sips:alice@LAB.test:5061;x=y'], 'answered'],
    ['under an alias of that user', [alice], [], 'tel:+15550100', names, 'answered'],
    ['by an alias', [alice], [], 'sip:alice@lab.test', ['tel:+1-555-0100'], 'answered'],
    ['one name among several', [alice], [], 'sip:alice@lab.test', ['sip:else@lab.test', ...names], 'answered'],
    ['nobody by the name of another', [alice], [], 'sip:alice@lab.test', ['sip:bob@lab.test'], 'not-authenticated'],
    ['nobody without a name', [alice], [], 'sip:alice@lab.test', [], 'not-authenticated'],
    ['nobody by a web address', [alice], [], 'sip:alice@lab.test', ['https://lab.test/alice'], 'not-authenticated'],
    ['no user who may not', [{ identities: names }], [], 'sip:alice@lab.test', names, 'not-authenticated'],
    ['nobody unknown', [], [], 'sip:alice@lab.test', names, 'not-authenticated'],
    ['anybody of a domain', [], ['lab.test'], 'sip:alice@lab.test', names, 'answered'],
    ['nobody of another domain', [], ['other.test'], 'sip:alice@lab.test', names, 'not-authenticated'],
    ['nobody of a domain below', [], ['test'], 'sip:alice@lab.test', names, 'not-authenticated'],
    ['nobody else of a domain', [], ['lab.test'], 'sip:alice@lab.test', ['sip:eve@lab.test'], 'not-authenticated'],
    ['a known user of a domain', [{ identities: names }], ['lab.test'], 'sip:alice@lab.test', names, 'answered'],
    ['no number by a domain', [], ['lab.test'], 'tel:+15550100', ['tel:+15550100'], 'not-authenticated'],
    [
      'a user who may ask for no tickets',
      [{ ...alice, mayRequest: false }],
      [],
      'sip:alice@lab.test',
      names,
      'forbidden',
    ],
    [
      'a user who may send to others',
      [{ ...alice, allowedResponders: ['sip:carol@lab.test'] }],
      [],
      'sip:alice@lab.test',
      names,
      'forbidden',
    ],
  ];

  it.each(rows)('%s', async (_, users, domains, claimed, uris, outcome) => {
    const { kms } = await service(users, domains);
    expect(await ask(kms, claimed, await certificate(uris))).toMatchObject({ outcome });
  });

  it('the very certificate that was entered, named or not, and no other', async () => {
    const [entered, other] = [await certificate([]), await certificate(['sip:alice@lab.test'])];
    const pinned = { ...alice, certificates: [fingerprintOf(entered).toLowerCase()] };
    const { kms } = await service([pinned], ['lab.test']);
    expect(await ask(kms, 'sip:alice@lab.test', entered)).toMatchObject({ outcome: 'answered' });
    expect(await ask(kms, 'sip:alice@lab.test', other)).toMatchObject({ outcome: 'not-authenticated' });
  });

  it('no group', async () => {
    const { kms, storage } = await service([alice], ['lab.test']);
    await storage.groups.put({ identity: 'sip:team@lab.test', members: ['sip:alice@lab.test'] });
    const outcome = await ask(kms, 'sip:team@lab.test', await certificate(['sip:team@lab.test']));
    expect(outcome).toMatchObject({ outcome: 'not-authenticated' });
  });

  it('nobody who was disabled, under any name of the same certificate', async () => {
    const { kms, storage } = await service([alice], ['lab.test']);
    await storage.users.change('sip:alice@lab.test', { isDisabled: true });
    const both = await certificate(['sip:alice@lab.test', 'sip:other@lab.test']);
    expect(await ask(kms, 'sip:alice@lab.test', both)).toMatchObject({ outcome: 'forbidden' });
    expect(await ask(kms, 'sip:other@lab.test', both)).toMatchObject({ outcome: 'forbidden' });
  });
});

it('a question counts once, and the audit tells who asked', async () => {
  const { kms, storage } = await service([alice]);
  const message = question('sip:alice@lab.test', await certificate(['sip:alice@lab.test']));
  const from = { address: '192.0.2.1' };
  expect(await kms.handle('ticketrequest', message, from)).toMatchObject({ outcome: 'answered' });
  expect(await kms.handle('ticketrequest', message, from)).toMatchObject({ outcome: 'refused', isReplay: true });
  const lines = (await storage.audit.read(0, 100)).map(({ text }) => JSON.parse(text) as Record<string, unknown>);
  const exchanges = lines.filter(({ action }) => action === 'ticketrequest');
  expect(exchanges).toMatchObject([
    { outcome: 'answered', user: 'sip:alice@lab.test', asker: 'sip:alice@lab.test', responders: ['sip:bob@lab.test'] },
    { outcome: 'refused', user: 'sip:alice@lab.test' },
  ]);
});

it('expired certificates are told so, with the number for certificates', async () => {
  const { kms } = await service([alice]);
  const old = await certificate(['sip:alice@lab.test'], { until: start - 1000 });
  const outcome = await ask(kms, 'sip:alice@lab.test', old);
  expect(outcome).toMatchObject({ outcome: 'not-authenticated' });
  if (outcome.outcome !== 'not-authenticated' || outcome.message === undefined) throw new Error('no Error message');
  expect(readErrorMessage(outcome.message).errorNumbers).toEqual([8]);
});

it.each([['AA:BB'], ['no fingerprint'], [`${'AA:'.repeat(32)}AA`]])('%s is no fingerprint', async (text) => {
  await expect(service([{ ...alice, certificates: [text] }])).rejects.toMatchObject({
    kind: 'local',
    field: 'kms.config.users[0].certificates',
  });
});

it('names that are no octets of a canonical address are nobody', async () => {
  const { kms } = await service([alice], ['lab.test']);
  for (const claimed of ['sip:ALICE@lab.test', 'sip:alice@LAB.test', 'sips:alice@lab.test', '']) {
    const outcome = await ask(kms, claimed, await certificate(['sip:alice@lab.test']));
    expect(outcome).toMatchObject({ outcome: 'not-authenticated' });
  }
});
