import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { aesGcmSeal, aesKeyWrap } from '../../../src/crypto/aes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { contextTag, derTag } from '../../../src/protocol/cms/der-reader.ts';
import {
  derElement,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  derSmallInteger,
} from '../../../src/protocol/cms/der-writer.ts';
import { cmsLimits, openAuthEnveloped, readAuthEnveloped, sealAuthEnveloped } from '../../../src/protocol/cms/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const kek = new SecretBytes(new Uint8Array(32).fill(7));
const keyIdentifier = fromHex('0102030401aabbccdd');
const sealed = sealAuthEnveloped({ kek, keyIdentifier, plaintext: utf8('hello, Bob'), random: seededRandom() });

function failure(action: () => unknown): ProtocolError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return error as ProtocolError;
  }
  throw new Error('nothing was refused');
}

describe('AuthEnvelopedData', () => {
  it('gives back what was sealed, for the key it names, in the strength of that key', () => {
    const arbitrary = fc.record({
      kek: fc.constantFrom(16, 32).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
      plaintext: fc.uint8Array({ maxLength: 2000 }),
      keyIdentifier: fc.uint8Array({ maxLength: cmsLimits.maxKeyIdentifierOctets }),
    });
    fc.assert(
      fc.property(arbitrary, ({ kek: bytes, plaintext, keyIdentifier: id }) => {
        const key = new SecretBytes(bytes);
        const der = sealAuthEnveloped({ kek: key, keyIdentifier: id, plaintext, random: secureRandom });
        const opened = openAuthEnveloped(der, (asked) => (asked.join() === id.join() ? key : undefined));
        expect(opened.plaintext).toEqual(plaintext);
        expect(opened.contentEncryption).toBe(bytes.length === 16 ? 'AES-128-GCM' : 'AES-256-GCM');
      }),
    );
  });

  it('never seals two messages alike', () => {
    const seal = () => sealAuthEnveloped({ kek, keyIdentifier, plaintext: utf8('same'), random: secureRandom });
    const [first, second] = [seal(), seal()].map(readAuthEnveloped);
    expect(first!.nonce).not.toEqual(second!.nonce);
    expect(first!.encryptedKey).not.toEqual(second!.encryptedKey);
  });

  it('refuses every truncation as malformed, with the SIP answer 400', () => {
    for (let length = 0; length < sealed.length; length++) {
      const error = failure(() => openAuthEnveloped(sealed.subarray(0, length), () => kek));
      expect([error.kind, error.hint.sip]).toEqual(['malformed', 400]);
      expect(error.offset).toBeLessThanOrEqual(length);
    }
    expect(failure(() => openAuthEnveloped(concatBytes(sealed, Uint8Array.of(0)), () => kek)).kind).toBe('malformed');
  });

  it('refuses every flipped bit', () => {
    const byName = (asked: Uint8Array) => (asked.join() === keyIdentifier.join() ? kek : undefined);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const damaged = Uint8Array.from(sealed);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const error = failure(() => openAuthEnveloped(damaged, byName));
      expect(error.hint.sip).toBe(error.kind === 'malformed' ? 400 : 493);
    }
  });

  it('answers 493 for a key it does not have and for a wrong key', () => {
    expect(failure(() => openAuthEnveloped(sealed, () => undefined)).hint.sip).toBe(493);
    const wrong = new SecretBytes(new Uint8Array(32).fill(8));
    expect(failure(() => openAuthEnveloped(sealed, () => wrong)).hint.sip).toBe(493);
    const short = new SecretBytes(new Uint8Array(16).fill(7));
    expect(failure(() => openAuthEnveloped(sealed, () => short)).hint.sip).toBe(493);
  });

  it('keeps keys and text out of its errors', () => {
    const damaged = Uint8Array.from(sealed);
    damaged[damaged.length - 1]! ^= 1;
    const error = failure(() => openAuthEnveloped(damaged, () => kek));
    expect(`${error.message} ${JSON.stringify(error)} ${String(error.cause)}`).not.toMatch(/hello|0707/);
  });

  it('refuses what is too large', () => {
    expect(failure(() => readAuthEnveloped(new Uint8Array(cmsLimits.maxOctets + 1))).kind).toBe('malformed');
    const long = new Uint8Array(cmsLimits.maxKeyIdentifierOctets + 1);
    const der = sealAuthEnveloped({ kek, keyIdentifier: long, plaintext: utf8(''), random: seededRandom() });
    expect(failure(() => readAuthEnveloped(der)).field).toBe('cms.kekid.keyIdentifier');
  });

  it('refuses to seal with a key of no AES length', () => {
    const bad = new SecretBytes(new Uint8Array(20));
    expect(
      failure(() => sealAuthEnveloped({ kek: bad, keyIdentifier, plaintext: utf8(''), random: seededRandom() })).kind,
    ).toBe('local');
  });
});

describe('AuthEnvelopedData that others write', () => {
  const gcm256 = '2.16.840.1.101.3.4.1.46';
  const contentKey = new Uint8Array(32).fill(1);
  const nonce = new Uint8Array(12).fill(2);
  const attributes = derSequence(
    derObjectIdentifier('1.2.840.113549.1.9.3'),
    derElement(derTag.set, derObjectIdentifier('1.2.840.113549.1.7.1')),
  );

  /** A message of all the optional parts that we do not write ourselves. */
  function foreign(options: { recipients?: number; gcmParameters?: Uint8Array; mac?: number; version?: number } = {}) {
    const { ciphertext, tag } = aesGcmSeal(contentKey, nonce, utf8('hi'), derElement(derTag.set, attributes));
    const encryptedKey = kek.use((bytes) => aesKeyWrap(bytes, contentKey));
    const recipient = derElement(
      contextTag(2, 'constructed'),
      derSmallInteger(4),
      derSequence(derOctetString(keyIdentifier), derElement(derTag.generalizedTime, utf8('20261123000000Z'))),
      derSequence(derObjectIdentifier('2.16.840.1.101.3.4.1.45')),
      derOctetString(encryptedKey),
    );
    const gcmParameters = options.gcmParameters ?? derSequence(derOctetString(nonce), derSmallInteger(16));
    const content = derSequence(
      derObjectIdentifier('1.2.840.113549.1.7.1'),
      derSequence(derObjectIdentifier(gcm256), gcmParameters),
      derElement(contextTag(0, 'primitive'), ciphertext),
    );
    return derSequence(
      derObjectIdentifier('1.2.840.113549.1.9.16.1.23'),
      derElement(
        contextTag(0, 'constructed'),
        derSequence(
          derSmallInteger(options.version ?? 0),
          derElement(derTag.set, ...Array.from({ length: options.recipients ?? 1 }, () => recipient)),
          content,
          derElement(contextTag(1, 'constructed'), attributes),
          derOctetString(tag.subarray(0, options.mac ?? 16)),
          derElement(contextTag(2, 'constructed'), attributes),
        ),
      ),
    );
  }

  it('opens with authenticated attributes, a key date and unauthenticated attributes', () => {
    expect(openAuthEnveloped(foreign(), () => kek).plaintext).toEqual(utf8('hi'));
  });

  it('refuses changed authenticated attributes', () => {
    const der = foreign();
    const at = der.findIndex(
      (_octet, index) => der.subarray(index, index + attributes.length).join() === attributes.join(),
    );
    der[at + attributes.length - 1]! ^= 1;
    expect(failure(() => openAuthEnveloped(der, () => kek)).field).toBe('cms.mac');
  });

  it('takes a mac of 12 octets, which is the default, and one of 14', () => {
    const byDefault = foreign({ gcmParameters: derSequence(derOctetString(nonce)), mac: 12 });
    expect(openAuthEnveloped(byDefault, () => kek).plaintext).toEqual(utf8('hi'));
    const stated = foreign({ gcmParameters: derSequence(derOctetString(nonce), derSmallInteger(14)), mac: 14 });
    expect(openAuthEnveloped(stated, () => kek).plaintext).toEqual(utf8('hi'));
  });

  it.each([
    ['a mac shorter than stated', foreign({ mac: 12 }), 'cms.mac', 400],
    [
      'a mac of 11 octets',
      foreign({ gcmParameters: derSequence(derOctetString(nonce), derSmallInteger(11)), mac: 11 }),
      'cms.GCMParameters.aes-ICVlen',
      400,
    ],
    [
      'a short nonce',
      foreign({ gcmParameters: derSequence(derOctetString(nonce.subarray(0, 7)), derSmallInteger(16)) }),
      'cms.GCMParameters.aes-nonce',
      400,
    ],
    ['two recipients', foreign({ recipients: 2 }), 'cms.recipientInfos', 493],
    ['no recipient', foreign({ recipients: 0 }), 'cms.recipientInfo', 400],
    ['another version', foreign({ version: 1 }), 'cms.version', 493],
  ])('refuses %s', (_case, der, field, sip) => {
    const error = failure(() => openAuthEnveloped(der, () => kek));
    expect([error.field, error.hint.sip]).toEqual([field, sip]);
  });
});
