import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { payloadNameOf, readChain, writeChain, type PayloadSpan } from './chain.ts';
import { csIdMapType, mikeyError } from './code-points.ts';
import { payloadCodecs } from './ticket-codec.ts';
import type { Payload } from './payloads.ts';

const maxMessageOctets = 16 * 1024;
const mikeyVersion = 1;

/** One entry of a GENERIC-ID map (RFC 6043 6.1.1). */
export interface CryptoSession {
  readonly csId: number;
  readonly protType: number;
  readonly sessionDataHasIndex: boolean;
  /** Policy numbers: offered ones in a request, the chosen one in an answer. */
  readonly policies: readonly number[];
  readonly sessionData: Uint8Array;
  readonly spi: Uint8Array;
}

/** One entry of an SRTP-ID map (RFC 3830 6.1.1). */
export interface SrtpSession {
  readonly policyNumber: number;
  readonly ssrc: number;
  readonly rolloverCounter: number;
}

export type CryptoSessionMap =
  | { readonly type: 'empty' }
  | { readonly type: 'generic'; readonly sessions: readonly CryptoSession[] }
  | { readonly type: 'srtp'; readonly sessions: readonly SrtpSession[] };

/** HDR (RFC 3830 6.1) without version and Next Payload. */
export interface MikeyHeader {
  readonly dataType: number;
  /** V flag: an answer is wanted. */
  readonly answerWanted: boolean;
  /** 7-bit PRF func of the message. */
  readonly prf: number;
  readonly csbId: number;
  readonly map: CryptoSessionMap;
}

export interface MikeyMessage {
  readonly header: MikeyHeader;
  readonly payloads: readonly Payload[];
}

/** A message with its own octets and the place of each payload in them. */
export interface DecodedMessage extends MikeyMessage {
  readonly bytes: Uint8Array;
  readonly spans: readonly PayloadSpan[];
}

const srtpProtType = 0;

function readCryptoSession(reader: ByteReader): CryptoSession {
  const csId = reader.u8('mikey.HDR.csId');
  const protType = reader.u8('mikey.HDR.protType');
  const head = reader.u8('mikey.HDR.policies');
  const policies = [...reader.bytes(head & 0x7f, 'mikey.HDR.policies')];
  const sessionData = reader.bytes(reader.u16('mikey.HDR.sessionDataLength'), 'mikey.HDR.sessionData');
  const spi = reader.bytes(reader.u8('mikey.HDR.spiLength'), 'mikey.HDR.spi');
  const sessionDataHasIndex = head >= 0x80;
  // Readings [A24] and [A25]: only SRTP's session data has a form that we know.
  if (protType === srtpProtType && sessionData.length !== (sessionDataHasIndex ? 10 : sessionData.length && 4)) {
    reader.fail('mikey.HDR.sessionData', 'wrong SRTP session data', '0 or 4 octets, or 10 with the S flag');
  }
  return { csId, protType, sessionDataHasIndex, policies, sessionData, spi };
}

function readMap(reader: ByteReader): CryptoSessionMap {
  const count = reader.u8('mikey.HDR.sessions');
  const type = reader.u8('mikey.HDR.mapType');
  switch (type) {
    case csIdMapType.empty:
      if (count > 0) reader.fail('mikey.HDR.sessions', 'sessions in an empty map', '0');
      return { type: 'empty' };
    case csIdMapType.genericId:
      return { type: 'generic', sessions: Array.from({ length: count }, () => readCryptoSession(reader)) };
    case csIdMapType.srtpId:
      return {
        type: 'srtp',
        sessions: Array.from({ length: count }, () => ({
          policyNumber: reader.u8('mikey.HDR.policyNumber'),
          ssrc: reader.u32('mikey.HDR.ssrc'),
          rolloverCounter: reader.u32('mikey.HDR.roc'),
        })),
      };
    default:
      return reader.fail('mikey.HDR.mapType', `unknown map type ${type}`, '0, 1 or 2');
  }
}

function writeMap(writer: ByteWriter, map: CryptoSessionMap): void {
  switch (map.type) {
    case 'empty':
      writer.u8(0).u8(csIdMapType.empty);
      break;
    case 'generic':
      writer.u8(map.sessions.length).u8(csIdMapType.genericId);
      for (const session of map.sessions) {
        writer
          .u8(session.csId)
          .u8(session.protType)
          .u8((session.sessionDataHasIndex ? 0x80 : 0) | session.policies.length)
          .bytes(Uint8Array.from(session.policies))
          .u16(session.sessionData.length)
          .bytes(session.sessionData)
          .u8(session.spi.length)
          .bytes(session.spi);
      }
      break;
    case 'srtp':
      writer.u8(map.sessions.length).u8(csIdMapType.srtpId);
      for (const { policyNumber, ssrc, rolloverCounter } of map.sessions) {
        writer.u8(policyNumber).u32(ssrc).u32(rolloverCounter);
      }
  }
}

/**
 * Reads any MIKEY message of RFC 3830 and RFC 6043, authentic or not.
 * @throws ProtocolError `malformed` or `unsupported` with field, offset and the MIKEY error number to answer with.
 */
export function decodeMessage(input: Uint8Array): DecodedMessage {
  if (input.length > maxMessageOctets) {
    throw new ProtocolError('malformed', `${input.length} octets`, {
      field: 'mikey.message',
      expected: `at most ${maxMessageOctets} octets`,
      hint: { mikey: mikeyError.unparseable },
    });
  }
  const bytes = Uint8Array.from(input);
  const reader = new ByteReader(bytes, 0, { mikey: mikeyError.unparseable });
  const version = reader.u8('mikey.HDR.version');
  if (version !== mikeyVersion) reader.fail('mikey.HDR.version', `version ${version}`, `version ${mikeyVersion}`);
  const dataType = reader.u8('mikey.HDR.dataType');
  const first = reader.u8('mikey.HDR.nextPayload');
  const flags = reader.u8('mikey.HDR.prf');
  const csbId = reader.u32('mikey.HDR.csbId');
  const map = readMap(reader);
  const name = payloadNameOf(first, payloadCodecs);
  if (name === undefined) reader.fail('mikey.HDR.nextPayload', `unknown payload type ${first}`);
  const { payloads, spans } = readChain(reader, name, payloadCodecs);
  reader.expectEnd('mikey.message');
  refuseAfterProof(payloads, spans);
  return {
    header: { dataType, answerWanted: flags >= 0x80, prf: flags & 0x7f, csbId, map },
    payloads,
    bytes,
    spans,
  };
}

/** Reading [A19]: V and SIGN stand last, or something would escape their proof. */
function refuseAfterProof(payloads: readonly Payload[], spans: readonly PayloadSpan[]): void {
  const index = payloads.findIndex(({ payload }) => payload === 'V' || payload === 'SIGN');
  const after = spans[index + 1];
  if (index < 0 || after === undefined) return;
  throw new ProtocolError('malformed', 'a payload follows V or SIGN', {
    field: 'mikey.message',
    offset: after.offset,
    hint: { mikey: mikeyError.unparseable },
  });
}

export function encodeMessage({ header, payloads }: MikeyMessage): Uint8Array {
  const first = payloads[0];
  const code = first === undefined ? undefined : payloadCodecs[first.payload]?.code;
  if (code === undefined) throw new ProtocolError('local', 'no first payload', { field: 'mikey.message' });
  const writer = new ByteWriter()
    .u8(mikeyVersion)
    .u8(header.dataType)
    .u8(code)
    .u8((header.answerWanted ? 0x80 : 0) | header.prf)
    .u32(header.csbId);
  writeMap(writer, header.map);
  writeChain(writer, payloads, payloadCodecs);
  return writer.finish();
}
