import type { ByteReader } from '../../base/byte-reader.ts';
import type { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { mikeyError } from './code-points.ts';
import type { KeyValidity, Payload, PayloadName, PayloadOf } from './payloads.ts';

/** How one payload stands on the wire, without its Next Payload octet. */
export interface PayloadCodec<Name extends PayloadName> {
  /** Next Payload value; THDR has none. */
  readonly code: number | undefined;
  read(reader: ByteReader): PayloadOf<Name>;
  write(writer: ByteWriter, payload: PayloadOf<Name>): void;
}

export type PayloadCodecs = { readonly [Name in PayloadName]?: PayloadCodec<Name> };

/** Length of a MAC by its algorithm (RFC 3830 6.2, RFC 6043 6.1). */
export const macOctets: Readonly<Record<number, number>> = { 0: 0, 1: 20, 2: 32 };
const timestampOctets: Readonly<Record<number, number>> = { 0: 8, 1: 8, 2: 4, 3: 4 };
const hashOctets: Readonly<Record<number, number>> = { 0: 20, 1: 16, 2: 32 };
const diffieHellmanOctets: Readonly<Record<number, number>> = { 0: 192, 1: 96, 2: 128 };

/** A value whose length only its algorithm tells: an unknown algorithm leaves the rest of the message unreadable. */
function sized(
  reader: ByteReader,
  algorithm: number,
  lengths: Readonly<Record<number, number>>,
  field: string,
  mikey: number,
): Uint8Array {
  const length = lengths[algorithm];
  if (length === undefined) {
    throw new ProtocolError('unsupported', `unknown algorithm ${algorithm}`, {
      field,
      offset: reader.offset,
      hint: { mikey },
    });
  }
  return reader.bytes(length, field);
}

const readTimestamp = (reader: ByteReader, type: number, field: string): Uint8Array =>
  sized(reader, type, timestampOctets, field, mikeyError.invalidTimestamp);
const readMac = (reader: ByteReader, algorithm: number, field: string): Uint8Array =>
  sized(reader, algorithm, macOctets, field, mikeyError.invalidMac);
const counted16 = (reader: ByteReader, field: string): Uint8Array => reader.bytes(reader.u16(field), field);
const counted8 = (reader: ByteReader, field: string): Uint8Array => reader.bytes(reader.u8(field), field);
const write16 = (writer: ByteWriter, bytes: Uint8Array): void => void writer.u16(bytes.length).bytes(bytes);
const write8 = (writer: ByteWriter, bytes: Uint8Array): void => void writer.u8(bytes.length).bytes(bytes);

function readValidity(reader: ByteReader, kv: number): KeyValidity {
  switch (kv) {
    case 0:
      return { kind: 'null' };
    case 1:
      return { kind: 'spi', spi: counted8(reader, 'mikey.keyData.spi') };
    case 2:
      return {
        kind: 'interval',
        validFrom: counted8(reader, 'mikey.keyData.validFrom'),
        validTo: counted8(reader, 'mikey.keyData.validTo'),
      };
    default:
      return reader.fail('mikey.keyData.kv', `unknown key validity ${kv}`, '0, 1 or 2');
  }
}

function writeValidity(writer: ByteWriter, validity: KeyValidity): void {
  if (validity.kind === 'spi') write8(writer, validity.spi);
  if (validity.kind === 'interval') {
    write8(writer, validity.validFrom);
    write8(writer, validity.validTo);
  }
}

const kvCode = (validity: KeyValidity): number => ['null', 'spi', 'interval'].indexOf(validity.kind);
const hasSalt = (keyType: number): boolean => keyType === 1 || keyType === 3 || keyType === 5;

/** Every payload but TP and TICKET, which contain some of these. */
export const simplePayloadCodecs = {
  KEMAC: {
    code: 1,
    read: (reader) => {
      const encryption = reader.u8('mikey.KEMAC.encryption');
      const data = counted16(reader, 'mikey.KEMAC.data');
      const macAlgorithm = reader.u8('mikey.KEMAC.macAlgorithm');
      return {
        payload: 'KEMAC',
        encryption,
        data,
        macAlgorithm,
        mac: readMac(reader, macAlgorithm, 'mikey.KEMAC.mac'),
      };
    },
    write: (writer, { encryption, data, macAlgorithm, mac }) => {
      write16(writer.u8(encryption), data);
      writer.u8(macAlgorithm).bytes(mac);
    },
  },
  PKE: {
    code: 2,
    read: (reader) => {
      const head = reader.u16('mikey.PKE.length');
      return { payload: 'PKE', cache: head >> 14, data: reader.bytes(head & 0x3fff, 'mikey.PKE.data') };
    },
    write: (writer, { cache, data }) => void writer.u16((cache << 14) | data.length).bytes(data),
  },
  DH: {
    code: 3,
    read: (reader) => {
      const group = reader.u8('mikey.DH.group');
      const value = sized(reader, group, diffieHellmanOctets, 'mikey.DH.value', 6);
      const flags = reader.u8('mikey.DH.kv');
      return { payload: 'DH', group, value, reserved: flags >> 4, validity: readValidity(reader, flags & 0x0f) };
    },
    write: (writer, { group, value, reserved, validity }) => {
      writer
        .u8(group)
        .bytes(value)
        .u8((reserved << 4) | kvCode(validity));
      writeValidity(writer, validity);
    },
  },
  SIGN: {
    code: 4,
    read: (reader) => {
      const head = reader.u16('mikey.SIGN.length');
      return {
        payload: 'SIGN',
        signatureType: head >> 12,
        signature: reader.bytes(head & 0x0fff, 'mikey.SIGN.signature'),
      };
    },
    write: (writer, { signatureType, signature }) =>
      void writer.u16((signatureType << 12) | signature.length).bytes(signature),
  },
  T: {
    code: 5,
    read: (reader) => {
      const timestampType = reader.u8('mikey.T.type');
      return { payload: 'T', timestampType, value: readTimestamp(reader, timestampType, 'mikey.T.value') };
    },
    write: (writer, { timestampType, value }) => void writer.u8(timestampType).bytes(value),
  },
  ID: {
    code: 6,
    read: (reader) => ({ payload: 'ID', idType: reader.u8('mikey.ID.type'), data: counted16(reader, 'mikey.ID.data') }),
    write: (writer, { idType, data }) => write16(writer.u8(idType), data),
  },
  CERT: {
    code: 7,
    read: (reader) => ({
      payload: 'CERT',
      certificateType: reader.u8('mikey.CERT.type'),
      data: counted16(reader, 'mikey.CERT.data'),
    }),
    write: (writer, { certificateType, data }) => write16(writer.u8(certificateType), data),
  },
  CHASH: {
    code: 8,
    read: (reader) => {
      const hashFunction = reader.u8('mikey.CHASH.function');
      return { payload: 'CHASH', hashFunction, hash: sized(reader, hashFunction, hashOctets, 'mikey.CHASH.hash', 5) };
    },
    write: (writer, { hashFunction, hash }) => void writer.u8(hashFunction).bytes(hash),
  },
  V: {
    code: 9,
    read: (reader) => {
      const macAlgorithm = reader.u8('mikey.V.algorithm');
      return { payload: 'V', macAlgorithm, mac: readMac(reader, macAlgorithm, 'mikey.V.mac') };
    },
    write: (writer, { macAlgorithm, mac }) => void writer.u8(macAlgorithm).bytes(mac),
  },
  SP: {
    code: 10,
    read: (reader) => {
      const policyNumber = reader.u8('mikey.SP.policyNumber');
      const protType = reader.u8('mikey.SP.protType');
      const inner = reader.sub(reader.u16('mikey.SP.length'), 'mikey.SP.parameters');
      const parameters: { type: number; value: Uint8Array }[] = [];
      while (!inner.isAtEnd) {
        parameters.push({
          type: inner.u8('mikey.SP.parameter.type'),
          value: counted8(inner, 'mikey.SP.parameter.value'),
        });
      }
      return { payload: 'SP', policyNumber, protType, parameters };
    },
    write: (writer, { policyNumber, protType, parameters }) => {
      const length = parameters.reduce((sum, { value }) => sum + 2 + value.length, 0);
      writer.u8(policyNumber).u8(protType).u16(length);
      for (const { type, value } of parameters) write8(writer.u8(type), value);
    },
  },
  RAND: {
    code: 11,
    read: (reader) => ({ payload: 'RAND', value: counted8(reader, 'mikey.RAND') }),
    write: (writer, { value }) => write8(writer, value),
  },
  ERR: {
    code: 12,
    read: (reader) => ({
      payload: 'ERR',
      errorNumber: reader.u8('mikey.ERR.number'),
      reserved: reader.u16('mikey.ERR.reserved'),
    }),
    write: (writer, { errorNumber, reserved }) => void writer.u8(errorNumber).u16(reserved),
  },
  TR: {
    code: 13,
    read: (reader) => {
      const role = reader.u8('mikey.TR.role');
      const timestampType = reader.u8('mikey.TR.type');
      return { payload: 'TR', role, timestampType, value: readTimestamp(reader, timestampType, 'mikey.TR.value') };
    },
    write: (writer, { role, timestampType, value }) => void writer.u8(role).u8(timestampType).bytes(value),
  },
  IDR: {
    code: 14,
    read: (reader) => ({
      payload: 'IDR',
      role: reader.u8('mikey.IDR.role'),
      idType: reader.u8('mikey.IDR.type'),
      data: counted16(reader, 'mikey.IDR.data'),
    }),
    write: (writer, { role, idType, data }) => write16(writer.u8(role).u8(idType), data),
  },
  RANDR: {
    code: 15,
    read: (reader) => ({
      payload: 'RANDR',
      role: reader.u8('mikey.RANDR.role'),
      value: counted8(reader, 'mikey.RANDR.value'),
    }),
    write: (writer, { role, value }) => write8(writer.u8(role), value),
  },
  KEY_DATA: {
    code: 20,
    read: (reader) => {
      const head = reader.u8('mikey.keyData.type');
      const keyType = head >> 4;
      const key = counted16(reader, 'mikey.keyData.key');
      const salt = hasSalt(keyType) ? { salt: counted16(reader, 'mikey.keyData.salt') } : {};
      return { payload: 'KEY_DATA', keyType, key, ...salt, validity: readValidity(reader, head & 0x0f) };
    },
    write: (writer, { keyType, key, salt, validity }) => {
      write16(writer.u8((keyType << 4) | kvCode(validity)), key);
      if (hasSalt(keyType)) write16(writer, salt ?? new Uint8Array());
      writeValidity(writer, validity);
    },
  },
  EXTENSION: {
    code: 21,
    read: (reader) => ({
      payload: 'EXTENSION',
      extensionType: reader.u8('mikey.extension.type'),
      data: counted16(reader, 'mikey.extension.data'),
    }),
    write: (writer, { extensionType, data }) => write16(writer.u8(extensionType), data),
  },
  THDR: {
    code: undefined,
    read: (reader) => ({ payload: 'THDR', data: counted16(reader, 'mikey.THDR') }),
    write: (writer, { data }) => write16(writer, data),
  },
} satisfies { readonly [Name in Exclude<Payload['payload'], 'TP' | 'TICKET'>]: PayloadCodec<Name> };
