import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { equalBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { crc32 } from './crc32.ts';
import { readXorAddress, writeXorAddress, type MappedAddress } from './xor-address.ts';

/**
 * Binding of STUN (RFC 5389), as far as the keep-alive of RFC 5626 section 8 needs it: no authentication.
 *
 *    0                   1                   2                   3
 *   |0 0|     STUN Message Type     |         Message Length        |
 *   |                         Magic Cookie                          |
 *   |                     Transaction ID (96 bits)                  |
 *   |  attributes: type (16), length (16), value, padding to 4 ...  |
 */
export type StunMessage =
  | { readonly kind: 'request'; readonly transactionId: Uint8Array }
  | { readonly kind: 'success'; readonly transactionId: Uint8Array; readonly mapped: MappedAddress }
  | { readonly kind: 'error'; readonly transactionId: Uint8Array; readonly code: number };

export const stunLimits = { octets: 1500, attributes: 32 } as const;
export const stunTransactionIdOctets = 12;

const magicCookie = 0x2112a442;
const headerOctets = 20;
const types = { request: 0x0001, success: 0x0101, error: 0x0111 } as const;
const attribute = { errorCode: 0x0009, xorMappedAddress: 0x0020, fingerprint: 0x8028 } as const;
const fingerprintMask = 0x5354554e;
const fingerprintOctets = 8;

/** Whether a datagram of a socket on which SIP runs too is STUN: SIP begins with a letter, a keep-alive with CR (RFC 5626 8). */
export function looksLikeStun(datagram: Uint8Array): boolean {
  if (datagram.length < headerOctets || (datagram[0] ?? 0xff) > 1) return false;
  return new DataView(datagram.buffer, datagram.byteOffset).getUint32(4) === magicCookie;
}

/** A Binding message. @param withFingerprint appends FINGERPRINT (RFC 5389 15.5). */
export function encodeStun(message: StunMessage, withFingerprint = false): Uint8Array {
  const { transactionId } = message;
  if (transactionId.length !== stunTransactionIdOctets) throw new RangeError('a transaction id of STUN has 12 octets');
  const attributes = new ByteWriter();
  if (message.kind === 'success') {
    const value = writeXorAddress(message.mapped, transactionId);
    attributes.u16(attribute.xorMappedAddress).u16(value.length).bytes(value);
  }
  if (message.kind === 'error') {
    attributes
      .u16(attribute.errorCode)
      .u16(4)
      .u16(0)
      .u8(Math.floor(message.code / 100))
      .u8(message.code % 100);
  }
  const body = attributes.finish();
  const length = body.length + (withFingerprint ? fingerprintOctets : 0);
  const plain = new ByteWriter().u16(types[message.kind]).u16(length).u32(magicCookie);
  const unsigned = plain.bytes(transactionId).bytes(body).finish();
  if (!withFingerprint) return unsigned;
  const sum = (crc32(unsigned) ^ fingerprintMask) >>> 0;
  return new ByteWriter().bytes(unsigned).u16(attribute.fingerprint).u16(4).u32(sum).finish();
}

/**
 * @throws ProtocolError `malformed` for what is no STUN or goes beyond the limits, `unsupported` for another method or for an attribute
 * that has to be understood and is not (RFC 5389 7.3), `peer-misbehaved` for a wrong FINGERPRINT or a success without an address.
 */
export function decodeStun(datagram: Uint8Array): StunMessage {
  const reader = new ByteReader(datagram);
  if (datagram.length > stunLimits.octets) reader.fail('stun', 'too long', `at most ${stunLimits.octets} octets`);
  const type = reader.u16('stun.type');
  const length = reader.u16('stun.length');
  if (reader.u32('stun.magicCookie') !== magicCookie) reader.fail('stun.magicCookie', 'another value', '2112a442');
  const transactionId = Uint8Array.from(reader.bytes(stunTransactionIdOctets, 'stun.transactionId'));
  if (length !== datagram.length - headerOctets || length % 4 !== 0) {
    reader.fail('stun.length', `${length}`, 'the octets after the header, a multiple of 4');
  }
  const kind = kindOf(type);
  const { mapped, errorCode } = readAttributes(datagram, reader, transactionId);
  switch (kind) {
    case 'request':
      return { kind, transactionId };
    case 'error':
      return { kind, transactionId, code: errorCode ?? missing('stun.ERROR-CODE') };
    case 'success':
      return { kind, transactionId, mapped: mapped ?? missing('stun.XOR-MAPPED-ADDRESS') };
  }
}

/** Whether an answer belongs to a request. */
export function isAnswerTo(answer: StunMessage, request: StunMessage): boolean {
  return answer.kind !== 'request' && equalBytes(answer.transactionId, request.transactionId);
}

interface Attributes {
  readonly mapped: MappedAddress | undefined;
  readonly errorCode: number | undefined;
}

function readAttributes(datagram: Uint8Array, reader: ByteReader, transactionId: Uint8Array): Attributes {
  let mapped: MappedAddress | undefined;
  let errorCode: number | undefined;
  let offset = headerOctets;
  for (let count = 0; offset < datagram.length; count++) {
    if (count >= stunLimits.attributes) reader.fail('stun', 'too many attributes', `at most ${stunLimits.attributes}`);
    const type = reader.u16('stun.attribute');
    const length = reader.u16('stun.attribute.length');
    const value = reader.bytes(length, 'stun.attribute.value');
    reader.bytes((4 - (length % 4)) % 4, 'stun.attribute.padding');
    // RFC 5389 15: of an attribute that comes twice the first one counts.
    if (type === attribute.xorMappedAddress) mapped ??= readXorAddress(value, transactionId, offset + 4);
    else if (type === attribute.errorCode) errorCode ??= readErrorCode(value, offset + 4);
    else if (type === attribute.fingerprint) checkFingerprint(datagram, value, offset);
    else if (type < 0x8000 && !passedOver.has(type)) {
      const field = `stun.attribute.${type.toString(16).padStart(4, '0')}`;
      throw new ProtocolError('unsupported', 'has to be understood', { field, offset });
    }
    offset += 4 + length + ((4 - (length % 4)) % 4);
  }
  return { mapped, errorCode };
}

/** MAPPED-ADDRESS, and what belongs to authentication, which this usage has not: they change nothing here. */
const passedOver = new Set([0x0001, 0x0006, 0x0008, 0x000a, 0x0014, 0x0015]);

function readErrorCode(value: Uint8Array, offset: number): number {
  const hundreds = (value[2] ?? 0) & 0x07;
  const rest = value[3] ?? 0xff;
  if (value.length < 4 || hundreds < 3 || hundreds > 6 || rest > 99) {
    throw new ProtocolError('malformed', 'not an error code', {
      field: 'stun.ERROR-CODE',
      offset,
      expected: '300 to 699',
    });
  }
  return hundreds * 100 + rest;
}

/** RFC 5389 15.5: over everything before it, and the last attribute. */
function checkFingerprint(datagram: Uint8Array, value: Uint8Array, offset: number): void {
  const expected = (crc32(datagram.subarray(0, offset)) ^ fingerprintMask) >>> 0;
  const isLast = offset + fingerprintOctets === datagram.length;
  if (isLast && value.length === 4 && new DataView(value.buffer, value.byteOffset).getUint32(0) === expected) return;
  throw new ProtocolError('peer-misbehaved', 'does not fit', { field: 'stun.FINGERPRINT', offset });
}

function kindOf(type: number): StunMessage['kind'] {
  switch (type) {
    case types.request:
      return 'request';
    case types.success:
      return 'success';
    case types.error:
      return 'error';
    default:
      throw new ProtocolError(type < 0x4000 ? 'unsupported' : 'malformed', 'not a Binding', {
        field: 'stun.type',
        offset: 0,
      });
  }
}

function missing(field: string): never {
  throw new ProtocolError('peer-misbehaved', 'missing', { field });
}
