import { TreeReader, type ReadTree } from '../../../base/tree-reader.ts';
import { readChainTree } from './chain-tree.ts';
import type { MikeyTreeOptions } from './context.ts';
import { codePointName, named } from './names.ts';
import { payloadTrees, readPolicyFields } from './policy-tree.ts';
import { protTypeText } from './simple-payload-trees.ts';

const srtp = 0;

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

function readGenericSession(reader: TreeReader): void {
  reader.number(1, 'CS ID');
  const protType = reader.number(1, 'Prot type', protTypeText);
  const head = reader.number(1, 'S, #P', (value) => `S=${value >> 7}, ${counted(value & 0x7f, 'policy', 'policies')}`);
  for (let left = head & 0x7f; left > 0; left--) reader.number(1, 'Policy no');
  const length = reader.number(2, 'Session Data length');
  // Reading [A25].
  if (protType === srtp && length !== (head >= 0x80 ? 10 : length && 4)) {
    reader.note('Contradiction', 'SRTP Session Data has 0 or 4 octets, or 10 with the S flag');
  }
  if (length > 0) {
    reader.within(length, 'Session Data', (data) => {
      // Readings [A24] and [A25]: only SRTP's session data has a form that we know.
      if (protType !== srtp || (length !== 4 && length !== 10)) {
        data.octets(length, 'Data');
        return;
      }
      data.number(4, 'SSRC');
      if (length === 10) {
        data.number(4, 'ROC');
        data.number(2, 'SEQ');
      }
    });
  }
  reader.octets(reader.number(1, 'SPI Length'), 'SPI');
}

function readSrtpSession(reader: TreeReader): void {
  reader.number(1, 'Policy no');
  reader.number(4, 'SSRC');
  reader.number(4, 'ROC');
}

function readHeader(reader: TreeReader): number {
  return reader.group('HDR', () => {
    reader.number(1, 'version', (value) => (value === 1 ? undefined : 'not MIKEY version 1; read as if it were'));
    reader.number(1, 'data type', named('dataType'));
    const first = reader.number(1, 'Next payload', named('nextPayload'));
    reader.number(1, 'V, PRF func', (value) => {
      const answer = value >= 0x80 ? 'V=1, an answer is wanted' : 'V=0, no answer is wanted';
      return `${answer}; ${codePointName('prf', value & 0x7f)}`;
    });
    reader.number(4, 'CSB ID', (value) => `0x${value.toString(16).padStart(8, '0')}`);
    const count = reader.number(1, '#CS', (value) => counted(value, 'crypto session', 'crypto sessions'));
    const type = reader.number(1, 'CS ID map type', named('mapType'));
    if (type > 2) reader.stop('CS ID map type', `map type ${type}`, '0, 1 or 2', reader.offset - 1);
    if (type === 1) {
      if (count > 0) reader.note('Contradiction', 'an empty map with crypto sessions');
      return first;
    }
    for (let index = 0; index < count; index++) {
      reader.group(`CS ${index + 1}`, () => (type === 2 ? readGenericSession(reader) : readSrtpSession(reader)));
    }
    return first;
  });
}

/** Any MIKEY message (RFC 3830, RFC 6043), whole or not. */
export function mikeyMessageTree(bytes: Uint8Array, options: MikeyTreeOptions): ReadTree {
  return TreeReader.read(bytes, 'MIKEY', (reader) => {
    const first = readHeader(reader);
    readChainTree(reader, first, payloadTrees, { ...options, place: 'message' });
  });
}

/** A TICKET or TP payload that stands alone, with or without the Next Payload octet that opens it. */
export function lonePayloadTree(
  bytes: Uint8Array,
  kind: 'TICKET' | 'TP',
  hasNextPayload: boolean,
  options: MikeyTreeOptions,
): ReadTree {
  const context = { ...options, place: 'message' } as const;
  return TreeReader.read(bytes, kind, (reader) => {
    if (hasNextPayload) reader.number(1, 'Next payload', named('nextPayload'));
    const tree = kind === 'TP' ? readPolicyFields : payloadTrees[17];
    tree?.(reader, context);
  });
}
