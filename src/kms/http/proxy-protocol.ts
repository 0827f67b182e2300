import type { Socket } from 'node:net';
import { concatBytes, equalBytes, fromAscii, utf8 } from '../../base/bytes.ts';
import { ByteReader } from '../../base/byte-reader.ts';
import { ProtocolError } from '../../base/errors.ts';
import { canonicalAddress } from './client-address.ts';

/** \r\n\r\n\0\r\nQUIT\n */
const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
/** `PROXY `, of version 1. */
const lineStart = utf8('PROXY ');
/** As the specification bounds it. */
const maxLineOctets = 107;
const headOctets = 16;
const maxBodyOctets = 4096;

export interface ProxyHeader {
  /** Octets that it takes. */
  readonly length: number;
  /** Who the proxy speaks for; absent when it speaks for itself (LOCAL) or for no IP address. */
  readonly source?: string;
}

/**
 * The header of the PROXY protocol (haproxy, doc/proxy-protocol.txt), version 2 (section 2.2)
 *
 *     signature(12) version(4 bit)|command(4 bit) family(4 bit)|transport(4 bit) length(2) addresses TLVs
 *
 * or version 1 (section 2.1), the only one that nginx writes: `PROXY TCP4 192.0.2.1 198.51.100.1 54321 443\r\n`.
 * @returns `undefined` while octets are missing.
 * @throws ProtocolError `malformed` as soon as it cannot become one.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | undefined {
  const beginsWith = (start: Uint8Array): boolean =>
    equalBytes(bytes.subarray(0, start.length), start.subarray(0, bytes.length));
  if (beginsWith(signature)) return readBinaryHeader(bytes);
  if (beginsWith(lineStart)) return readLineHeader(bytes);
  throw new ProtocolError('malformed', 'not the PROXY protocol', { field: 'proxy.signature', offset: 0 });
}

function readLineHeader(bytes: Uint8Array): ProxyHeader | undefined {
  const end = bytes.subarray(0, maxLineOctets).indexOf(0x0a);
  const wrong = (problem: string): never => {
    throw new ProtocolError('malformed', problem, {
      field: 'proxy.line',
      expected: 'PROXY TCP4 or TCP6 and addresses',
    });
  };
  if (end < 0) return bytes.length < maxLineOctets ? undefined : wrong('too long');
  const line = fromAscii(bytes.subarray(0, end), 'proxy.line');
  if (/^PROXY UNKNOWN(?: .*)?\r$/.test(line)) return { length: end + 1 };
  const [, text = ''] = /^PROXY TCP[46] (\S+) \S+ \d{1,5} \d{1,5}\r$/.exec(line) ?? [];
  return { length: end + 1, source: canonicalAddress(text) ?? wrong('no source address') };
}

function readBinaryHeader(bytes: Uint8Array): ProxyHeader | undefined {
  if (bytes.length < headOctets) return undefined;
  const reader = new ByteReader(bytes.subarray(signature.length), signature.length);
  const command = reader.u8('proxy.command');
  if (command !== 0x20 && command !== 0x21) reader.fail('proxy.command', 'unknown', 'version 2, LOCAL or PROXY');
  const family = reader.u8('proxy.family');
  const bodyLength = reader.u16('proxy.length');
  if (bodyLength > maxBodyOctets) reader.fail('proxy.length', 'too long', `at most ${maxBodyOctets} octets`);
  const length = headOctets + bodyLength;
  if (bytes.length < length) return undefined;
  const source = command === 0x21 ? sourceOf(family, reader.sub(bodyLength, 'proxy.addresses')) : undefined;
  return source === undefined ? { length } : { length, source };
}

function sourceOf(family: number, body: ByteReader): string | undefined {
  switch (family >> 4) {
    case 1:
      return [...body.bytes(4, 'proxy.source')].join('.');
    case 2:
      return Array.from({ length: 8 }, () => body.u16('proxy.source').toString(16)).join(':');
    default:
      return undefined;
  }
}

/**
 * Reads the header from a connection and leaves all that follows in it.
 * Rejects when it is none, when the connection ends first, or when it is not complete in time.
 */
export function takeProxyHeader(socket: Socket, timeoutMilliseconds: number): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => {
    let held: Uint8Array = new Uint8Array();
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      socket.off('readable', read).off('end', ended).off('close', ended).off('error', ended);
      settle();
    };
    const fail = (problem: string): void =>
      finish(() => reject(new ProtocolError('peer-misbehaved', problem, { field: 'proxy.header' })));
    const ended = (): void => fail('the connection ended');
    const read = (): void => {
      const chunk = socket.read() as Uint8Array | null;
      if (chunk === null) return;
      held = concatBytes(held, chunk);
      let header: ProxyHeader | undefined;
      try {
        header = readProxyHeader(held);
      } catch (error) {
        finish(() => reject(error instanceof Error ? error : new Error(String(error))));
        return;
      }
      if (header === undefined) return;
      const rest = held.subarray(header.length);
      const made = header;
      finish(() => {
        if (rest.length > 0) socket.unshift(rest);
        resolve(made);
      });
    };
    const timer = setTimeout(() => fail('no header in time'), timeoutMilliseconds);
    socket.on('readable', read).on('end', ended).on('close', ended).on('error', ended);
    read();
  });
}
