import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProtocolError } from '../../../src/base/errors.ts';
import {
  locateLimits,
  locateServer,
  type NaptrEntry,
  type ServerPlace,
  type ServerQuestion,
  type SipDns,
} from '../../../src/protocol/sip/locate.ts';
import { isTlsProtocol } from '../../../src/protocol/sip/sip-protocol.ts';
import { orderSrv, type SrvEntry } from '../../../src/protocol/sip/srv-order.ts';
import { seededRandom } from '../../support/seeded-random.ts';

interface Zone {
  readonly naptr?: Readonly<Record<string, readonly NaptrEntry[]>>;
  readonly srv?: Readonly<Record<string, readonly SrvEntry[]>>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  /** Questions that get no answer, as `type name`. */
  readonly broken?: readonly string[];
}

const naptr = (order: number, preference: number, service: string, replacement: string, flags = 's'): NaptrEntry => ({
  order,
  preference,
  flags,
  service,
  regexp: '',
  replacement,
});
const srv = (priority: number, weight: number, port: number, target: string): SrvEntry => ({
  priority,
  weight,
  port,
  target,
});

function dnsOf(zone: Zone): SipDns & { readonly asked: string[] } {
  const asked: string[] = [];
  const answer =
    <T>(type: string, table: Readonly<Record<string, readonly T[]>> = {}) =>
    async (name: string): Promise<readonly T[]> => {
      asked.push(`${type} ${name}`);
      await Promise.resolve();
      if (zone.broken?.includes(`${type} ${name}`) === true) throw new Error('SERVFAIL');
      return table[name] ?? [];
    };
  return {
    asked,
    naptr: answer('NAPTR', zone.naptr),
    srv: answer('SRV', zone.srv),
    addresses: answer('A', zone.addresses),
  };
}

const text = ({ protocol, address, port, host }: ServerPlace): string => `${protocol} ${address}:${port} ${host}`;

async function locate(question: ServerQuestion, zone: Zone = {}): Promise<string[]> {
  return (await locateServer(question, dnsOf(zone), seededRandom())).map(text);
}

/** The domain of RFC 3263 section 4.1, with everything that this client knows. */
const full: Zone = {
  naptr: {
    'example.com': [
      naptr(100, 50, 'SIP+D2U', '_sip._udp.example.com'),
      naptr(90, 50, 'SIP+D2T', '_sip._tcp.example.com'),
      naptr(50, 60, 'SIPS+D2W', '_sips._ws.example.com'),
      naptr(50, 50, 'SIPS+D2T', '_sips._tcp.example.com'),
      naptr(10, 10, 'SIP+D2S', '_sip._sctp.example.com'),
      naptr(110, 10, 'sip+d2w', '_sip._ws.example.com'),
    ],
  },
  srv: {
    '_sips._tcp.example.com': [srv(1, 1, 5061, 'server2.example.com'), srv(0, 1, 5071, 'server1.example.com')],
    '_sips._ws.example.com': [srv(0, 0, 8443, 'web.example.com')],
    '_sip._tcp.example.com': [srv(0, 1, 5060, 'server1.example.com')],
    '_sip._udp.example.com': [srv(0, 1, 5060, 'server1.example.com')],
    '_sip._ws.example.com': [srv(0, 0, 8080, 'web.example.com')],
  },
  addresses: {
    'server1.example.com': ['2001:db8::1', '192.0.2.1'],
    'server2.example.com': ['192.0.2.2'],
    'web.example.com': ['192.0.2.3'],
    'example.com': ['192.0.2.9'],
  },
};
const protectedPlaces = [
  'tls 2001:db8::1:5071 server1.example.com',
  'tls 192.0.2.1:5071 server1.example.com',
  'tls 192.0.2.2:5061 server2.example.com',
  'wss 192.0.2.3:8443 web.example.com',
];

describe('locating a SIP server (RFC 3263)', () => {
  const cases: readonly [string, ServerQuestion, Zone, readonly string[]][] = [
    ['numeric, nothing said: TLS', { host: '192.0.2.1' }, {}, ['tls 192.0.2.1:5061 192.0.2.1']],
    ['numeric, anything goes: UDP', { host: '192.0.2.1', security: 'any' }, {}, ['udp 192.0.2.1:5060 192.0.2.1']],
    ['numeric IPv6', { host: '[2001:db8::1]', protocol: 'udp' }, {}, ['udp 2001:db8::1:5060 2001:db8::1']],
    ['numeric, ws', { host: '192.0.2.1', protocol: 'ws' }, {}, ['ws 192.0.2.1:80 192.0.2.1']],
    ['numeric, wss and port', { host: '192.0.2.1', protocol: 'wss', port: 8443 }, {}, ['wss 192.0.2.1:8443 192.0.2.1']],
    ['a port: no records but addresses', { host: 'example.com', port: 5071 }, full, ['tls 192.0.2.9:5071 example.com']],
    [
      'a port, anything goes: UDP',
      { host: 'example.com', port: 5070, security: 'any' },
      full,
      ['udp 192.0.2.9:5070 example.com'],
    ],
    ['protected services by order and preference', { host: 'example.com' }, full, protectedPlaces],
    ['the name as it may be written', { host: 'Example.COM.' }, full, protectedPlaces],
    [
      'every service by order and preference, when anything goes',
      { host: 'example.com', security: 'any' },
      full,
      [
        ...protectedPlaces,
        'tcp 2001:db8::1:5060 server1.example.com',
        'tcp 192.0.2.1:5060 server1.example.com',
        'udp 2001:db8::1:5060 server1.example.com',
        'udp 192.0.2.1:5060 server1.example.com',
        'ws 192.0.2.3:8080 web.example.com',
      ],
    ],
    [
      'a protocol: its SRV records, without NAPTR',
      { host: 'example.com', protocol: 'tcp' },
      full,
      ['tcp 2001:db8::1:5060 server1.example.com', 'tcp 192.0.2.1:5060 server1.example.com'],
    ],
    [
      'a protocol without SRV records: the name at the default port',
      { host: 'example.com', protocol: 'wss' },
      { addresses: { 'example.com': ['192.0.2.9'] } },
      ['wss 192.0.2.9:443 example.com'],
    ],
    ['no NAPTR: SRV of what is protected', { host: 'example.com' }, { ...full, naptr: {} }, protectedPlaces],
    [
      'no NAPTR, anything goes: the protected ones first',
      { host: 'example.com', security: 'any' },
      {
        srv: {
          '_sip._udp.example.com': [srv(0, 0, 5060, 'a.example.com')],
          '_sips._tcp.example.com': [srv(0, 0, 5061, 'a.example.com')],
        },
        addresses: { 'a.example.com': ['192.0.2.1'] },
      },
      ['tls 192.0.2.1:5061 a.example.com', 'udp 192.0.2.1:5060 a.example.com'],
    ],
    [
      'no records: the name itself by TLS',
      { host: 'example.com' },
      { addresses: { 'example.com': ['192.0.2.9', '2001:db8::9'] } },
      ['tls 192.0.2.9:5061 example.com', 'tls 2001:db8::9:5061 example.com'],
    ],
    [
      'no records, anything goes: the name itself by UDP, then TCP',
      { host: 'example.com', security: 'any' },
      { addresses: { 'example.com': ['192.0.2.9'] } },
      ['udp 192.0.2.9:5060 example.com', 'tcp 192.0.2.9:5060 example.com'],
    ],
    [
      'NAPTR to an address record',
      { host: 'example.com' },
      {
        naptr: { 'example.com': [naptr(1, 1, 'SIPS+D2T', 'edge.example.net', 'a')] },
        addresses: { 'edge.example.net': ['192.0.2.4'] },
      },
      ['tls 192.0.2.4:5061 edge.example.net'],
    ],
    [
      'records that mean nothing are passed over',
      { host: 'example.com' },
      {
        naptr: {
          'example.com': [
            naptr(1, 1, 'SIPS+D2T', '', 's'),
            naptr(1, 2, 'SIPS+D2T', 'a b', 's'),
            naptr(1, 3, 'SIPS+D2T', '_sips._tcp.example.com', 'u'),
            { ...naptr(1, 4, 'SIPS+D2T', '_sips._tcp.example.com'), regexp: '!x!y!' },
          ],
        },
        srv: {
          '_sips._tcp.example.com': [
            srv(0, 0, 0, 'a.example.com'),
            srv(0, 0, 70000, 'a.example.com'),
            srv(0, 0, 5061, '192.0.2.1'),
            srv(1, 0, 5061, 'a.example.com'),
          ],
        },
        addresses: { 'a.example.com': ['192.0.2.1'] },
      },
      ['tls 192.0.2.1:5061 a.example.com'],
    ],
    [
      'a resolver that fails for NAPTR and SRV is no reason to give up',
      { host: 'example.com' },
      { addresses: { 'example.com': ['192.0.2.9'] }, broken: ['NAPTR example.com', 'SRV _sips._tcp.example.com'] },
      ['tls 192.0.2.9:5061 example.com'],
    ],
  ];
  it.each(cases)('%s', async (_, question, zone, expected) => {
    expect(await locate(question, zone)).toEqual(expected);
  });

  it('asks nothing of DNS for an address, and no NAPTR or SRV with a port', async () => {
    const dns = dnsOf(full);
    await locateServer({ host: '192.0.2.1' }, dns, seededRandom());
    expect(dns.asked).toEqual([]);
    await locateServer({ host: 'example.com', port: 5061 }, dns, seededRandom());
    expect(dns.asked).toEqual(['A example.com']);
  });

  it('never falls to an unprotected protocol because the records say so', async () => {
    const onlyUdp: Zone = {
      naptr: { 'example.com': [naptr(1, 1, 'SIP+D2U', '_sip._udp.example.com')] },
      srv: { '_sip._udp.example.com': [srv(0, 0, 5060, 'a.example.com')] },
      addresses: { 'a.example.com': ['192.0.2.1'] },
    };
    await expect(locate({ host: 'example.com' }, onlyUdp)).rejects.toMatchObject({ field: 'sip.locate' });
    await expect(locate({ host: 'example.com', protocol: 'wss' }, onlyUdp)).rejects.toMatchObject({
      field: 'sip.locate',
    });
    await expect(locate({ host: 'example.com', protocol: 'udp', security: 'tls-only' })).rejects.toMatchObject({
      kind: 'policy-denied',
      field: 'sip.locate.security',
    });
  });

  it('keeps that rule, the question’s protocol and the limits for any zone', async () => {
    const name = fc.constantFrom(
      'example.com',
      'a.test',
      '.',
      '',
      'x y',
      '_sip._udp.example.com',
      '_sips._tcp.example.com',
    );
    const service = fc.constantFrom('SIP+D2U', 'SIP+D2T', 'SIPS+D2T', 'SIP+D2W', 'SIPS+D2W', 'SIP+D2S', '');
    const number = fc.nat(3);
    const naptrs = fc.array(
      fc.tuple(number, number, service, name, fc.constantFrom('s', 'a', 'u', '')).map((parts) => naptr(...parts)),
      { maxLength: 40 },
    );
    const srvs = fc.array(
      fc.tuple(number, fc.nat(65535), fc.nat(65536), name).map((parts) => srv(...parts)),
      { maxLength: 40 },
    );
    const found = fc.array(fc.ipV4(), { maxLength: 12 });
    const question = fc.record(
      {
        host: fc.constant('example.com'),
        protocol: fc.constantFrom('udp', 'tcp', 'tls', 'ws', 'wss'),
        security: fc.constantFrom('tls-only', 'any'),
      },
      { requiredKeys: ['host'] },
    ) as fc.Arbitrary<ServerQuestion>;
    await fc.assert(
      fc.asyncProperty(question, naptrs, srvs, found, async (asked, naptrRecords, srvRecords, addresses) => {
        const dns: SipDns = {
          naptr: () => Promise.resolve(naptrRecords),
          srv: () => Promise.resolve(srvRecords),
          addresses: () => Promise.resolve(addresses),
        };
        const places = await locateServer(asked, dns, seededRandom()).catch((error: unknown) => {
          expect((error as ProtocolError).field).toMatch(/^sip\.locate/);
          return [];
        });
        expect(places.length).toBeLessThanOrEqual(locateLimits.places);
        for (const { protocol } of places) {
          if (asked.protocol !== undefined) expect(protocol).toBe(asked.protocol);
          else if (asked.security !== 'any') expect(isTlsProtocol(protocol)).toBe(true);
        }
      }),
      { seed: 3263 },
    );
  });

  it('says that a service is not offered, that nothing is there, and why nothing can be told', async () => {
    const closed: Zone = {
      srv: { '_sips._tcp.example.com': [srv(0, 0, 0, '.')] },
      addresses: { 'example.com': ['192.0.2.9'] },
    };
    await expect(locate({ host: 'example.com', protocol: 'tls' }, closed)).rejects.toMatchObject({
      field: 'sip.locate',
    });
    await expect(locate({ host: 'nowhere.test' })).rejects.toThrow(/has no address/);
    await expect(locate({ host: 'broken.test' }, { broken: ['A broken.test'] })).rejects.toMatchObject({
      field: 'sip.locate',
      cause: expect.objectContaining({ message: 'SERVFAIL' }) as Error,
    });
    await expect(locate({ host: 'not a host' })).rejects.toMatchObject({ kind: 'local', field: 'sip.locate.host' });
  });
});

describe('the order of SRV records (RFC 2782)', () => {
  it('keeps every record once, by priority', () => {
    const entries = fc.array(fc.tuple(fc.nat(3), fc.nat(65535)), { maxLength: 20 });
    fc.assert(
      fc.property(entries, fc.string(), (pairs, seed) => {
        const given = pairs.map(([priority, weight], index) => srv(priority, weight, index + 1, 'a.test'));
        const ordered = orderSrv(given, seededRandom(seed));
        expect(ordered.map(({ priority }) => priority)).toEqual(
          pairs.map(([priority]) => priority).sort((a, b) => a - b),
        );
        expect(ordered.map(({ port }) => port).sort((a, b) => a - b)).toEqual(given.map(({ port }) => port));
      }),
      { seed: 2782 },
    );
  });

  it('draws by weight', () => {
    const random = seededRandom('weights');
    const entries = [srv(0, 0, 1, 'a.test'), srv(0, 30, 2, 'a.test'), srv(0, 70, 3, 'a.test')];
    const first = { 1: 0, 2: 0, 3: 0 } as Record<number, number>;
    for (let draw = 0; draw < 2000; draw++) {
      const port = orderSrv(entries, random)[0]?.port ?? 0;
      first[port] = (first[port] ?? 0) + 1;
    }
    expect(first[3]).toBeGreaterThan(1250);
    expect(first[2]).toBeGreaterThan(450);
    expect(first[1]).toBeLessThan(60);
  });
});
