import { TreeReader, type ReadTree } from '../../base/tree-reader.ts';

/** What an element of a known structure is called. Entries are matched in order; one with a tag matches only that. */
interface Schema {
  readonly name: string;
  readonly tag?: number;
  readonly fields?: readonly Schema[];
  /** Every element inside is of this kind. */
  readonly each?: Schema;
}

const algorithm = (name: string, parameters: readonly Schema[] = []): Schema => ({
  name,
  fields: [{ name: 'algorithm' }, { name: 'parameters', fields: parameters }],
});

const encryptedContentInfo = (name: string): Schema => ({
  name,
  fields: [
    { name: 'contentType' },
    algorithm('contentEncryptionAlgorithm', [{ name: 'aes-nonce' }, { name: 'aes-ICVlen' }]),
    { name: 'encryptedContent' },
  ],
});

/** RFC 5652 6.2: what we use is kekri; the others are named only. */
const recipientInfo: Schema = {
  name: 'RecipientInfo',
  fields: [
    { name: 'version' },
    { name: 'kekid', fields: [{ name: 'keyIdentifier' }, { name: 'date', tag: 0x18 }, { name: 'other' }] },
    algorithm('keyEncryptionAlgorithm'),
    { name: 'encryptedKey' },
  ],
};

/** RFC 5083 2.1 and RFC 5652 6.1, which differ in what follows the encrypted content. */
const envelopedData = (name: string): Schema => ({
  name,
  fields: [
    { name: 'version', tag: 0x02 },
    { name: 'originatorInfo', tag: 0xa0 },
    { name: 'recipientInfos', tag: 0x31, each: recipientInfo },
    encryptedContentInfo(name === 'AuthEnvelopedData' ? 'authEncryptedContentInfo' : 'encryptedContentInfo'),
    { name: 'authAttrs', tag: 0xa1 },
    { name: 'mac', tag: 0x04 },
    { name: 'unauthAttrs', tag: 0xa2 },
  ],
});

const contentSchemas: Readonly<Record<string, Schema>> = {
  '1.2.840.113549.1.9.16.1.23': envelopedData('AuthEnvelopedData'),
  '1.2.840.113549.1.7.3': envelopedData('EnvelopedData'),
};

const objectNames: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.7.1': 'id-data',
  '1.2.840.113549.1.7.2': 'id-signedData',
  '1.2.840.113549.1.7.3': 'id-envelopedData',
  '1.2.840.113549.1.9.16.1.23': 'id-ct-authEnvelopedData',
  '1.2.840.113549.1.9.3': 'id-contentType',
  '1.2.840.113549.1.9.4': 'id-messageDigest',
  '1.2.840.113549.1.9.5': 'id-signingTime',
  '2.16.840.1.101.3.4.1.2': 'id-aes128-CBC',
  '2.16.840.1.101.3.4.1.42': 'id-aes256-CBC',
  '2.16.840.1.101.3.4.1.5': 'id-aes128-wrap',
  '2.16.840.1.101.3.4.1.45': 'id-aes256-wrap',
  '2.16.840.1.101.3.4.1.6': 'id-aes128-GCM',
  '2.16.840.1.101.3.4.1.46': 'id-aes256-GCM',
  '2.16.840.1.101.3.4.2.1': 'id-sha256',
  '1.2.840.113549.1.1.1': 'rsaEncryption',
  '1.2.840.113549.1.1.11': 'sha256WithRSAEncryption',
  '1.2.840.10045.2.1': 'id-ecPublicKey',
  '1.2.840.10045.4.3.2': 'ecdsa-with-SHA256',
  '2.5.4.3': 'id-at-commonName',
};

const typeNames: Readonly<Record<number, string>> = {
  0x01: 'BOOLEAN',
  0x02: 'INTEGER',
  0x03: 'BIT STRING',
  0x04: 'OCTET STRING',
  0x05: 'NULL',
  0x06: 'OBJECT IDENTIFIER',
  0x0c: 'UTF8String',
  0x13: 'PrintableString',
  0x16: 'IA5String',
  0x17: 'UTCTime',
  0x18: 'GeneralizedTime',
  0x30: 'SEQUENCE',
  0x31: 'SET',
};

const maxDepth = 32;
const textTypes = new Set([0x0c, 0x13, 0x16, 0x17, 0x18]);

/** Octets that begin like DER: a SEQUENCE whose length is written and fits, or the octets end before it does. */
export function looksLikeDer(bytes: Uint8Array): boolean {
  const [tag, length = 0] = bytes;
  if (tag !== 0x30 || bytes.length < 4 || length === 0x80 || length > 0x84) return false;
  if (length < 0x80) return length + 2 === bytes.length;
  const first = bytes[2 + (length & 0x7f)] ?? 0;
  return typeNames[first] !== undefined || first >= 0xa0;
}

/** Any DER as a tree; the fields of AuthEnvelopedData and EnvelopedData by name. */
export function derTree(bytes: Uint8Array): ReadTree {
  const contentInfo: Schema = { name: 'ContentInfo', fields: [{ name: 'contentType' }, { name: 'content' }] };
  return TreeReader.read(bytes, 'DER', (reader) => readElement(reader, contentInfo, 0));
}

function readElement(reader: TreeReader, schema: Schema | undefined, depth: number): string | undefined {
  if (depth > maxDepth) return reader.stop('depth', 'nested too deep', `at most ${maxDepth} levels`);
  const tag = reader.peek()[0] ?? 0;
  const name = schema?.name ?? typeName(tag);
  return reader.group(
    name,
    () => {
      reader.number(1, 'Tag', typeName);
      if ((tag & 0x1f) === 0x1f) reader.stop('Tag', 'long tag', 'a tag of one octet', reader.offset - 1);
      const length = readLength(reader);
      if ((tag & 0x20) === 0) return readPrimitive(reader, tag, length);
      readConstructed(reader, length, schema, depth);
      return undefined;
    },
    (words) => words,
  );
}

const typeName = (tag: number): string =>
  tag >= 0x80 && tag < 0xc0 ? `[${tag & 0x1f}]` : (typeNames[tag] ?? `tag 0x${tag.toString(16).padStart(2, '0')}`);

function readLength(reader: TreeReader): number {
  const first = reader.number(1, 'Length', (value) => (value >= 0x80 ? `in ${value & 0x7f} octets` : undefined));
  if (first < 0x80) return first;
  if (first === 0x80) return reader.stop('Length', 'indefinite length (BER)', 'DER', reader.offset - 1);
  const octets = first & 0x7f;
  if (octets > 4) return reader.stop('Length', `length in ${octets} octets`, 'at most 4', reader.offset - 1);
  return reader.number(octets as 1 | 2 | 3 | 4, 'Length');
}

function readPrimitive(reader: TreeReader, tag: number, length: number): string | undefined {
  if (textTypes.has(tag)) return reader.text(length, 'Value');
  let words: string | undefined;
  if (length === 0) return undefined;
  reader.octets(length, 'Value', (bytes) => {
    if (tag === 0x06) words = objectIdentifierText(bytes);
    else if (tag === 0x02 && bytes.length <= 4) words = `${bytes.reduce((sum, octet) => sum * 256 + octet, 0)}`;
    return words;
  });
  return words;
}

function readConstructed(reader: TreeReader, length: number, schema: Schema | undefined, depth: number): void {
  reader.within(length, 'Contents', (inner) => {
    let at = 0;
    let content: Schema | undefined;
    while (!inner.isAtEnd) {
      const tag = inner.peek()[0] ?? 0;
      let found = schema?.each;
      if (found === undefined && schema?.fields !== undefined) {
        const index = schema.fields.findIndex((field, position) => position >= at && (field.tag ?? tag) === tag);
        if (index >= 0) at = index + 1;
        found = schema.fields[index];
      }
      if (found?.name === 'content' && content !== undefined) found = { name: 'content', each: content };
      const words = readElement(inner, found, depth + 1);
      if (found?.name === 'contentType' && schema?.name === 'ContentInfo') {
        content = contentSchemas[words?.split(' ')[0] ?? ''];
      }
    }
  });
}

function objectIdentifierText(bytes: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of bytes) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [joined = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(joined / 40));
  const dotted = [top, joined - 40 * top, ...rest].join('.');
  const name = objectNames[dotted];
  return name === undefined ? dotted : `${dotted} ${name}`;
}
