import type { Socket } from 'node:net';
import { concatBytes, equalBytes } from '../../base/bytes.ts';
import { ByteReader } from '../../base/byte-reader.ts';
import { ProtocolError } from '../../base/errors.ts';

/** \r\n\r\n\0\r\nQUIT\n */
const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const headOctets = 16;
const maxBodyOctets = 4096;

export interface ProxyHeader {
  /** Octets that it takes. */
  readonly length: number;
  /** Who the proxy speaks for; absent when it speaks for itself (LOCAL) or for no IP address. */
  readonly source?: string;
}

/**
 * The header of the PROXY protocol, version 2 (haproxy, doc/proxy-protocol.txt section 2.2):
 *
 *     signature(12) version(4 bit)|command(4 bit) family(4 bit)|transport(4 bit) length(2) addresses TLVs
 *
 * @returns `undefined` while octets are missing.
 * @throws ProtocolError `malformed` or `unsupported` as soon as it cannot become one.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | undefined {
  if (!equalBytes(bytes.subarray(0, signature.length), signature.subarray(0, bytes.length))) {
    throw new ProtocolError('malformed', 'not the PROXY protocol', { field: 'proxy.signature', offset: 0 });
  }
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
