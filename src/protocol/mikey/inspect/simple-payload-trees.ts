import type { TreeReader } from '../../../base/tree-reader.ts';
import { profile } from '../../profile.ts';
import { idType as idTypes } from '../code-points.ts';
import { identityText } from '../identity.ts';
import { macOctets } from '../payload-codec.ts';
import type { PlaceContext } from './context.ts';
import { readKeyDataBody, readKeyDataChain, readValidity } from './key-data-tree.ts';
import { codePointName, named, type CodePointSpace } from './names.ts';
import { timestampText, durationText } from './times.ts';

/** Reads one payload behind its Next Payload octet. @returns what it says, in words. */
export type PayloadTree = (reader: TreeReader, context: PlaceContext) => string | undefined;

const timestampOctets: Readonly<Record<number, number>> = { 0: 8, 1: 8, 2: 4, 3: 4 };
const hashOctets: Readonly<Record<number, number>> = { 0: 20, 1: 16, 2: 32 };
const groupOctets: Readonly<Record<number, number>> = { 0: 192, 1: 96, 2: 128 };
const rekeyingRole = 4;

/** A code point that decides the length of what follows it: an unknown one ends the reading. */
function lengthOf(
  reader: TreeReader,
  name: string,
  space: CodePointSpace,
  lengths: Readonly<Record<number, number>>,
): { readonly value: number; readonly length: number } {
  const value = reader.number(1, name, named(space));
  const length = lengths[value];
  if (length === undefined) {
    return reader.stop(name, `value ${value}, of unknown length`, Object.keys(lengths).join(', '), reader.offset - 1);
  }
  return { value, length };
}

function readTimestamp(reader: TreeReader, now: number): string {
  const { value: type, length } = lengthOf(reader, 'TS type', 'timestampType', timestampOctets);
  let words = '';
  reader.octets(length, 'TS value', (value) => (words = timestampText(type, value, now)));
  return words;
}

function readIdentity(reader: TreeReader): string {
  const type = reader.number(1, 'ID Type', named('idType'));
  const length = reader.number(2, 'ID length');
  if (type !== idTypes.bytes) return reader.text(length, 'ID data');
  let words = '';
  // The name of a key is often a text all the same.
  reader.octets(length, 'ID data', (data) => (words = readable(data)));
  return words;
}

function readable(data: Uint8Array): string {
  const isText = data.length > 0 && data.every((octet) => octet >= 0x20 && octet < 0x7f);
  return isText ? `"${identityText({ type: 'uri', data })}"` : identityText({ type: 'bytes', data });
}

function readMac(reader: TreeReader, algorithmName: string): string {
  const { value, length } = lengthOf(reader, algorithmName, 'mac', macOctets);
  if (length > 0) reader.octets(length, 'MAC');
  return codePointName('mac', value);
}

const kemac: PayloadTree = (reader, { place, deciphered, showKeys }) => {
  const encryption = reader.number(1, 'Encr alg', named('encryption'));
  const length = reader.number(2, 'Encr data length');
  if (encryption === 0 && length > 0) {
    reader.within(length, 'Keys in clear', (keys) => readKeyDataChain(keys, place === 'policy' ? 'wish' : 'hidden'));
  } else {
    reader.octets(length, 'Encr data', () => 'enciphered');
  }
  const mac = readMac(reader, 'Mac alg');
  const plaintext = place === 'ticket' ? deciphered?.ticket : place === 'message' ? deciphered?.message : undefined;
  if (plaintext !== undefined) {
    reader.derived(plaintext, 'Keys', 'deciphered; offsets in the plaintext', (keys) =>
      readKeyDataChain(keys, showKeys ? 'shown' : 'hidden'),
    );
  }
  return `${codePointName('encryption', encryption)}, MAC ${mac}`;
};

const srtpValues: Readonly<Record<number, CodePointSpace>> = {
  0: 'srtpEncryption',
  2: 'srtpAuthentication',
  5: 'srtpPrf',
  9: 'srtpFecOrder',
};

function srtpValueText(type: number, value: Uint8Array): string | undefined {
  const number = value.reduce((sum, octet) => sum * 256 + octet, 0);
  const space = srtpValues[type];
  if (space !== undefined) return codePointName(space, number);
  if (type === 7 || type === 8 || type === 10) return number === 0 ? 'off' : 'on';
  return value.length <= 4 ? `${number}` : undefined;
}

export function protTypeText(protType: number): string {
  const { protTypeTls, protTypeTlsAlsoAccepted, protTypePskMime } = profile.mikey;
  const name = codePointName('protType', protType);
  if (protType === protTypeTls || protType === protTypeTlsAlsoAccepted) return `${name}; TLS in this profile`;
  return protType === protTypePskMime ? `${name}; PSK-MIME in this profile` : name;
}

const securityPolicy: PayloadTree = (reader) => {
  const number = reader.number(1, 'Policy no');
  const protType = reader.number(1, 'Prot type', protTypeText);
  const length = reader.number(2, 'Policy param length');
  reader.within(length, 'Policy param', (parameters) => {
    while (!parameters.isAtEnd) {
      parameters.group('Parameter', () => {
        const type = parameters.number(1, 'Type', (value) =>
          protType === 0 ? codePointName('srtpParameter', value) : undefined,
        );
        const octets = parameters.number(1, 'Length');
        parameters.octets(octets, 'Value', (value) => (protType === 0 ? srtpValueText(type, value) : undefined));
      });
    }
  });
  return `policy ${number} for ${protTypeText(protType)}`;
};

function extensionText(type: number): string {
  const name = codePointName('extension', type);
  return type === profile.mikey.proofOfOriginExtension ? `${name}; proof of origin in this profile` : name;
}

const extension: PayloadTree = (reader) => {
  const type = reader.number(1, 'Type', extensionText);
  const length = reader.number(2, 'Length');
  if (type === 1) {
    return `SDP IDs: ${reader.text(length, 'Data')}`;
  }
  if (type !== 3) {
    reader.octets(length, 'Data');
    return extensionText(type);
  }
  // RFC 4563 4: a list of { Key ID Type, Key ID Length, Key ID }.
  reader.within(length, 'Key IDs', (ids) => {
    while (!ids.isAtEnd) {
      ids.number(1, 'Key ID Type', named('keyIdType'));
      ids.octets(ids.number(1, 'Key ID Length'), 'Key ID');
    }
  });
  return extensionText(type);
};

/** By Next Payload value: everything but TP and TICKET. */
export const simplePayloadTrees: Readonly<Record<number, PayloadTree>> = {
  1: kemac,
  2: (reader) => {
    const head = reader.number(2, 'C, Data len', (value) => {
      return `${codePointName('envelopeCache', value >> 14)}, ${value & 0x3fff} octets`;
    });
    reader.octets(head & 0x3fff, 'PKE data', () => "envelope key, enciphered with the recipient's public key");
    return undefined;
  },
  3: (reader) => {
    const { value, length } = lengthOf(reader, 'DH-Group', 'diffieHellmanGroup', groupOctets);
    reader.octets(length, 'DH-value');
    const flags = reader.number(1, 'Reserv, KV', (octet) => codePointName('keyValidity', octet & 0x0f));
    readValidity(reader, flags & 0x0f);
    return codePointName('diffieHellmanGroup', value);
  },
  4: (reader) => {
    let words = '';
    const head = reader.number(2, 'S type, Signature len', (value) => {
      words = codePointName('signatureType', value >> 12);
      return `${words}, ${value & 0x0fff} octets`;
    });
    reader.octets(head & 0x0fff, 'Signature');
    return words;
  },
  5: (reader, { now }) => readTimestamp(reader, now),
  6: (reader) => readIdentity(reader),
  7: (reader) => {
    const type = reader.number(1, 'Cert type', named('certificateType'));
    const length = reader.number(2, 'Cert len');
    // 1 is the address of a certificate (RFC 3830 6.7).
    if (type === 1) return reader.text(length, 'Cert data');
    reader.octets(length, 'Cert data', () => 'DER');
    return codePointName('certificateType', type);
  },
  8: (reader) => {
    const { value, length } = lengthOf(reader, 'Hash func', 'hash', hashOctets);
    reader.octets(length, 'Hash');
    return codePointName('hash', value);
  },
  9: (reader) => readMac(reader, 'Auth alg'),
  10: securityPolicy,
  11: (reader) => {
    const length = reader.number(1, 'RAND len');
    reader.octets(length, 'RAND');
    return `${length} octets`;
  },
  12: (reader) => {
    const number = reader.number(1, 'Error no', named('error'));
    reader.number(2, 'Reserved', (value) => (value === 0 ? undefined : 'should be 0'));
    return codePointName('error', number);
  },
  13: (reader, { now }) => {
    const role = reader.number(1, 'TS role', named('timestampRole'));
    if (role !== rekeyingRole) return `${codePointName('timestampRole', role)}: ${readTimestamp(reader, now)}`;
    // RFC 6043 6.10: TRr is a number of seconds, not a time.
    const { length } = lengthOf(reader, 'TS type', 'timestampType', timestampOctets);
    let words = '';
    reader.octets(length, 'TS value', (value) => {
      const seconds = value.slice(0, 4).reduce((sum, octet) => sum * 256 + octet, 0);
      return (words = `at least every ${durationText(seconds)}`);
    });
    return `${codePointName('timestampRole', role)}: ${words}`;
  },
  14: (reader) => {
    const role = reader.number(1, 'ID role', named('idRole'));
    return `${codePointName('idRole', role)}: ${readIdentity(reader)}`;
  },
  15: (reader) => {
    const role = reader.number(1, 'RAND role', named('randRole'));
    const length = reader.number(1, 'RAND len');
    reader.octets(length, 'RAND');
    return `${codePointName('randRole', role)}, ${length} octets`;
  },
  20: (reader) => codePointName('keyType', readKeyDataBody(reader, 'hidden')),
  21: extension,
};
