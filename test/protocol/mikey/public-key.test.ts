import { beforeAll, describe, expect, it } from 'vitest';

import { concatBytes, toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { TrustAnchors } from '../../../src/crypto/certificate-path.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { RsaPrivateKey } from '../../../src/crypto/rsa.ts';
import { Certificate } from '../../../src/crypto/x509.ts';
import type { KmsKeyPair } from '../../../src/protocol/mikey/envelope.ts';
import {
  bytesIdentity,
  createTicketRequestPk,
  decodeMessage,
  encodeMessage,
  KmsMachine,
  msrpTicketFlags,
  readErrorMessage,
  sameIdentity,
  uriIdentity,
  type KmsOutcome,
  type KmsUser,
  type MikeyIdentity,
  type MikeyMessage,
  type Payload,
  type PublicKeyCredential,
  type TicketRequestPkOptions,
} from '../../../src/protocol/mikey/index.ts';
import { requiredPayload } from '../../../src/protocol/mikey/payload-access.ts';
import { signMessage } from '../../../src/protocol/mikey/signature.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { issue, KeyUsageFlags, makeKeys, type CertificateWishes, type Issued, type Keys } from '../../support/pki.ts';
import { alice, answered, bob, hand, kmsIdentity, receive, start } from './parties.ts';
import { hex, vectors } from './vectors.ts';

let aliceKeys: Keys;
let bobKeys: Keys;
let kmsKeys: Keys;
let otherKeys: Keys;
let authority: Issued;
let credentials: Record<'alice' | 'bob', PublicKeyCredential>;
let kmsPair: KmsKeyPair;

const kmsUri = 'sip:kms.lab.test';
const pairOf = ({ der, keys }: Issued): KmsKeyPair => ({
  certificate: new Certificate(der, 'kms'),
  privateKey: privateKey(keys),
});
const privateKey = ({ pkcs8 }: Keys): RsaPrivateKey => new RsaPrivateKey(new SecretBytes(pkcs8), 'test');
const userCertificate = (name: string, keys: Keys, changes: Partial<CertificateWishes> = {}): Promise<Issued> =>
  issue({ name, keys, issuer: authority, uris: [`sip:${name}@lab.test`], ...changes });
const credentialOf = (path: readonly Issued[], keys: Keys): PublicKeyCredential => ({
  certificates: path.map(({ der }) => der),
  privateKey: privateKey(keys),
  kmsCertificate: kmsPair.certificate,
});

beforeAll(async () => {
  [aliceKeys, bobKeys, kmsKeys, otherKeys] = await Promise.all([makeKeys(), makeKeys(), makeKeys(), makeKeys()]);
  authority = await issue({ name: 'users', keys: await makeKeys('ec'), authority: true });
  kmsPair = pairOf(await issue({ name: 'kms', keys: kmsKeys, uris: [kmsUri] }));
  credentials = {
    alice: credentialOf([await userCertificate('alice', aliceKeys)], aliceKeys),
    bob: credentialOf([await userCertificate('bob', bobKeys)], bobKeys),
  };
}, 60_000);

function makeMachine(changes: { keys?: readonly KmsKeyPair[]; known?: readonly MikeyIdentity[] } = {}): KmsMachine {
  const tpk = { id: bytesIdentity(utf8('tpk')), key: new SecretBytes(new Uint8Array(32).fill(3)) };
  const known = changes.known ?? [alice.identity, bob.identity];
  return new KmsMachine({
    identity: kmsIdentity,
    tpks: { current: tpk, find: () => tpk.key },
    directory: {
      findSubscriber: () => undefined,
      findCertified: (claimed, { uris }): KmsUser | undefined => {
        const isNamed = uris.some((uri) => sameIdentity(uriIdentity(uri), claimed));
        return isNamed && known.some((one) => sameIdentity(one, claimed))
          ? { name: 'user', identity: claimed, owns: (other) => sameIdentity(other, claimed) }
          : undefined;
      },
      mayRequest: () => true,
      responderFor: (user, responders) => responders.find((one) => user.owns(one)),
    },
    rules: profile.ticket,
    random: secureRandom,
    publicKey: { keys: changes.keys ?? [kmsPair], anchors: new TrustAnchors([authority.der], 'anchors') },
  });
}

function ask(changes: Partial<TicketRequestPkOptions> = {}) {
  return createTicketRequestPk({
    suite: '256',
    credential: credentials.alice,
    initiator: alice.identity,
    kms: kmsIdentity,
    responders: [bob.identity],
    flags: msrpTicketFlags,
    keyKind: 'TGK',
    validFrom: start - 300_000,
    validUntil: start + 24 * 3600_000,
    now: start,
    random: secureRandom,
    ...changes,
  });
}

/** The question with other payloads, signed by its owner, as only that owner could make it. */
function resigned(message: Uint8Array, change: (payloads: readonly Payload[]) => readonly Payload[]): Uint8Array {
  const { header, payloads } = decodeMessage(message);
  const changed: MikeyMessage = { header, payloads: change(payloads.slice(0, -1)) };
  return signMessage(changed, credentials.alice.privateKey, [alice.identity.data, kmsIdentity.data]).bytes;
}

const replacing =
  (name: Payload['payload'], change: Record<string, unknown>) =>
  (payloads: readonly Payload[]): readonly Payload[] =>
    payloads.map((payload) => (payload.payload === name ? { ...payload, ...change } : payload));

const errorNumbers = (outcome: KmsOutcome): readonly number[] => {
  if (!('message' in outcome) || outcome.message === undefined) throw new Error(`no message: ${outcome.outcome}`);
  return readErrorMessage(outcome.message).errorNumbers;
};

describe('exchanges by certificate', () => {
  it.each(['128', '256'] as const)('a ticket is granted, handed over and resolved, suite %s', async (suite) => {
    const machine = makeMachine();
    const request = ask({ suite });
    const { header, payloads } = decodeMessage(request.message);
    expect(header).toMatchObject({ dataType: 12, answerWanted: true, map: { type: 'empty' } });
    expect(payloads.map(({ payload }) => payload)).toEqual([
      'T',
      'RANDR',
      'IDR',
      'CERT',
      'IDR',
      'TP',
      'CHASH',
      'PKE',
      'SIGN',
    ]);
    const ticket = request.accept(answered(await machine.handleTicketRequest(request.message, start)), start);
    const transfer = hand(ticket, alice, bob.identity);
    const received = receive(transfer.message, bob);
    const resolve = received.createResolvePk({
      credential: credentials.bob,
      self: bob.identity,
      kms: kmsIdentity,
      now: start,
      random: secureRandom,
    });
    const question = decodeMessage(resolve.message);
    expect(question.header.dataType).toBe(17);
    expect(question.payloads.map(({ payload }) => payload)).toEqual([
      'T',
      'RANDR',
      'IDR',
      'CERT',
      'IDR',
      'TICKET',
      'CHASH',
      'PKE',
      'SIGN',
    ]);
    const resolved = resolve.accept(answered(await machine.handleTicketResolve(resolve.message, start)), start);
    expect(resolved.originProven).toBe(true);
    const response = resolved.respond({ now: start, random: secureRandom });
    const accepted = transfer.accept(response.message, start);
    expect(accepted.tek.use(toHex)).toBe(response.tek.use(toHex));
  });

  it('over an intermediate authority', async () => {
    const middle = await issue({ name: 'middle', keys: await makeKeys('ec'), issuer: authority, authority: true });
    const own = await userCertificate('alice', aliceKeys, { issuer: middle });
    const request = ask({ credential: credentialOf([own, middle], aliceKeys) });
    request.accept(answered(await makeMachine().handleTicketRequest(request.message, start)), start);
  });

  it('a signature by RSASSA-PSS, and one with the other hash, is as good', async () => {
    const { message } = ask();
    for (const [signatureType, scheme, hash] of [
      [1, 'pss', 'sha256'],
      [1, 'pss', 'sha1'],
      [0, 'pkcs1', 'sha1'],
    ] as const) {
      const { header, payloads } = decodeMessage(message);
      const signature = new Uint8Array(256);
      const unsigned = encodeMessage({
        header,
        payloads: [...payloads.slice(0, -1), { payload: 'SIGN', signatureType, signature }],
      });
      const covered = concatBytes(unsigned.subarray(0, -256), alice.identity.data, kmsIdentity.data);
      unsigned.set(credentials.alice.privateKey.sign(scheme, hash, covered), unsigned.length - 256);
      answered(await makeMachine().handleTicketRequest(unsigned, start));
    }
  });

  it('each of several KMS keys is found by its hash, the first without one', async () => {
    const next = pairOf(await issue({ name: 'kms', keys: otherKeys, uris: [kmsUri] }));
    const machine = makeMachine({ keys: [next, kmsPair] });
    const old = ask();
    old.accept(answered(await machine.handleTicketRequest(old.message, start)), start);
    const fresh = ask({ credential: { ...credentials.alice, kmsCertificate: next.certificate } });
    fresh.accept(answered(await machine.handleTicketRequest(fresh.message, start)), start);
    const unnamed = resigned(fresh.message, (payloads) => payloads.filter(({ payload }) => payload !== 'CHASH'));
    answered(await machine.handleTicketRequest(unnamed, start));
    for (const [hashFunction, name] of [
      [0, 'sha1'],
      [1, 'md5'],
      [2, 'sha256'],
    ] as const) {
      const hash = kmsPair.certificate.hash(name);
      const named = resigned(ask().message, replacing('CHASH', { hashFunction, hash }));
      answered(await machine.handleTicketRequest(named, start));
    }
  });

  it('a replayed question is refused, with a MAC that its sender can check', async () => {
    const machine = makeMachine();
    const request = ask();
    answered(await machine.handleTicketRequest(request.message, start));
    const again = await machine.handleTicketRequest(request.message, start + 1000);
    expect(again).toMatchObject({ outcome: 'refused' });
    const message = 'message' in again ? again.message! : new Uint8Array();
    expect(() => request.accept(message, start)).toThrow(/refused: Invalid timestamp \(1\)$/);
  });

  it('a stale question is refused', async () => {
    const late = start + profile.replay.clockSkewSeconds * 1000 + 1;
    const outcome = await makeMachine().handleTicketRequest(ask().message, late);
    expect(outcome).toMatchObject({ outcome: 'refused' });
    expect(errorNumbers(outcome)).toEqual([1]);
  });

  it('questions of the wrong exchange, or to a KMS without keys of its own, are refused', async () => {
    const { message } = ask();
    expect(await makeMachine().handleTicketResolve(message, start)).toMatchObject({ outcome: 'malformed' });
    const plain = new KmsMachine({
      identity: kmsIdentity,
      tpks: { current: { id: kmsIdentity, key: new SecretBytes(new Uint8Array(32)) }, find: () => undefined },
      directory: { findSubscriber: () => undefined, mayRequest: () => true, responderFor: () => undefined },
      rules: profile.ticket,
      random: secureRandom,
    });
    const outcome = await plain.handleTicketRequest(message, start);
    expect(outcome).toMatchObject({ outcome: 'malformed' });
    expect(errorNumbers(outcome)).toEqual([11]);
  });
});

describe('senders that are not proven', () => {
  const withoutTimes = (message: Uint8Array | undefined): string =>
    toHex(message ?? new Uint8Array()).slice(0, 8) + toHex((message ?? new Uint8Array()).subarray(20));

  it('unknown users, wrong signatures and certificates of others end alike', async () => {
    const machine = makeMachine();
    const { message } = ask();
    const wrongSignature = Uint8Array.from(message);
    wrongSignature[wrongSignature.length - 1]! ^= 1;
    const carol = await userCertificate('carol', otherKeys);
    const unknown = ask({
      initiator: uriIdentity('sip:carol@lab.test'),
      credential: credentialOf([carol], otherKeys),
    }).message;
    const someoneElse = ask({ credential: credentials.bob }).message;
    const otherKey = ask({ credential: { ...credentials.alice, privateKey: privateKey(otherKeys) } }).message;
    const unknownScheme = resigned(message, (payloads) => payloads);
    unknownScheme[unknownScheme.length - 258]! |= 0x20;
    const outcomes = await Promise.all(
      [wrongSignature, unknown, someoneElse, otherKey, unknownScheme].map((wrong) =>
        machine.handleTicketRequest(wrong, start),
      ),
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        outcome: 'not-authenticated',
        error: { message: outcomes[0]!['error' as never]['message'] },
      });
      expect(errorNumbers(outcome)).toEqual([0]);
    }
    const bodies = outcomes.map((outcome) => withoutTimes('message' in outcome ? outcome.message : undefined));
    expect(new Set(bodies).size).toBe(1);
    // Nothing of them is remembered: the right one is still answered.
    answered(await machine.handleTicketRequest(message, start));
  });

  it('without IDRi nobody is meant', async () => {
    const wrong = resigned(ask().message, (payloads) =>
      payloads.filter((payload) => payload.payload !== 'IDR' || payload.role !== 1),
    );
    const outcome = await makeMachine().handleTicketRequest(wrong, start);
    expect(outcome).toMatchObject({ outcome: 'malformed', error: { field: 'mikey.IDR' } });
  });

  const day = 24 * 3600_000;
  const wrongCertificates: readonly [string, () => Promise<PublicKeyCredential>][] = [
    ['none', () => Promise.resolve(credentialOf([], aliceKeys))],
    [
      'expired',
      async () => credentialOf([await userCertificate('alice', aliceKeys, { until: start - day })], aliceKeys),
    ],
    [
      'not valid yet',
      async () => credentialOf([await userCertificate('alice', aliceKeys, { from: start + day })], aliceKeys),
    ],
    [
      'of an unknown authority',
      async () => {
        const other = await issue({ name: 'other', keys: await makeKeys('ec'), authority: true });
        return credentialOf([await userCertificate('alice', aliceKeys, { issuer: other }), other], aliceKeys);
      },
    ],
    [
      'for encryption alone',
      async () =>
        credentialOf([await userCertificate('alice', aliceKeys, { usage: KeyUsageFlags.keyEncipherment })], aliceKeys),
    ],
    [
      'of a server',
      async () =>
        credentialOf([await userCertificate('alice', aliceKeys, { purposes: ['1.3.6.1.5.5.7.3.1'] })], aliceKeys),
    ],
    [
      'with an elliptic curve',
      async () => credentialOf([await userCertificate('alice', await makeKeys('ec'))], aliceKeys),
    ],
    ['in the wrong order', async () => credentialOf([authority, await userCertificate('alice', aliceKeys)], aliceKeys)],
    ['too many', async () => credentialOf(Array<Issued>(5).fill(await userCertificate('alice', aliceKeys)), aliceKeys)],
    [
      'too large',
      async () =>
        credentialOf([await userCertificate('alice', aliceKeys, { dnsNames: ['x'.repeat(4000)] })], aliceKeys),
    ],
  ];

  it.each(wrongCertificates)('certificates: %s', async (_, make) => {
    const { message } = ask({ credential: await make() });
    const outcome = await makeMachine().handleTicketRequest(message, start);
    expect(outcome).toMatchObject({ outcome: 'not-authenticated', error: { field: 'mikey.CERT' } });
    expect(errorNumbers(outcome)).toEqual([8]);
  });

  it.each([1, 3])('certificates of type %d are not taken', async (certificateType) => {
    const wrong = resigned(ask().message, replacing('CERT', { certificateType, data: utf8('http://lab.test/alice') }));
    expect(errorNumbers(await makeMachine().handleTicketRequest(wrong, start))).toEqual([8]);
  });
});

describe('envelopes', () => {
  it('one that does not decipher is answered like any other, and nobody can read the answer', async () => {
    const machine = makeMachine();
    const request = ask();
    const right = answered(await machine.handleTicketRequest(request.message, start));
    for (const data of [
      new Uint8Array(256).fill(0xff),
      new Uint8Array(256).fill(1),
      new Uint8Array(10),
      kmsPair.certificate.publicKey().encrypt(new Uint8Array(16)),
    ]) {
      const wrong = ask();
      const message = resigned(wrong.message, replacing('PKE', { data }));
      const outcome = await machine.handleTicketRequest(message, start);
      const answer = answered(outcome);
      expect(answer).toHaveLength(right.length);
      expect(() => wrong.accept(answer, start)).toThrow(
        expect.objectContaining({ kind: 'peer-misbehaved', hint: { mikey: 0 } }),
      );
    }
  });

  it.each([
    ['to be kept', replacing('PKE', { cache: 1 }), 12],
    ['to be kept for the CSB', replacing('PKE', { cache: 2 }), 12],
    ['to another certificate', replacing('CHASH', { hash: new Uint8Array(32) }), 8],
    ['missing', (payloads: readonly Payload[]) => payloads.filter(({ payload }) => payload !== 'PKE'), 13],
  ])('an envelope key %s is refused with a signed Error', async (_, change, number) => {
    const request = ask();
    const outcome = await makeMachine().handleTicketRequest(resigned(request.message, change), start);
    expect(outcome).toMatchObject({ outcome: 'refused', subscriber: 'user' });
    const message = 'message' in outcome ? outcome.message! : new Uint8Array();
    expect(readErrorMessage(message, undefined, kmsPair.certificate.publicKey())).toMatchObject({
      errorNumbers: [number],
      authenticated: true,
    });
    expect(readErrorMessage(message, undefined, privateKey(otherKeys).publicKey).authenticated).toBe(false);
    expect(() => request.accept(message, start)).toThrow(expect.objectContaining({ kind: 'policy-denied' }));
    expect(() => request.accept(message, start)).not.toThrow(/not authenticated/);
  });

  it('a KMS whose certificate is for encryption alone does not sign', async () => {
    const pair = pairOf(
      await issue({ name: 'kms', keys: kmsKeys, uris: [kmsUri], usage: KeyUsageFlags.keyEncipherment }),
    );
    const { message } = ask({ credential: { ...credentials.alice, kmsCertificate: pair.certificate } });
    answered(await makeMachine({ keys: [pair] }).handleTicketRequest(message, start));
    const outcome = await makeMachine({ keys: [pair] }).handleTicketRequest(
      resigned(message, replacing('PKE', { cache: 1 })),
      start,
    );
    const error = 'message' in outcome ? outcome.message! : new Uint8Array();
    expect(decodeMessage(error).payloads.at(-1)?.payload).toBe('ERR');
  });
});

describe('the certificate of the KMS', () => {
  it.each([
    ['expired', { until: start - 1000 }, 'expired'],
    ['for signatures alone', { usage: KeyUsageFlags.digitalSignature }, 'policy-denied'],
    ['of another KMS', { uris: ['sip:other.lab.test'] }, 'policy-denied'],
  ] as const)('%s: nothing is asked', async (_, changes, kind) => {
    const { der } = await issue({ name: 'kms', keys: kmsKeys, uris: [kmsUri], ...changes });
    const kmsCertificate = new Certificate(der, 'kms');
    expect(() => ask({ credential: { ...credentials.alice, kmsCertificate } })).toThrow(
      expect.objectContaining({ kind }),
    );
  });

  it('without any URI it is trusted as it was given', async () => {
    const pair = pairOf(await issue({ name: 'kms', keys: kmsKeys }));
    const { message } = ask({ credential: { ...credentials.alice, kmsCertificate: pair.certificate } });
    answered(await makeMachine({ keys: [pair] }).handleTicketRequest(message, start));
  });
});

describe('any changed octet of the vectors', () => {
  const scenario = vectors.scenarios.find(({ name }) => name.startsWith('pk-'))!;

  it.each(['request_init', 'resolve_init'] as const)(
    '%s is refused',
    async (name) => {
      const { inputs } = scenario;
      const tpk = { id: bytesIdentity(hex(inputs.tpk_id.data)), key: new SecretBytes(hex(inputs['tpk'])) };
      const machine = new KmsMachine({
        identity: { type: 'uri', data: hex(inputs.kms.data) },
        tpks: { current: tpk, find: () => tpk.key },
        directory: {
          findSubscriber: () => undefined,
          findCertified: (claimed) => ({ name: 'user', identity: claimed, owns: () => true }),
          mayRequest: () => true,
          responderFor: (_, responders) => responders[0],
        },
        rules: profile.ticket,
        random: secureRandom,
        publicKey: {
          keys: [kmsPair],
          anchors: new TrustAnchors([hex(inputs['cert_initiator']), hex(inputs['cert_responder'])], 'anchors'),
        },
      });
      const message = hex(scenario.messages[name]);
      const { value } = requiredPayload(decodeMessage(message).payloads, 'T');
      const now = (new DataView(Uint8Array.from(value).buffer).getUint32(0) - 2_208_988_800) * 1000;
      const handle = (question: Uint8Array): Promise<KmsOutcome> =>
        name === 'request_init'
          ? machine.handleTicketRequest(question, now)
          : machine.handleTicketResolve(question, now);
      for (let position = 0; position < message.length; position++) {
        const changed = Uint8Array.from(message);
        changed[position]! ^= 1 << (position % 8);
        const outcome = await handle(changed);
        expect(outcome.outcome, `octet ${position}`).toMatch(/^(not-authenticated|malformed)$/);
      }
      // As it was it proves its sender; its envelope is for another KMS.
      expect(await handle(message)).toMatchObject({ outcome: 'refused', error: { field: 'mikey.CHASH' } });
    },
    60_000,
  );
});

it('a question by certificate whose proof is a MAC proves nobody', async () => {
  const { header, payloads } = decodeMessage(ask().message);
  const mac: Payload = { payload: 'V', macAlgorithm: 2, mac: new Uint8Array(32) };
  const unsigned = encodeMessage({ header, payloads: [...payloads.slice(0, -1), mac] });
  const outcome = await makeMachine().handleTicketRequest(unsigned, start);
  expect(outcome.outcome).toMatch(/^(not-authenticated|malformed)$/);
});

it('the time of a KMS that refuses for ours is proven by its signature or its MAC', async () => {
  const asked = ask();
  const outcome = await makeMachine().handleTicketRequest(asked.message, start + 1_200_000);
  if (outcome.outcome !== 'refused') throw new Error(outcome.outcome);
  expect(asked.answerTime(outcome.message)).toBe(start + 1_200_000);
  expect(ask().answerTime(outcome.message)).toBeUndefined();
  const last = outcome.message.length - 1;
  expect(asked.answerTime(outcome.message.with(last, (outcome.message[last] ?? 0) ^ 1))).toBeUndefined();
});
