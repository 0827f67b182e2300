import { beforeEach, describe, expect, it } from 'vitest';
import { equalBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { AccountSecrets, KmsConfig } from '../../../src/engine/account-config.ts';
import type { AkaCard } from '../../../src/engine/bootstrapping/bootstrap-method.ts';
import {
  createKmsCredential,
  type KmsCredential,
  type SharedKmsKey as KmsKey,
} from '../../../src/engine/tickets/kms-credential.ts';
import { uaProtocolKms } from '../../../src/protocol/gba/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { bsfUrl, MemoryBsf, TestSubscriber } from '../support/memory-bsf.ts';

const kmsName = 'kms.lab.test';
const alice = 'alice@lab.test';
const modes = ['gba-aka', 'gba-digest'] as const;
const lifetime = 8 * 3600_000;

let clock: FakeClock;
let bsf: MemoryBsf;
let subscriber: TestSubscriber;
const logged: string[] = [];
const log = { log: (...line: unknown[]) => void logged.push(JSON.stringify(line)) };

beforeEach(() => {
  clock = new FakeClock();
  const random = seededRandom('gba');
  bsf = new MemoryBsf(clock, random, log);
  subscriber = new TestSubscriber(['sip:alice@lab.test', 'tel:+15550100'], 'right password', random);
  bsf.subscribers.set(alice, subscriber);
  logged.length = 0;
});

interface Changes {
  readonly card?: AkaCard;
  readonly password?: string;
  readonly url?: string;
}

function credential(mode: (typeof modes)[number], changes: Changes = {}): KmsCredential<KmsKey> {
  const kms: KmsConfig = {
    address: { url: 'https://192.0.2.7:8443', serverName: kmsName, bodyEncoding: 'base64' },
    identity: `sip:${kmsName}`,
    credential: { mode, bsf: { url: changes.url ?? bsfUrl } },
    suite: '256',
  };
  const secrets: AccountSecrets = { password: new SecretBytes(utf8(changes.password ?? 'right password')) };
  const party = {
    ports: { clock, random: seededRandom('ue'), log, bootstrapping: bsf },
    privateIdentity: alice,
    domain: 'lab.test',
    sim: changes.card ?? subscriber.card(),
  };
  return createKmsCredential(kms, secrets, party) as KmsCredential<KmsKey>;
}

const btidOf = ({ pskId }: KmsKey): string => fromUtf8(pskId.data);

/** What the BSF tells the KMS. */
function atKms(key: KmsKey, name = kmsName, proven = [kmsName]) {
  return bsf.bsf.keyForNaf({ btid: btidOf(key), nafFqdn: name, uaProtocolId: uaProtocolKms }, proven);
}

describe.each(modes)('%s', (mode) => {
  it('gives UE and KMS the same key, under the B-TID as a byte string', async () => {
    const key = await credential(mode).current(clock.now());
    expect(key.pskId.type).toBe('bytes');
    expect(btidOf(key)).toMatch(/^[A-Za-z0-9+/]{22}==@bsf\.lab\.test$/);
    expect(key.validUntil).toBe(clock.now() + lifetime);
    const naf = atKms(key);
    expect(naf).toMatchObject({
      privateIdentity: alice,
      identities: ['sip:alice@lab.test', 'tel:+15550100'],
      validUntil: key.validUntil,
      bootstrappedAt: clock.now(),
    });
    if (naf === undefined || naf === 'forbidden') throw new Error('no key');
    expect(key.psk.length).toBe(32);
    expect(key.psk.use((mine) => naf.key.use((theirs) => equalBytes(mine, theirs)))).toBe(true);
    expect(bsf.connections).toBe(0);
  });

  it('gives every NAF another key, and each only its own', async () => {
    const key = await credential(mode).current(clock.now());
    expect(atKms(key, 'other.lab.test')).toBe('forbidden');
    const other = atKms(key, 'other.lab.test', ['other.lab.test']);
    if (other === undefined || other === 'forbidden') throw new Error('no key');
    expect(key.psk.use((mine) => other.key.use((theirs) => equalBytes(mine, theirs)))).toBe(false);
  });

  it('bootstraps once for all who ask at the same time, and not again while the key is good', async () => {
    const shared = credential(mode);
    const keys = await Promise.all([1, 2, 3].map(() => shared.current(clock.now())));
    expect(new Set(keys).size).toBe(1);
    expect(bsf.questions).toHaveLength(2);
    clock.advance(lifetime - 301_000);
    expect(await shared.current(clock.now())).toBe(keys[0]);
    expect(bsf.questions).toHaveLength(2);
  });

  it('makes a new key before the old one ends; the old one stays usable for what runs with it', async () => {
    const shared = credential(mode);
    const first = await shared.current(clock.now());
    clock.advance(lifetime - 299_000);
    const second = await shared.current(clock.now());
    expect(btidOf(second)).not.toBe(btidOf(first));
    expect(first.psk.length).toBe(32);
    shared.dispose();
    expect(() => first.psk.length).toThrow(/dispose/);
    expect(() => second.psk.length).toThrow(/dispose/);
  });

  it('uses a key that is still good when the BSF is away at renewal, and no longer than its end', async () => {
    const shared = credential(mode);
    const first = await shared.current(clock.now());
    bsf.isAway = true;
    clock.advance(lifetime - 10_000);
    expect(await shared.current(clock.now())).toBe(first);
    clock.advance(10_000);
    await expect(shared.current(clock.now())).rejects.toMatchObject({ code: 'kms-unreachable' });
  });

  it('bootstraps again after a 401, once; a KMS that refuses the fresh key too is not followed', async () => {
    const shared = credential(mode);
    const first = await shared.current(clock.now());
    expect(await shared.rejected(first)).toBe('retry');
    // The 401 of another exchange that ran with the same key changes nothing more.
    expect(await shared.rejected(first)).toBe('retry');
    const second = await shared.current(clock.now());
    expect(await shared.rejected(first)).toBe('retry');
    expect(await shared.current(clock.now())).toBe(second);
    expect(await shared.rejected(second)).toBe('give-up');
    clock.advance(60_000);
    expect(await shared.rejected(second)).toBe('retry');
    expect(await shared.current(clock.now())).not.toBe(second);
    expect(bsf.questions).toHaveLength(6);
  });

  it('says that the BSF is away, which is no refusal, and comes again', async () => {
    bsf.isAway = true;
    const waiting = credential(mode);
    await expect(waiting.current(clock.now())).rejects.toMatchObject({
      code: 'kms-unreachable',
      message: expect.stringMatching(/^The bootstrapping server, .* could not be reached/) as string,
    });
    bsf.isAway = false;
    expect(await waiting.current(clock.now())).toBeDefined();
  });

  it('waits no longer than its time for a BSF that says nothing', async () => {
    const silent = credential(mode);
    bsf.open = () => ({ ask: () => new Promise(() => undefined), close: () => undefined });
    const asking = silent.current(clock.now());
    clock.advance(30_000);
    await expect(asking).rejects.toMatchObject({ code: 'kms-unreachable' });
  });

  it.each([
    ['a subscriber whom the network does not know', () => bsf.subscribers.clear(), 'bootstrapping-refused'],
    [
      'a forged proof',
      () => {
        bsf.rewrite = ({ headers, ...rest }) => ({
          ...rest,
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, value.replace(/rspauth="./, 'rspauth="_')]),
          ),
        });
      },
      'network-not-proven',
    ],
    [
      'an answer without proof',
      () => {
        bsf.rewrite = (answer) =>
          answer.status === 200 ? { ...answer, headers: { 'Content-Type': 'application/vnd.3gpp.bsf+xml' } } : answer;
      },
      'network-not-proven',
    ],
    [
      'a body that was changed under its proof',
      () => {
        bsf.rewrite = (answer) =>
          answer.status === 200
            ? { ...answer, body: utf8(fromUtf8(answer.body).replace('<lifetime>20', '<lifetime>21')) }
            : answer;
      },
      'network-not-proven',
    ],
    [
      'an answer that comes without any challenge',
      () => {
        bsf.rewrite = () => ({ status: 200, headers: {}, body: new Uint8Array() });
      },
      'bootstrapping-refused',
    ],
    [
      'a challenge that protects no body',
      () => {
        bsf.rewrite = (answer) => ({
          ...answer,
          headers: { 'WWW-Authenticate': (answer.headers['WWW-Authenticate'] ?? '').replace('auth-int', 'auth') },
        });
      },
      'bootstrapping-refused',
    ],
    [
      'a BSF that is overloaded',
      () => {
        bsf.rewrite = () => ({ status: 503, headers: {}, body: new Uint8Array() });
      },
      'kms-unreachable',
    ],
    [
      'a BSF that asks again and again',
      () => {
        bsf.rewrite = (answer, { authorization = '' }) =>
          authorization.includes('nonce=""') ? answer : bsf.bsf.handle(withoutProof(authorization));
      },
      'bootstrapping-refused',
    ],
  ])('refuses %s', async (_, prepare, code) => {
    prepare();
    await expect(credential(mode).current(clock.now())).rejects.toMatchObject({ name: 'RefusalError', code });
    expect(bsf.connections).toBe(0);
  });

  it('answers a challenge that went stale on the way once more', async () => {
    let lost = false;
    bsf.beforeQuestion = () => {
      if (bsf.questions.length !== 1 || lost) return;
      lost = true;
      bsf.bsf.forget();
    };
    const key = await credential(mode).current(clock.now());
    expect(btidOf(key)).toContain('@bsf.lab.test');
    expect(bsf.questions).toHaveLength(3);
  });

  it('writes neither keys nor passwords into its log', async () => {
    const key = await credential(mode).current(clock.now());
    const text = logged.join('\n');
    expect(text).toContain(btidOf(key));
    for (const secret of [key.psk, subscriber.keys.k, subscriber.keys.opc]) {
      for (const encoding of ['hex', 'base64'] as const)
        expect(text).not.toContain(secret.use((octets) => Buffer.from(octets).toString(encoding)));
    }
    expect(text).not.toContain('right password');
  });
});

/** The same question as if it had brought no proof, so that it is challenged, each time as stale. */
function withoutProof(authorization: string) {
  return {
    method: 'GET',
    target: '/',
    authorization: authorization.replace(/nonce="[^"]*"/, 'nonce="used"'),
    userAgent: authorization.includes('SHA-256') ? 'GBA_Digest' : undefined,
    exportKey: () => new SecretBytes(new Uint8Array(48)),
  };
}

describe('gba-aka', () => {
  it('refuses a network that does not know the key of the SIM', async () => {
    const other = new TestSubscriber([], '', seededRandom('other'));
    const asking = credential('gba-aka', { card: other.card() }).current(clock.now());
    await expect(asking).rejects.toMatchObject({ code: 'network-not-proven' });
    expect(bsf.questions).toHaveLength(1);
  });

  it('resynchronises a network that has counted less far than the SIM', async () => {
    const card = subscriber.card();
    await credential('gba-aka', { card }).current(clock.now());
    subscriber.sequence = { seq: 3, ind: 0 };
    const key = await credential('gba-aka', { card }).current(clock.now());
    expect(btidOf(key)).toContain('@bsf.lab.test');
    expect(bsf.questions[3]?.['Authorization']).toMatch(/auts="[^"]+"/);
    expect(bsf.questions).toHaveLength(5);
  });

  it('wipes the keys of a run when the BSF is lost before they are used', async () => {
    const card = subscriber.card();
    const made: { readonly res: SecretBytes }[] = [];
    const spied: AkaCard = {
      authenticate: (rand, autn) => {
        const outcome = card.authenticate(rand, autn);
        if (outcome.outcome === 'success') made.push(outcome.keys);
        return outcome;
      },
    };
    const { ask } = bsf;
    bsf.ask = (...question) => {
      bsf.isAway = true;
      return ask.apply(bsf, question);
    };
    await expect(credential('gba-aka', { card: spied }).current(clock.now())).rejects.toMatchObject({
      code: 'kms-unreachable',
    });
    expect(made).toHaveLength(1);
    expect(() => made[0]?.res.length).toThrow(/dispose/);
  });

  it('shares its sequence numbers with everything else that the SIM is used for', async () => {
    const card = subscriber.card();
    const { rand, autn } = subscriber.createVector();
    expect(card.authenticate(rand, autn).outcome).toBe('success');
    await credential('gba-aka', { card }).current(clock.now());
    // The vector of a registration that comes a second time is nothing new to the card after a bootstrapping either.
    expect(card.authenticate(rand, autn).outcome).toBe('sync-failure');
  });

  it('refuses to prove itself by hash alone to somebody who asks for that', async () => {
    bsf.rewrite = (answer) => ({
      ...answer,
      headers: { 'WWW-Authenticate': (answer.headers['WWW-Authenticate'] ?? '').replace('AKAv1-MD5', 'MD5') },
    });
    await expect(credential('gba-aka').current(clock.now())).rejects.toMatchObject({ code: 'network-not-proven' });
  });
});

describe('gba-digest', () => {
  it('a wrong password is refused in words that say so', async () => {
    const asking = credential('gba-digest', { password: 'wrong' }).current(clock.now());
    await expect(asking).rejects.toMatchObject({
      code: 'bootstrapping-refused',
      message: expect.stringMatching(/did not accept the account’s SIM or password/) as string,
    });
  });

  it('names itself in the User-Agent, and answers no other realm than its home', async () => {
    bsf.rewrite = (answer) => ({
      ...answer,
      headers: { 'WWW-Authenticate': (answer.headers['WWW-Authenticate'] ?? '').replace('lab.test', 'evil.test') },
    });
    await expect(credential('gba-digest').current(clock.now())).rejects.toMatchObject({ code: 'network-not-proven' });
    expect(bsf.questions).toHaveLength(1);
    expect(bsf.questions[0]?.['User-Agent']).toBe('GBA_Digest');
  });

  it('an answer is worth nothing on another TLS connection', async () => {
    const otherKeys = () => new SecretBytes(new Uint8Array(48));
    const { ask } = bsf;
    bsf.ask = (headers) => ask.call(bsf, headers, otherKeys);
    await expect(credential('gba-digest').current(clock.now())).rejects.toMatchObject({
      code: 'bootstrapping-refused',
    });
  });
});
