import { createSocket } from 'node:dgram';
import { ByteWriter } from '../../../../src/base/byte-writer.ts';
import { concatBytes, utf8 } from '../../../../src/base/bytes.ts';
import { closeAfterTest } from './sip-servers.ts';

export type DnsRecord =
  | { readonly type: 'A'; readonly octets: readonly number[] }
  | { readonly type: 'AAAA'; readonly octets: readonly number[] }
  | {
      readonly type: 'SRV';
      readonly numbers: readonly [priority: number, weight: number, port: number];
      readonly target: string;
    }
  | {
      readonly type: 'NAPTR';
      readonly order: number;
      readonly preference: number;
      readonly texts: readonly [flags: string, service: string, regexp: string];
      readonly replacement: string;
    };

/** By name in lower case; `silence` gives no answer, `failure` says SERVFAIL. Names that are not there do not exist. */
export type DnsZone = Readonly<Record<string, readonly DnsRecord[] | 'silence' | 'failure'>>;

const typeNumbers = { A: 1, SRV: 33, AAAA: 28, NAPTR: 35 } as const;
const codes = { none: 0, failure: 2, noSuchName: 3 } as const;

/** A DNS server over UDP (RFC 1035) on a free port. @returns its address for `Resolver.setServers`. */
export async function startDnsServer(zone: DnsZone): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const answer = answerTo(Uint8Array.from(query), zone);
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  closeAfterTest(() => socket.close());
  return `127.0.0.1:${socket.address().port}`;
}

function answerTo(query: Uint8Array, zone: DnsZone): Uint8Array | undefined {
  const { name, type, end } = question(query);
  const known = zone[name];
  if (known === 'silence') return undefined;
  const records = Array.isArray(known) ? (known as readonly DnsRecord[]) : [];
  const found = records.filter((record) => typeNumbers[record.type] === type);
  const code = known === 'failure' ? codes.failure : known === undefined ? codes.noSuchName : codes.none;
  const header = new ByteWriter()
    .bytes(query.subarray(0, 2))
    .u16(0x8580 | code)
    .u16(1)
    .u16(found.length)
    .u32(0)
    .finish();
  const answers = found.map((record) => {
    const data = dataOf(record);
    // 0xc00c points to the name of the question.
    return new ByteWriter().u16(0xc00c).u16(type).u16(1).u32(60).u16(data.length).bytes(data).finish();
  });
  return concatBytes(header, query.subarray(12, end), ...answers);
}

function question(query: Uint8Array): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(Buffer.from(query.subarray(at + 1, at + 1 + length)).toString());
    at += 1 + length;
  }
  const type = ((query[at + 1] ?? 0) << 8) | (query[at + 2] ?? 0);
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 };
}

function dataOf(record: DnsRecord): Uint8Array {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return Uint8Array.from(record.octets);
    case 'SRV': {
      const [priority, weight, port] = record.numbers;
      return new ByteWriter().u16(priority).u16(weight).u16(port).bytes(nameOctets(record.target)).finish();
    }
    case 'NAPTR': {
      const writer = new ByteWriter().u16(record.order).u16(record.preference);
      for (const text of record.texts) writer.u8(text.length).bytes(utf8(text));
      return writer.bytes(nameOctets(record.replacement)).finish();
    }
  }
}

function nameOctets(name: string): Uint8Array {
  const labels = name === '.' || name === '' ? [] : name.split('.');
  return concatBytes(...labels.map((label) => concatBytes(Uint8Array.of(label.length), utf8(label))), Uint8Array.of(0));
}
