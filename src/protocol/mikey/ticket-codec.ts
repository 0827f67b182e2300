import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { readChain, readNamedChain, writeChain, writeNamedChain } from './chain.ts';
import { mikeyError } from './code-points.ts';
import { flagNames, type TicketFlags } from './flags.ts';
import { simplePayloadCodecs, type PayloadCodec, type PayloadCodecs } from './payload-codec.ts';
import type { Payload, TicketPayload, TicketPolicy } from './payloads.ts';

const hint = { mikey: mikeyError.unparseable };

/** The 24 bits after Version: PRF Func (7), D to O in alphabetical order, five reserved (RFC 6043 6.10). */
function readPolicy(reader: ByteReader): TicketPolicy {
  const ticketType = reader.u16('mikey.policy.ticketType');
  const subtype = reader.u8('mikey.policy.subtype');
  const version = reader.u8('mikey.policy.version');
  const bits = reader.u24('mikey.policy.flags');
  const flags = Object.fromEntries(flagNames.map((name, index) => [name, ((bits >> (16 - index)) & 1) === 1]));
  const parameters = reader.sub(reader.u16('mikey.policy.length'), 'mikey.policy.parameters');
  return {
    ticketType,
    subtype,
    version,
    prf: bits >> 17,
    flags: flags as unknown as TicketFlags,
    reserved: bits & 0x1f,
    parameters: readNamedChain(parameters, simplePayloadCodecs, 'mikey.policy.parameters').payloads,
  };
}

function writePolicy(writer: ByteWriter, policy: TicketPolicy): void {
  const flagBits = flagNames.reduce((bits, name, index) => bits | (policy.flags[name] ? 1 << (16 - index) : 0), 0);
  const parameters = new ByteWriter();
  writeNamedChain(parameters, policy.parameters, simplePayloadCodecs);
  writer
    .u16(policy.ticketType)
    .u8(policy.subtype)
    .u8(policy.version)
    .u24((policy.prf << 17) | flagBits | policy.reserved)
    .u16(parameters.length)
    .bytes(parameters.finish());
}

const policyCodec: PayloadCodec<'TP'> = {
  code: 16,
  read: (reader) => ({ payload: 'TP', policy: readPolicy(reader) }),
  write: (writer, { policy }) => writePolicy(writer, policy),
};

const ticketCodec: PayloadCodec<'TICKET'> = {
  code: 17,
  read: (reader) => ({
    payload: 'TICKET',
    policy: readPolicy(reader),
    ticketData: reader.bytes(reader.u16('mikey.TICKET.dataLength'), 'mikey.TICKET.data'),
    initiatorData: reader.bytes(reader.u16('mikey.TICKET.initiatorDataLength'), 'mikey.TICKET.initiatorData'),
  }),
  write: (writer, { policy, ticketData, initiatorData }) => {
    writePolicy(writer, policy);
    writer.u16(ticketData.length).bytes(ticketData).u16(initiatorData.length).bytes(initiatorData);
  },
};

/** Every payload that may stand in a message. */
export const payloadCodecs: PayloadCodecs = { ...simplePayloadCodecs, TP: policyCodec, TICKET: ticketCodec };

/** A TICKET payload on its own, without the octet that names the next one. */
export function encodeTicket(ticket: TicketPayload): Uint8Array {
  const writer = new ByteWriter();
  ticketCodec.write(writer, ticket);
  return writer.finish();
}

export function decodeTicket(bytes: Uint8Array): TicketPayload {
  const reader = new ByteReader(bytes, 0, { mikey: mikeyError.invalidTicket });
  const ticket = ticketCodec.read(reader);
  reader.expectEnd('mikey.TICKET');
  return ticket;
}

/** Policy, Ticket Data length and Ticket Data: what the ticket's MAC covers, MAC octets still included (RFC 6043 A.1). */
export function encodeCoveredTicket(ticket: TicketPayload): Uint8Array {
  const writer = new ByteWriter();
  writePolicy(writer, ticket.policy);
  return writer.u16(ticket.ticketData.length).bytes(ticket.ticketData).finish();
}

/** A policy by itself, to compare two. */
export function encodePolicy(policy: TicketPolicy): Uint8Array {
  const writer = new ByteWriter();
  writePolicy(writer, policy);
  return writer.finish();
}

/** The chain THDR, T, RAND, KEMAC, [IDRpsk], V of a base ticket. */
export function decodeTicketData(ticketData: Uint8Array): readonly Payload[] {
  const reader = new ByteReader(ticketData, 0, { mikey: mikeyError.invalidTicket });
  const { payloads } = readChain(reader, 'THDR', simplePayloadCodecs);
  reader.expectEnd('mikey.TICKET.data');
  return payloads;
}

export function encodeTicketData(payloads: readonly Payload[]): Uint8Array {
  const writer = new ByteWriter();
  writeChain(writer, payloads, simplePayloadCodecs);
  return writer.finish();
}

/** Vi and Vr. */
export function decodeInitiatorData(initiatorData: Uint8Array): readonly Payload[] {
  const reader = new ByteReader(initiatorData, 0, { mikey: mikeyError.invalidTicket });
  return readNamedChain(reader, simplePayloadCodecs, 'mikey.TICKET.initiatorData').payloads;
}

export function encodeInitiatorData(payloads: readonly Payload[]): Uint8Array {
  const writer = new ByteWriter();
  writeNamedChain(writer, payloads, simplePayloadCodecs);
  return writer.finish();
}

/** The key data sub-payloads of a decrypted KEMAC. */
export function decodeKeyData(plaintext: Uint8Array): readonly Payload[] {
  const reader = new ByteReader(plaintext, 0, hint);
  const { payloads } = readChain(reader, 'KEY_DATA', { KEY_DATA: simplePayloadCodecs.KEY_DATA });
  reader.expectEnd('mikey.KEMAC.data');
  return payloads;
}

export function encodeKeyData(keys: readonly Payload[]): Uint8Array {
  const writer = new ByteWriter();
  writeChain(writer, keys, { KEY_DATA: simplePayloadCodecs.KEY_DATA });
  return writer.finish();
}
