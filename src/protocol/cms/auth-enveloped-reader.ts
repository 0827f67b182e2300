import { ProtocolError } from '../../base/errors.ts';
import { contentEncryptions, contentTypes, keyWraps, type AesAlgorithm, type ContentEncryption } from './algorithms.ts';
import { contextTag, DerReader, derTag } from './der-reader.ts';

/** Bounds of what is read; what is beyond them is refused as malformed. */
export const cmsLimits = {
  maxOctets: 1024 * 1024,
  maxKeyIdentifierOctets: 255,
  nonceOctets: { min: 8, max: 64 },
} as const;

/** What stands in an AuthEnvelopedData before anything is decrypted or proven. All octets are views of the input. */
export interface AuthEnvelopedParts {
  readonly keyIdentifier: Uint8Array;
  readonly keyWrapOctets: 16 | 32;
  readonly encryptedKey: Uint8Array;
  readonly contentEncryption: AesAlgorithm<ContentEncryption>;
  readonly nonce: Uint8Array;
  readonly encryptedContent: Uint8Array;
  /** Authenticated attributes in the encoding that is authenticated; empty when there are none. */
  readonly additionalData: Uint8Array;
  readonly mac: Uint8Array;
}

/** SIP answers: 400 for octets that break the grammar, 493 for what we cannot decipher (RFC 3261 21.4.1, 21.4.28). */
const malformed = { sip: 400 } as const;
const undecipherable = { sip: 493 } as const;

/**
 * Reads the structure only; nothing is decrypted.
 *
 *     ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }     -- RFC 5652 3
 *
 * @throws ProtocolError `malformed` (hint SIP 400) or `unsupported` (hint SIP 493)
 */
export function readAuthEnveloped(der: Uint8Array): AuthEnvelopedParts {
  const whole = new DerReader(der, malformed);
  if (der.length > cmsLimits.maxOctets) whole.fail('cms', 'too large', `at most ${cmsLimits.maxOctets} octets`);
  const contentInfo = whole.enter(derTag.sequence, 'cms.ContentInfo');
  whole.expectEnd('cms.ContentInfo');
  requireType(contentInfo, 'cms.contentType', contentTypes.authEnvelopedData, 'id-ct-authEnvelopedData');
  const content = contentInfo.enter(contextTag(0, 'constructed'), 'cms.content');
  contentInfo.expectEnd('cms.content');
  const parts = readAuthEnvelopedData(content.enter(derTag.sequence, 'cms.AuthEnvelopedData'));
  content.expectEnd('cms.AuthEnvelopedData');
  return parts;
}

/**
 *     AuthEnvelopedData ::= SEQUENCE {                                                          -- RFC 5083 2.1
 *       version CMSVersion,                                       -- 0
 *       originatorInfo [0] IMPLICIT OriginatorInfo OPTIONAL,      -- refused: key wrap needs none
 *       recipientInfos SET OF RecipientInfo,                      -- exactly one
 *       authEncryptedContentInfo EncryptedContentInfo,
 *       authAttrs [1] IMPLICIT SET OF Attribute OPTIONAL,
 *       mac OCTET STRING,
 *       unauthAttrs [2] IMPLICIT SET OF Attribute OPTIONAL }      -- ignored: nothing vouches for it
 */
function readAuthEnvelopedData(reader: DerReader): AuthEnvelopedParts {
  if (reader.smallInteger('cms.version') !== 0) unsupported('cms.version', reader.offset, 'version 0');
  const recipientInfos = reader.enter(derTag.set, 'cms.recipientInfos');
  const recipient = readRecipientInfo(recipientInfos);
  if (!recipientInfos.isAtEnd) unsupported('cms.recipientInfos', recipientInfos.offset, 'exactly one recipient');
  const content = readEncryptedContentInfo(reader.enter(derTag.sequence, 'cms.authEncryptedContentInfo'));
  const attributes = reader.optional(contextTag(1, 'constructed'), 'cms.authAttrs')?.encoded;
  const macOffset = reader.offset;
  const mac = reader.octetString('cms.mac');
  if (mac.length !== content.macOctets) {
    throw new ProtocolError('malformed', `${mac.length} octets`, {
      field: 'cms.mac',
      offset: macOffset,
      expected: `the ${content.macOctets} octets of aes-ICVlen`,
      hint: malformed,
    });
  }
  reader.optional(contextTag(2, 'constructed'), 'cms.unauthAttrs');
  reader.expectEnd('cms.AuthEnvelopedData');
  return { ...recipient, ...content, mac, additionalData: asSetOf(attributes) };
}

/** RFC 5083 2.2: what is authenticated carries the universal SET OF tag in place of [1]. */
function asSetOf(attributes: Uint8Array | undefined): Uint8Array {
  if (attributes === undefined) return new Uint8Array();
  const encoded = Uint8Array.from(attributes);
  encoded[0] = derTag.set;
  return encoded;
}

/**
 *     RecipientInfo ::= CHOICE { ..., kekri [2] IMPLICIT KEKRecipientInfo, ... }                -- RFC 5652 6.2
 *     KEKRecipientInfo ::= SEQUENCE {                                                           -- RFC 5652 6.2.3
 *       version CMSVersion,                                       -- 4
 *       kekid SEQUENCE { keyIdentifier OCTET STRING, date GeneralizedTime OPTIONAL, other SEQUENCE OPTIONAL },
 *       keyEncryptionAlgorithm AlgorithmIdentifier,               -- id-aes128-wrap, id-aes256-wrap; no parameters
 *       encryptedKey OCTET STRING }
 */
function readRecipientInfo(recipientInfos: DerReader) {
  const offset = recipientInfos.offset;
  const { tag, contents, encoded } = recipientInfos.any('cms.recipientInfo');
  if (tag !== contextTag(2, 'constructed')) unsupported('cms.recipientInfo', offset, '[2] KEKRecipientInfo');
  const reader = new DerReader(contents, malformed, offset + encoded.length - contents.length);
  if (reader.smallInteger('cms.kekri.version') !== 4) unsupported('cms.kekri.version', reader.offset, 'version 4');
  const kekid = reader.enter(derTag.sequence, 'cms.kekid');
  const keyIdentifier = kekid.octetString('cms.kekid.keyIdentifier');
  if (keyIdentifier.length > cmsLimits.maxKeyIdentifierOctets) {
    kekid.fail('cms.kekid.keyIdentifier', 'too long', `at most ${cmsLimits.maxKeyIdentifierOctets} octets`);
  }
  kekid.optional(derTag.generalizedTime, 'cms.kekid.date');
  kekid.optional(derTag.sequence, 'cms.kekid.other');
  kekid.expectEnd('cms.kekid');
  const algorithm = reader.enter(derTag.sequence, 'cms.keyEncryptionAlgorithm');
  const wrap = findAlgorithm(algorithm, 'cms.keyEncryptionAlgorithm', keyWraps);
  algorithm.expectEnd('cms.keyEncryptionAlgorithm.parameters');
  const encryptedKey = reader.octetString('cms.encryptedKey');
  reader.expectEnd('cms.kekri');
  return { keyIdentifier, keyWrapOctets: wrap.keyOctets, encryptedKey };
}

/**
 *     EncryptedContentInfo ::= SEQUENCE {                                                       -- RFC 5652 6.1
 *       contentType OBJECT IDENTIFIER,                            -- id-data
 *       contentEncryptionAlgorithm AlgorithmIdentifier,           -- id-aes128-GCM, id-aes256-GCM
 *       encryptedContent [0] IMPLICIT OCTET STRING OPTIONAL }     -- present: nothing is detached
 */
function readEncryptedContentInfo(reader: DerReader) {
  requireType(reader, 'cms.encryptedContentType', contentTypes.data, 'id-data');
  const algorithm = reader.enter(derTag.sequence, 'cms.contentEncryptionAlgorithm');
  const contentEncryption = findAlgorithm(algorithm, 'cms.contentEncryptionAlgorithm', contentEncryptions);
  const parameters = readGcmParameters(algorithm.enter(derTag.sequence, 'cms.GCMParameters'));
  algorithm.expectEnd('cms.contentEncryptionAlgorithm');
  const encryptedContent = reader.read(contextTag(0, 'primitive'), 'cms.encryptedContent').contents;
  reader.expectEnd('cms.authEncryptedContentInfo');
  return { contentEncryption, encryptedContent, ...parameters };
}

/** GCMParameters ::= SEQUENCE { aes-nonce OCTET STRING, aes-ICVlen INTEGER (12..16) DEFAULT 12 }     -- RFC 5084 3.2 */
function readGcmParameters(reader: DerReader) {
  const { min, max } = cmsLimits.nonceOctets;
  const nonce = reader.octetString('cms.GCMParameters.aes-nonce');
  if (nonce.length < min || nonce.length > max) {
    reader.fail('cms.GCMParameters.aes-nonce', `${nonce.length} octets`, `${min} to ${max} octets`);
  }
  const macOctets = reader.isAtEnd ? 12 : reader.smallInteger('cms.GCMParameters.aes-ICVlen');
  if (macOctets < 12 || macOctets > 16) reader.fail('cms.GCMParameters.aes-ICVlen', `${macOctets}`, '12 to 16');
  reader.expectEnd('cms.GCMParameters');
  return { nonce, macOctets };
}

function requireType(reader: DerReader, field: string, oid: string, name: string): void {
  const offset = reader.offset;
  if (reader.objectIdentifier(field) !== oid) unsupported(field, offset, name);
}

function findAlgorithm<Algorithm extends AesAlgorithm<string>>(
  reader: DerReader,
  field: string,
  known: readonly Algorithm[],
): Algorithm {
  const offset = reader.offset;
  const oid = reader.objectIdentifier(field);
  const found = known.find((algorithm) => algorithm.oid === oid);
  return found ?? unsupported(field, offset, known.map(({ name }) => name).join(' or '));
}

function unsupported(field: string, offset: number, expected: string): never {
  throw new ProtocolError('unsupported', 'not supported', { field, offset, expected, hint: undecipherable });
}
