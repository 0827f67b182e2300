import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { concatBytes, fromHex, utf8 } from '../../../src/base/bytes.ts';
import { readProxyHeader, takeProxyHeader } from '../../../src/kms/http/proxy-protocol.ts';

const signature = '0d0a0d0a000d0a515549540a';
const ipv4 = fromHex(`${signature}2111000cc0000201c6336402d431 01bb`.replaceAll(' ', ''));
const ipv6 = fromHex(`${signature}2121002420010db800000000000000000000000520010db8000000000000000000000001d43101bb`);

describe('a PROXY protocol header', () => {
  it.each([
    ['IPv4', ipv4, { length: 28, source: '192.0.2.1' }],
    ['IPv6', ipv6, { length: 52, source: '2001:db8:0:0:0:0:0:5' }],
    ['LOCAL, a health check of the proxy', fromHex(`${signature}20000000`), { length: 16 }],
    ['a Unix socket', fromHex(`${signature}21310000`), { length: 16 }],
    ['version 1', utf8('PROXY TCP4 192.0.2.1 198.51.100.1 54321 443\r\n'), { length: 45, source: '192.0.2.1' }],
    [
      'version 1 and IPv6',
      utf8('PROXY TCP6 2001:db8::5 2001:db8::1 54321 443\r\n'),
      { length: 46, source: '2001:db8:0:0:0:0:0:5' },
    ],
    ['version 1 of a connection of another kind', utf8('PROXY UNKNOWN\r\n'), { length: 15 }],
    [
      'TLVs after the addresses',
      concatBytes(fromHex(`${signature}21110010c0000201c6336402d43101bb`), fromHex('04000100')),
      {
        length: 32,
        source: '192.0.2.1',
      },
    ],
  ])('with %s', (_, bytes, header) => {
    expect(readProxyHeader(bytes)).toEqual(header);
    expect(readProxyHeader(concatBytes(bytes, utf8('more')))).toEqual(header);
    for (let length = 0; length < header.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length))).toBeUndefined();
    }
  });

  it.each([
    ['the beginning of TLS', fromHex('16030100'), 'proxy.signature'],
    ['another word', utf8('POST / HTTP/1.1'), 'proxy.signature'],
    ['a line without end', utf8(`PROXY TCP4 ${'1'.repeat(100)}`), 'proxy.line'],
    ['a line without address', utf8('PROXY TCP4 nobody 198.51.100.1 1 443\r\n'), 'proxy.line'],
    ['a line of another kind', utf8('PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n'), 'proxy.line'],
    ['a line that is no ASCII', utf8('PROXY TCP4 192.0.2.\u00b2 198.51.100.1 1 443\r\n'), 'proxy.line'],
    ['another version', fromHex(`${signature}11110000`), 'proxy.command'],
    ['another command', fromHex(`${signature}22110000`), 'proxy.command'],
    ['an endless length', fromHex(`${signature}2111ffff`), 'proxy.length'],
    ['addresses that are cut', fromHex(`${signature}21110002c000`), 'proxy.source'],
    ['IPv6 addresses that are cut', fromHex(`${signature}21210003200101`), 'proxy.source'],
  ])('is not %s', (_, bytes, field) => {
    expect(() => readProxyHeader(bytes)).toThrow(expect.objectContaining({ name: 'ProtocolError', field }));
  });

  it('makes nothing but a header, a wait or a ProtocolError of any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (octets, isSigned) => {
        const bytes = isSigned ? concatBytes(fromHex(signature), octets) : octets;
        try {
          const header = readProxyHeader(bytes);
          expect(header === undefined || header.length <= bytes.length).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProtocolError', kind: 'malformed' });
        }
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});

describe('reading it from a connection', () => {
  let server: Server;
  const accepted: Socket[] = [];
  const opened: Socket[] = [];
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      accepted.push(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    for (const socket of [...accepted, ...opened]) socket.destroy();
    server.close();
  });

  async function pair(): Promise<{ client: Socket; served: Socket }> {
    const arrived = once(server, 'connection') as Promise<[Socket]>;
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => undefined);
    opened.push(client);
    const [served] = await arrived;
    return { client, served };
  }

  it('takes it in pieces and leaves what follows', async () => {
    const { client, served } = await pair();
    const taken = takeProxyHeader(served, 30_000);
    for (const octet of ipv4.subarray(0, 27)) client.write(Uint8Array.of(octet));
    client.write(concatBytes(ipv4.subarray(27), utf8('hello')));
    expect(await taken).toEqual({ length: 28, source: '192.0.2.1' });
    const [rest] = (await once(served, 'data')) as [Buffer];
    expect(rest.toString()).toBe('hello');

    const alone = await pair();
    const taking = takeProxyHeader(alone.served, 30_000);
    alone.client.write(ipv6);
    expect(await taking).toEqual({ length: 52, source: '2001:db8:0:0:0:0:0:5' });
    alone.client.write('later');
    const [later] = (await once(alone.served, 'data')) as [Buffer];
    expect(later.toString()).toBe('later');
  });

  it('refuses what is none, a connection that ends, and one that waits too long', async () => {
    const other = await pair();
    const notOne = takeProxyHeader(other.served, 30_000);
    other.client.write('GET / HTTP/1.1\r\n');
    await expect(notOne).rejects.toMatchObject({ field: 'proxy.signature' });

    const ending = await pair();
    const ended = takeProxyHeader(ending.served, 30_000);
    ending.client.end(ipv4.subarray(0, 20));
    await expect(ended).rejects.toMatchObject({ field: 'proxy.header' });

    const silent = await pair();
    await expect(takeProxyHeader(silent.served, 1)).rejects.toMatchObject({
      field: 'proxy.header',
      message: expect.stringContaining('in time') as string,
    });
  });
});
