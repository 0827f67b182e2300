import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { aesGcmOpen, aesGcmSeal, aesKeyUnwrap, aesKeyWrap } from '../../crypto/aes.ts';
import { contentEncryptions, contentTypes, keyWraps, type AesAlgorithm, type ContentEncryption } from './algorithms.ts';
import { readAuthEnveloped, type AuthEnvelopedParts } from './auth-enveloped-reader.ts';
import { contextTag } from './der-reader.ts';
import {
  derElement,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  derSetOfOne,
  derSmallInteger,
} from './der-writer.ts';

const nonceOctets = 12;
const macOctets = 16;

export interface OpenedContent {
  readonly plaintext: Uint8Array;
  readonly keyIdentifier: Uint8Array;
  readonly contentEncryption: ContentEncryption;
}

/**
 * A DER ContentInfo with AuthEnvelopedData (RFC 5083) for one holder of `kek` (profile 5.2): a fresh content key under
 * AES key wrap, AES-GCM of the same strength, content type id-data, no attributes.
 * @param kek 16 octets for AES-128, 32 for AES-256
 * @throws ProtocolError `local` for a KEK of another length
 */
export function sealAuthEnveloped(input: {
  readonly kek: SecretBytes;
  readonly keyIdentifier: Uint8Array;
  readonly plaintext: Uint8Array;
  readonly random: Random;
}): Uint8Array {
  const { kek, keyIdentifier, plaintext, random } = input;
  const wrap = byKeyLength(keyWraps, kek.length);
  const encryption = byKeyLength(contentEncryptions, kek.length);
  const contentKey = random.bytes(encryption.keyOctets);
  const nonce = random.bytes(nonceOctets);
  try {
    const sealed = aesGcmSeal(contentKey, nonce, plaintext);
    const encryptedKey = kek.use((bytes) => aesKeyWrap(bytes, contentKey));
    const recipient = encodeRecipient(keyIdentifier, wrap.oid, encryptedKey);
    return encodeContentInfo(
      derSequence(
        derSmallInteger(0),
        derSetOfOne(recipient),
        encodeContent(encryption.oid, nonce, sealed.ciphertext),
        derOctetString(sealed.tag),
      ),
    );
  } finally {
    contentKey.fill(0);
  }
}

/**
 * Opens what `readAuthEnveloped` can read.
 * @param findKek gives the key of a key identifier, `undefined` when there is none
 * @throws ProtocolError `malformed` (hint SIP 400); every other kind has the hint SIP 493: no key, or a key or content
 *   that fails authentication. Nothing of the plaintext is released then.
 */
export function openAuthEnveloped(
  der: Uint8Array,
  findKek: (keyIdentifier: Uint8Array) => SecretBytes | undefined,
): OpenedContent {
  const parts = readAuthEnveloped(der);
  const kek = findKek(parts.keyIdentifier);
  if (kek === undefined) return undecipherable('peer-incompatible', 'no such key', 'cms.kekid.keyIdentifier');
  const contentKey = unwrapContentKey(parts, kek);
  try {
    return {
      plaintext: openContent(parts, contentKey),
      keyIdentifier: parts.keyIdentifier,
      contentEncryption: parts.contentEncryption.name,
    };
  } finally {
    contentKey.fill(0);
  }
}

function unwrapContentKey(parts: AuthEnvelopedParts, kek: SecretBytes): Uint8Array {
  const { encryptedKey, keyWrapOctets, contentEncryption } = parts;
  if (kek.length !== keyWrapOctets || encryptedKey.length !== contentEncryption.keyOctets + 8) {
    return undecipherable('peer-misbehaved', 'length does not fit the algorithm', 'cms.encryptedKey');
  }
  try {
    return kek.use((bytes) => aesKeyUnwrap(bytes, encryptedKey));
  } catch (cause) {
    return undecipherable('peer-misbehaved', 'not wrapped under this key', 'cms.encryptedKey', cause);
  }
}

function openContent(parts: AuthEnvelopedParts, contentKey: Uint8Array): Uint8Array {
  try {
    const { nonce, encryptedContent, mac, additionalData } = parts;
    // The reader has bound the length of the mac to aes-ICVlen, 12 to 16.
    return aesGcmOpen(contentKey, nonce, encryptedContent, mac, additionalData, mac.length);
  } catch (cause) {
    return undecipherable('peer-misbehaved', 'authentication failed', 'cms.mac', cause);
  }
}

function encodeContentInfo(authEnvelopedData: Uint8Array): Uint8Array {
  return derSequence(
    derObjectIdentifier(contentTypes.authEnvelopedData),
    derElement(contextTag(0, 'constructed'), authEnvelopedData),
  );
}

function encodeRecipient(keyIdentifier: Uint8Array, wrapOid: string, encryptedKey: Uint8Array): Uint8Array {
  return derElement(
    contextTag(2, 'constructed'),
    derSmallInteger(4),
    derSequence(derOctetString(keyIdentifier)),
    derSequence(derObjectIdentifier(wrapOid)),
    derOctetString(encryptedKey),
  );
}

function encodeContent(encryptionOid: string, nonce: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const parameters = derSequence(derOctetString(nonce), derSmallInteger(macOctets));
  return derSequence(
    derObjectIdentifier(contentTypes.data),
    derSequence(derObjectIdentifier(encryptionOid), parameters),
    derElement(contextTag(0, 'primitive'), ciphertext),
  );
}

function byKeyLength<Name extends string>(known: readonly AesAlgorithm<Name>[], length: number): AesAlgorithm<Name> {
  const found = known.find(({ keyOctets }) => keyOctets === length);
  if (found !== undefined) return found;
  throw new ProtocolError('local', `${length} octets`, { field: 'cms.kek', expected: '16 or 32 octets' });
}

function undecipherable(
  kind: 'peer-incompatible' | 'peer-misbehaved',
  problem: string,
  field: string,
  cause?: unknown,
): never {
  throw new ProtocolError(kind, problem, { field, hint: { sip: 493 }, ...(cause === undefined ? {} : { cause }) });
}
