import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';

import { concatBytes, fromHex, toBase64 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createAdmission, defaultLimits, type KmsLimits } from '../../../src/kms/http/limits.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { askFor, authority, person, post, secured, startDomain, stopDomains, type Domain } from './support/domain.ts';

const alice = person('alice@a.test');
const bob = person('bob@a.test');
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(stopDomains);

async function start(
  limits: Partial<KmsLimits>,
  server: Parameters<typeof startDomain>[0]['server'] = {},
): Promise<{
  domain: Domain;
  clock: FakeClock;
  ask: (who: typeof alice, headers?: Record<string, string>) => Promise<number>;
}> {
  const clock = new FakeClock(Date.now());
  const all = { ...defaultLimits, ...limits };
  const domain = await startDomain({
    name: 'a.test',
    people: [alice, bob],
    clock,
    service: { admission: createAdmission(all) },
    server: { limits: all, management: { host: '127.0.0.1', port: 0 }, ...server },
  });
  const ask = async (who: typeof alice, headers: Record<string, string> = {}) => {
    const { message } = askFor(who, domain.kms, [bob], 'session', clock.now());
    return (await post(domain.url, 'ticketrequest', message, { headers })).status;
  };
  return { domain, clock, ask };
}

const metric = async ({ server }: Domain, line: string): Promise<number> => {
  const text = await (await fetch(`${server.managementUrl!}/metrics`)).text();
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1));
};

describe('a user who asks too often', () => {
  it('gets 429 with the time to wait, nobody else does, and the same question is good later', async () => {
    const { domain, clock, ask } = await start({ perUser: { perSecond: 0.5, burst: 2 } });
    expect([await ask(alice), await ask(alice)]).toEqual([200, 200]);
    const { message } = askFor(alice, domain.kms, [bob], 'session', clock.now());
    const limited = await post(domain.url, 'ticketrequest', message);
    expect(limited.status).toBe(429);
    expect(limited.headers['retry-after']).toBe('2');
    expect(limited.body).toHaveLength(0);
    expect(await ask(bob)).toBe(200);
    clock.advance(2000);
    expect((await post(domain.url, 'ticketrequest', message)).status).toBe(200);
    expect(await metric(domain, 'tessera_kms_limited_total{scope="user"}')).toBe(1);
    expect((await domain.audit()).filter(({ outcome }) => outcome === 'limited')).toMatchObject([{ user: alice.uri }]);
  });

  it('is counted only when proven: others cannot use it up', async () => {
    const { ask } = await start({ perUser: { perSecond: 0.01, burst: 1 } });
    const pretender = { ...alice, psk: new SecretBytes(new Uint8Array(32)) };
    for (let count = 0; count < 5; count++) expect(await ask(pretender)).toBe(401);
    expect(await ask(alice)).toBe(200);
    expect(await ask(alice)).toBe(429);
  });
});

describe('an address that asks too often', () => {
  it('gets 429 before its question is read', async () => {
    const { domain, clock, ask } = await start({ perAddress: { perSecond: 0.1, burst: 2 } });
    const handle = vi.spyOn(domain.service, 'handle');
    expect([await ask(alice), await ask(bob)]).toEqual([200, 200]);
    const limited = await post(domain.url, 'ticketrequest', Uint8Array.of(1, 2, 3));
    expect(limited.status).toBe(429);
    expect(limited.headers['retry-after']).toBe('10');
    expect(handle).toHaveBeenCalledTimes(2);
    clock.advance(10_000);
    expect(await ask(alice)).toBe(200);
    expect(await metric(domain, 'tessera_kms_limited_total{scope="address"}')).toBe(1);
  });

  it('is the one that a trusted proxy names, IPv6 by its /64', async () => {
    const { domain, ask } = await start(
      { perAddress: { perSecond: 0.1, burst: 1 } },
      { trustedProxies: ['127.0.0.0/8'] },
    );
    const from = (address: string) => ask(alice, { 'X-Forwarded-For': address });
    expect(await from('203.0.113.1')).toBe(200);
    expect(await from('203.0.113.1')).toBe(429);
    expect(await from('198.51.100.9, 203.0.113.1')).toBe(429);
    expect(await from('203.0.113.2')).toBe(200);
    expect(await from('2001:db8:1:2::1')).toBe(200);
    expect(await from('2001:db8:1:2:ffff::9')).toBe(429);
    expect(await from('2001:db8:1:3::1')).toBe(200);
    expect((await domain.audit()).map(({ address }) => address)).toContain('203.0.113.2');
  });

  it('is its own where nobody is trusted', async () => {
    const { domain, ask } = await start({ perAddress: { perSecond: 0.1, burst: 1 } });
    expect(await ask(alice, { 'X-Forwarded-For': '203.0.113.1' })).toBe(200);
    expect(await ask(alice, { 'X-Forwarded-For': '203.0.113.2' })).toBe(429);
    expect((await domain.audit()).at(-1)).toMatchObject({ address: '127.0.0.1' });
  });
});

describe('an address with too many connections', () => {
  async function open(domain: Domain): Promise<TLSSocket> {
    const { hostname, port } = new URL(domain.url);
    const socket = connectTls({ host: hostname, port: Number(port), ca: (await authority).certificatePem });
    sockets.push(socket);
    await secured(socket);
    return socket;
  }

  it('gets no more before TLS begins, until one has ended', async () => {
    const { domain, ask } = await start({ connectionsPerAddress: 2 });
    const first = await open(domain);
    await open(domain);
    await expect(open(domain)).rejects.toThrow('turned away');
    await expect(ask(alice)).rejects.toThrow();
    expect(await metric(domain, 'tessera_kms_limited_total{scope="connections"}')).toBe(2);
    expect(await metric(domain, 'tessera_kms_open_connections{listener="public"}')).toBe(2);
    first.destroy();
    await vi.waitFor(async () => expect(await ask(alice)).toBe(200), { timeout: 30_000 });
  });

  it('opens no more of them at a time than its rate allows', async () => {
    const { domain, clock, ask } = await start({ newConnectionsPerAddress: { perSecond: 0.1, burst: 1 } });
    expect(await ask(alice)).toBe(200);
    await expect(ask(alice)).rejects.toThrow();
    expect(await metric(domain, 'tessera_kms_limited_total{scope="connection-rate"}')).toBe(1);
    clock.advance(10_000);
    expect(await ask(alice)).toBe(200);
  });

  it('finds no room where everybody together has too many', async () => {
    const { domain, ask } = await start({}, { maxConnections: 1 });
    await open(domain);
    await expect(ask(alice)).rejects.toThrow();
    expect(await metric(domain, 'tessera_kms_limited_total{scope="connections"}')).toBe(1);
  });

  it('may be a trusted proxy, which speaks for many', async () => {
    const { ask } = await start(
      { newConnectionsPerAddress: { perSecond: 0.1, burst: 1 }, connectionsPerAddress: 1 },
      { trustedProxies: ['127.0.0.1'] },
    );
    expect([await ask(alice), await ask(alice), await ask(bob)]).toEqual([200, 200, 200]);
  });
});

describe('behind a proxy with the PROXY protocol', () => {
  const signature = '0d0a0d0a000d0a515549540a';
  const from = (address: string): Uint8Array =>
    concatBytes(
      fromHex(`${signature}2111000c`),
      Uint8Array.from(address.split('.').map(Number)),
      Uint8Array.of(127, 0, 0, 1, 0x80, 0, 1, 0xbb),
    );
  const local = fromHex(`${signature}20000000`);

  /** A TLS connection whose first octets are a header. */
  async function through({ url }: Domain, header: Uint8Array): Promise<TLSSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(header);
    const tls = connectTls({ socket, ca: (await authority).certificatePem, servername: 'kms.a.test' });
    sockets.push(tls);
    await secured(tls);
    return tls;
  }

  async function statusOver(socket: TLSSocket, message: Uint8Array): Promise<number> {
    const body = toBase64(message);
    socket.write(
      `POST ${profile.kms.path}?requesttype=ticketrequest HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n` +
        `Content-Type: application/mikey\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
  }

  const proxied = (limits: Partial<KmsLimits> = {}) =>
    start(limits, { trustedProxies: ['127.0.0.1'], proxyProtocol: true });

  it('takes the address from the header', async () => {
    const { domain, clock } = await proxied();
    const { message } = askFor(alice, domain.kms, [bob], 'session', clock.now());
    expect(await statusOver(await through(domain, from('203.0.113.7')), message)).toBe(200);
    expect((await domain.audit()).at(-1)).toMatchObject({ address: '203.0.113.7' });
  });

  it('limits by that address', async () => {
    const { domain, clock } = await proxied({ connectionsPerAddress: 1, perAddress: { perSecond: 0.1, burst: 1 } });
    await through(domain, from('203.0.113.7'));
    await expect(through(domain, from('203.0.113.7'))).rejects.toThrow('turned away');
    const other = await through(domain, from('203.0.113.8'));
    const { message } = askFor(alice, domain.kms, [bob], 'session', clock.now());
    expect(await statusOver(other, message)).toBe(200);
    expect(await metric(domain, 'tessera_kms_limited_total{scope="connections"}')).toBe(1);
  });

  it('lets the proxy look whether it lives', async () => {
    const { domain, clock } = await proxied({ connectionsPerAddress: 1 });
    const { message } = askFor(alice, domain.kms, [bob], 'session', clock.now());
    expect(await statusOver(await through(domain, local), message)).toBe(200);
    expect((await domain.audit()).at(-1)).toMatchObject({ address: '127.0.0.1' });
  });

  it('refuses a proxy that sends none, and a stranger that sends one', async () => {
    const { domain, ask } = await proxied();
    await expect(ask(alice)).rejects.toThrow();
    await domain.log.next('kms.proxy-header-refused');
    const { domain: other } = await start({}, { trustedProxies: ['192.0.2.1'], proxyProtocol: true });
    await expect(through(other, from('203.0.113.7'))).rejects.toThrow('turned away');
  });
});
