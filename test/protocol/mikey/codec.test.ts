import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { ByteReader } from '../../../src/base/byte-reader.ts';
import { ByteWriter } from '../../../src/base/byte-writer.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { readChain, writeChain } from '../../../src/protocol/mikey/chain.ts';
import { dataTypeName } from '../../../src/protocol/mikey/code-points.ts';
import { decodeMessage, encodeMessage } from '../../../src/protocol/mikey/message.ts';
import type { Payload, PayloadName } from '../../../src/protocol/mikey/payloads.ts';
import {
  decodeInitiatorData,
  decodeTicketData,
  encodeInitiatorData,
  encodeTicketData,
  payloadCodecs,
} from '../../../src/protocol/mikey/ticket-codec.ts';
import { hex, vectors } from './vectors.ts';

const allMessages = [
  ...vectors.scenarios.flatMap(({ name, messages }) =>
    Object.entries(messages).map(([kind, message]) => ({ name: `${name} ${kind}`, message })),
  ),
  ...vectors.unit.error_messages.map(({ message }, index) => ({ name: `error ${index}`, message })),
  { name: 'RFC 3830 PSK', message: vectors.unit.rfc3830_psk['message']! },
  { name: 'RFC 3830 PSK, null', message: vectors.unit.rfc3830_psk['message_null']! },
];

const payloadNames: Readonly<Record<string, PayloadName>> = {
  Tr: 'TR',
  Id: 'ID',
  Idr: 'IDR',
  Rand: 'RAND',
  Randr: 'RANDR',
  Err: 'ERR',
  Chash: 'CHASH',
  Pke: 'PKE',
  Sign: 'SIGN',
  Sp: 'SP',
  KeyData: 'KEY_DATA',
  Kemac: 'KEMAC',
  GenExt: 'EXTENSION',
  Cert: 'CERT',
  Tp: 'TP',
  Ticket: 'TICKET',
};
const nameOf = (name: string): PayloadName => payloadNames[name] ?? (name as PayloadName);

function octetFields(payload: Payload): string[] {
  return Object.values(payload).flatMap((value: unknown) => (value instanceof Uint8Array ? [toHex(value)] : []));
}

describe('payloads', () => {
  it.each(vectors.unit.payloads)('reads and writes $payload ($hex)', ({ payload, hex: text, fields }) => {
    const reader = new ByteReader(fromHex(text));
    const chain = readChain(reader, nameOf(payload), payloadCodecs);
    expect(reader.isAtEnd).toBe(true);
    const read = chain.payloads[0]!;
    const known = octetFields(read);
    for (const field of ['value', 'data', 'mac', 'key', 'salt', 'signature', 'encr_data', 'ticket_data']) {
      const expected = fields[field];
      if (typeof expected === 'string') expect(known).toContain(expected);
    }
    const writer = new ByteWriter();
    writeChain(writer, chain.payloads, payloadCodecs);
    expect(toHex(writer.finish())).toBe(text);
  });

  it('reads every bit of a ticket policy', () => {
    const tp = vectors.unit.payloads.find(({ payload }) => payload === 'Tp')!;
    const [payload] = readChain(new ByteReader(fromHex(tp.hex)), 'TP', payloadCodecs).payloads;
    expect(payload).toMatchObject({
      policy: { ticketType: 2, subtype: 3, version: 4, prf: 1, reserved: 21, flags: { D: true, K: true, O: true } },
    });
    const ticket = vectors.unit.payloads.find(({ payload: name }) => name === 'Ticket')!;
    const [second] = readChain(new ByteReader(fromHex(ticket.hex)), 'TICKET', payloadCodecs).payloads;
    expect(second).toMatchObject({ policy: { prf: 0, flags: { D: true, E: false, H: true, N: false, O: true } } });
  });
});

describe('messages', () => {
  it.each(allMessages)('re-encodes $name to its own octets', ({ message }) => {
    expect(toHex(encodeMessage(decodeMessage(fromHex(message))))).toBe(message);
  });

  it.each(vectors.scenarios)('finds what $name holds, and where', ({ messages, decoded }) => {
    for (const [kind, { hdr, payloads }] of Object.entries(decoded)) {
      const message = decodeMessage(hex(messages[kind]));
      expect(dataTypeName(message.header.dataType)).toBe(hdr['data_type']);
      expect(message.header.csbId).toBe(hdr['csb_id']);
      expect(message.header.answerWanted).toBe(hdr['v']);
      expect(message.payloads.map(({ payload }) => payload)).toEqual(
        payloads.map(({ payload }) => nameOf(payload as string)),
      );
      expect(message.spans).toEqual(payloads.map(({ offset, length }) => ({ offset, length })));
    }
  });

  it('re-encodes the inside of tickets', () => {
    for (const { messages } of vectors.scenarios) {
      const { payloads } = decodeMessage(hex(messages['transfer_init']));
      for (const payload of payloads) {
        if (payload.payload !== 'TICKET') continue;
        expect(toHex(encodeTicketData(decodeTicketData(payload.ticketData)))).toBe(toHex(payload.ticketData));
        if (payload.initiatorData.length === 0) continue;
        const initiatorData = decodeInitiatorData(payload.initiatorData);
        expect(toHex(encodeInitiatorData(initiatorData))).toBe(toHex(payload.initiatorData));
      }
    }
  });

  it('answers any changed octet with the same octets or a typed error', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...allMessages),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        ({ message }, position, change) => {
          const bytes = fromHex(message);
          bytes[position % bytes.length]! ^= change;
          try {
            expect(toHex(encodeMessage(decodeMessage(bytes)))).toBe(toHex(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
      { numRuns: 3000, seed: 3830 },
    );
  });

  it.each(allMessages.slice(0, 8))('refuses every truncation of $name', ({ message }) => {
    const bytes = fromHex(message);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeMessage(bytes.subarray(0, length))).toThrow(ProtocolError);
    }
  });

  it('refuses octets after the end, payloads after V, and sizes beyond the limit', () => {
    const bytes = fromHex(allMessages[0]!.message);
    expect(() => decodeMessage(Uint8Array.from([...bytes, 0]))).toThrow(/too many/);
    const { header, payloads } = decodeMessage(bytes);
    expect(() => decodeMessage(encodeMessage({ header, payloads: [...payloads, payloads[0]!] }))).toThrow(/follows V/);
    expect(() => decodeMessage(new Uint8Array(17 * 1024))).toThrow(ProtocolError);
  });

  it('says field, offset and the number to answer with', () => {
    const bytes = fromHex(allMessages[0]!.message);
    bytes[2] = 0xee;
    expect(() => decodeMessage(bytes)).toThrow(
      expect.objectContaining({ kind: 'malformed', field: 'mikey.HDR.nextPayload', hint: { mikey: 13 } }),
    );
    expect(() => decodeMessage(fromHex('02'))).toThrow(expect.objectContaining({ field: 'mikey.HDR.version' }));
  });
});
