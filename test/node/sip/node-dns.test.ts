import { describe, expect, it } from 'vitest';
import { createNodeDns } from '../../../src/node/sip/node-dns.ts';
import { createNodeSipTransport } from '../../../src/node/sip/transport.ts';
import { startDnsServer, type DnsZone } from './support/dns-server.ts';

const zone: DnsZone = {
  'example.test': [
    { type: 'NAPTR', order: 20, preference: 1, texts: ['s', 'SIP+D2U', ''], replacement: '_sip._udp.example.test' },
    { type: 'NAPTR', order: 10, preference: 1, texts: ['s', 'SIPS+D2T', ''], replacement: '_sips._tcp.example.test' },
  ],
  '_sips._tcp.example.test': [
    { type: 'SRV', numbers: [2, 0, 5063], target: 'second.example.test' },
    { type: 'SRV', numbers: [1, 10, 5062], target: 'first.example.test' },
  ],
  '_sip._udp.example.test': [{ type: 'SRV', numbers: [0, 0, 5060], target: 'first.example.test' }],
  'first.example.test': [
    { type: 'A', octets: [192, 0, 2, 1] },
    { type: 'AAAA', octets: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] },
  ],
  'second.example.test': [{ type: 'A', octets: [192, 0, 2, 2] }],
  'closed.test': [{ type: 'SRV', numbers: [0, 0, 0], target: '.' }],
  'silent.test': 'silence',
  'failing.test': 'failure',
};

describe('DNS of Node', () => {
  it('finds a server by the records of a real DNS server', async () => {
    const dns = createNodeDns({ servers: [await startDnsServer(zone)], timeoutMilliseconds: 60_000 });
    const transport = createNodeSipTransport({ dns });
    const places = async (security: 'tls-only' | 'any') =>
      (await transport.locate({ host: 'example.test', security })).map(
        ({ protocol, address, port, host }) => `${protocol} ${address} ${port} ${host}`,
      );
    const protectedPlaces = [
      'tls 2001:db8::1 5062 first.example.test',
      'tls 192.0.2.1 5062 first.example.test',
      'tls 192.0.2.2 5063 second.example.test',
    ];
    expect(await places('tls-only')).toEqual(protectedPlaces);
    expect(await places('any')).toEqual([
      ...protectedPlaces,
      'udp 2001:db8::1 5060 first.example.test',
      'udp 192.0.2.1 5060 first.example.test',
    ]);
  });

  it('makes hops that keep what the account demands', async () => {
    const dns = createNodeDns({ servers: [await startDnsServer(zone)], timeoutMilliseconds: 60_000 });
    const transport = createNodeSipTransport({ dns });
    const [hop] = await transport.locate({ host: 'Example.test', trustedCa: 'PEM', trust: 'pin-on-first-use' });
    // What is proven is the name that the user asked for, not that of the record.
    expect(hop).toMatchObject({
      host: 'first.example.test',
      security: { serverName: 'Example.test', trust: 'pin-on-first-use', trustedCa: 'PEM' },
    });
    const [clear] = await transport.locate({ host: 'example.test', protocol: 'udp' });
    expect(clear).not.toHaveProperty('security');
  });

  it('tells no such name and no such record from no answer', async () => {
    const servers = [await startDnsServer(zone)];
    const dns = createNodeDns({ servers, timeoutMilliseconds: 60_000 });
    expect(await dns.naptr('nowhere.test')).toEqual([]);
    expect(await dns.srv('example.test')).toEqual([]);
    expect(await dns.addresses('example.test')).toEqual([]);
    expect(await dns.srv('closed.test')).toEqual([{ priority: 0, weight: 0, port: 0, target: '' }]);
    await expect(dns.naptr('failing.test')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    await expect(dns.addresses('failing.test')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    const hasty = createNodeDns({ servers, timeoutMilliseconds: 100 });
    await expect(hasty.srv('silent.test')).rejects.toThrow(/ETIMEOUT|no answer/);
  });

  it('looks addresses up as this machine does where no servers are set', async () => {
    expect(await createNodeDns().addresses('localhost')).toEqual(
      expect.arrayContaining([expect.stringMatching(/^(?:127\.0\.0\.1|::1)$/)]),
    );
  });
});
