import { isIP } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isIpv4, isIpv6, readHost } from '../../../src/protocol/sip/host.ts';

const addresses = [
  '192.0.2.1',
  '0.0.0.0',
  '255.255.255.255',
  '256.0.0.1',
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '1.2.3.',
  '::',
  '::1',
  '1::',
  '2001:db8::1',
  '2001:db8:0:0:0:0:0:1',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7',
  '1::2::3',
  '1:2:3:4:5:6:7::',
  '::ffff:192.0.2.1',
  '1:2:3:4:5:6:192.0.2.1',
  '::192.0.2.256',
  '12345::',
  'g::1',
  'fe80::1%eth0',
  ':1',
  '1:',
  '',
];

describe('hosts', () => {
  it.each(addresses)('%j is the address that Node takes it for', (text) => {
    expect(isIpv4(text) ? 4 : isIpv6(text) ? 6 : 0).toBe(isIP(text));
  });

  it.each([
    ['Example.ORG.', { kind: 'name', name: 'example.org' }],
    ['_sips._tcp.example.org', { kind: 'name', name: '_sips._tcp.example.org' }],
    ['localhost', { kind: 'name', name: 'localhost' }],
    ['192.0.2.1', { kind: 'address', address: '192.0.2.1' }],
    ['[2001:db8::1]', { kind: 'address', address: '2001:db8::1' }],
    ['2001:db8::1', { kind: 'address', address: '2001:db8::1' }],
  ])('reads %s', (text, host) => expect(readHost(text, 'x')).toEqual(host));

  it.each([
    '',
    '.',
    'a..b',
    '-a.test',
    'a-.test',
    'a b',
    'a@b.test',
    '[192.0.2.1]',
    '1.2.3',
    `${'a'.repeat(64)}.test`,
    'a/b',
  ])('refuses %j', (text) =>
    expect(() => readHost(text, 'server.host')).toThrow(expect.objectContaining({ field: 'server.host' })),
  );
});
