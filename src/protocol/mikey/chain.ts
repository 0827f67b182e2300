import type { ByteReader } from '../../base/byte-reader.ts';
import type { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { mikeyError } from './code-points.ts';
import type { PayloadCodecs } from './payload-codec.ts';
import type { Payload, PayloadName } from './payloads.ts';

/** Room for a ticket that names a hundred responders. */
const maxPayloads = 128;

/** Where a payload stands in the input that was decoded, Next Payload octet included. */
export interface PayloadSpan {
  readonly offset: number;
  readonly length: number;
}

export interface PayloadChain {
  readonly payloads: readonly Payload[];
  readonly spans: readonly PayloadSpan[];
}

/** The payload that a Next Payload value names. */
export function payloadNameOf(code: number, codecs: PayloadCodecs): PayloadName | undefined {
  return (Object.keys(codecs) as PayloadName[]).find((name) => codecs[name]?.code === code);
}

const codeOf = (payload: Payload, codecs: PayloadCodecs): number => {
  const code = codecs[payload.payload]?.code;
  if (code === undefined) {
    throw new ProtocolError('local', `${payload.payload} cannot stand here`, { field: 'mikey.payload' });
  }
  return code;
};

/**
 * Reads payloads up to the one that says it is the last.
 * Reading [A19]: a payload of unknown type has no known length, so it ends the parsing; nothing may follow V or SIGN of a message,
 * which the caller checks.
 * @param first name of the first payload, `undefined` for an empty chain.
 */
export function readChain(reader: ByteReader, first: PayloadName | undefined, codecs: PayloadCodecs): PayloadChain {
  const payloads: Payload[] = [];
  const spans: PayloadSpan[] = [];
  for (let name = first; name !== undefined;) {
    if (payloads.length === maxPayloads) reader.fail('mikey.payload', 'too many payloads', `at most ${maxPayloads}`);
    const offset = reader.offset;
    const next = name === 'SIGN' ? 0 : reader.u8('mikey.nextPayload');
    const nextName = next === 0 ? undefined : payloadNameOf(next, codecs);
    const codec = codecs[name];
    if (codec === undefined || (next !== 0 && nextName === undefined)) return refuse(reader, offset, next);
    payloads.push(codec.read(reader));
    spans.push({ offset, length: reader.offset - offset });
    name = nextName;
  }
  return { payloads, spans };
}

function refuse(reader: ByteReader, offset: number, code: number): never {
  throw new ProtocolError('unsupported', `payload type ${code} cannot stand here`, {
    field: 'mikey.nextPayload',
    offset: Math.min(offset, reader.offset),
    hint: { mikey: mikeyError.unparseable },
  });
}

export function writeChain(writer: ByteWriter, payloads: readonly Payload[], codecs: PayloadCodecs): void {
  payloads.forEach((payload, index) => {
    const next = payloads[index + 1];
    if (payload.payload !== 'SIGN') writer.u8(next === undefined ? 0 : codeOf(next, codecs));
    const codec = codecs[payload.payload];
    if (codec === undefined) throw new ProtocolError('local', 'no such payload here', { field: 'mikey.payload' });
    codec.write(writer, payload as never);
  });
}

/** Reads the octet that names the first payload, then the chain, then insists on the end. */
export function readNamedChain(reader: ByteReader, codecs: PayloadCodecs, field: string): PayloadChain {
  const offset = reader.offset;
  const code = reader.u8(field);
  const name = code === 0 ? undefined : payloadNameOf(code, codecs);
  if (code !== 0 && name === undefined) return refuse(reader, offset, code);
  const chain = readChain(reader, name, codecs);
  reader.expectEnd(field);
  return chain;
}

export function writeNamedChain(writer: ByteWriter, payloads: readonly Payload[], codecs: PayloadCodecs): void {
  const first = payloads[0];
  writer.u8(first === undefined ? 0 : codeOf(first, codecs));
  writeChain(writer, payloads, codecs);
}
