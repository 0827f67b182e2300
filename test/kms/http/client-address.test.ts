import { describe, expect, it } from 'vitest';

import {
  canonicalAddress,
  forwardedAddress,
  limitKeyOf,
  TrustedProxies,
} from '../../../src/kms/http/client-address.ts';

describe('an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0:0:0:0:1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0:0:ffff::', '2001:db8:0:0:ffff:0:0:0', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1:0:0:0:1', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0:0:0:0:1', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['::', '0:0:0:0:0:0:0:0', '0:0:0:0::/64'],
  ])('%s has one form, and limits count by host or by /64', (text, canonical, key) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(limitKeyOf(text)).toBe(key);
  });

  it.each(['', 'unknown', '192.0.2', '192.0.2.1:80', '[::1]', '1.2.3.4, 5.6.7.8', '010.1.1.1'])(
    'is not "%s", which all share one place',
    (text) => {
      expect(canonicalAddress(text)).toBeUndefined();
      expect(limitKeyOf(text)).toBe('unknown');
    },
  );
});

describe('trusted proxies', () => {
  const proxies = new TrustedProxies(['10.0.0.7', '10.1.0.0/16', 'fd00:1::/64']);

  it.each([
    ['10.0.0.7', true],
    ['::ffff:10.0.0.7', true],
    ['10.0.0.8', false],
    ['10.1.255.255', true],
    ['fd00:1::beef', true],
    ['fd00:2::beef', false],
    ['nonsense', false],
  ])('%s: %s', (address, isTrusted) => {
    expect(proxies.has(address)).toBe(isTrusted);
  });

  it.each(['10.0.0.0/33', 'fd00::/129', '10.0.0', 'balancer.example', '10.0.0.0/8/9', '10.0.0.0/x', '::1/'])(
    'refuses "%s" and names the entry',
    (entry) => {
      expect(() => new TrustedProxies(['10.0.0.7', entry])).toThrow(
        expect.objectContaining({ name: 'ProtocolError', kind: 'local', field: 'trustedProxies.1' }),
      );
    },
  );

  it.each([
    ['nothing from a stranger', '192.0.2.9', '203.0.113.1', '192.0.2.9'],
    ['what a proxy saw', '10.0.0.7', '203.0.113.1', '203.0.113.1'],
    ['nothing that a client put before', '10.0.0.7', '198.51.100.66, 203.0.113.1', '203.0.113.1'],
    ['through a row of proxies', '10.0.0.7', '198.51.100.66, 203.0.113.1, 10.1.2.3', '203.0.113.1'],
    ['no nonsense', '10.0.0.7', '203.0.113.1, unknown', '10.0.0.7'],
    ['the proxy itself where it says nothing', '10.0.0.7', '', '10.0.0.7'],
    ['the last proxy where all are proxies', '10.0.0.7', '10.1.2.4, 10.1.2.3', '10.1.2.4'],
    ['IPv6', 'fd00:1::1', '2001:db8::5', '2001:db8:0:0:0:0:0:5'],
  ])('believe %s', (_, connected, header, client) => {
    expect(forwardedAddress(connected, header, proxies)).toBe(client);
  });

  it('are nobody where none is named', () => {
    expect(forwardedAddress('127.0.0.1', '203.0.113.1', new TrustedProxies([]))).toBe('127.0.0.1');
  });
});
