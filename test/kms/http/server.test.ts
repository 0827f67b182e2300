import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { FakeClock } from '../../../src/base/clock.ts';
import { startKmsServer } from '../../../src/kms/http/kms-server.ts';
import { KmsStorageError } from '../../../src/kms/ports.ts';
import type { KmsService } from '../../../src/kms/kms-service.ts';
import {
  askFor,
  authority,
  identityFor,
  keptConnection,
  person,
  post,
  secured,
  send,
  startDomain,
  stopDomains,
  type Domain,
  type DomainOptions,
} from './support/domain.ts';

const alice = person('alice@a.test');
const bob = person('bob@a.test');
const management = { host: '127.0.0.1', port: 0 };
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(stopDomains);

const start = (options: Partial<DomainOptions> = {}): Promise<Domain> =>
  startDomain({ name: 'a.test', people: [alice, bob], ...options, server: { management, ...options.server } });

const question = ({ kms }: Domain, now = Date.now()) => askFor(alice, kms, [bob], 'session', now).message;

async function open({ url }: Domain, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(url);
  const socket = connectTls({ host: hostname, port: Number(port), ca: (await authority).certificatePem, ...options });
  sockets.push(socket);
  await secured(socket);
  return socket;
}

/** All that comes until the other end closes. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  if (!socket.destroyed) await once(socket, 'close');
  return text;
}

const health = async ({ server }: Domain, path: string, method = 'GET') => {
  const response = await fetch(`${server.managementUrl!}${path}`, { method });
  return { status: response.status, text: await response.text() };
};

describe('TLS', () => {
  let domain: Domain;
  beforeAll(async () => {
    domain = await start();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is %s', async (version) => {
    const socket = await open(domain, { minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('is not %s', async (version) => {
    const { port } = new URL(domain.url);
    const socket = connectTls({
      port: Number(port),
      host: '127.0.0.1',
      minVersion: version,
      maxVersion: version,
      ciphers: 'DEFAULT@SECLEVEL=0',
      rejectUnauthorized: false,
    });
    sockets.push(socket);
    await expect(once(socket, 'secureConnect')).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
  });

  it.each(['ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256'])('has no suite without AEAD: %s', async (ciphers) => {
    await expect(open(domain, { maxVersion: 'TLSv1.2', ciphers })).rejects.toThrow();
  });
});

describe('HTTP', () => {
  it('keeps a connection for many questions', async () => {
    const domain = await start();
    const agent = keptConnection();
    const ports = new Set<number | undefined>();
    for (let count = 0; count < 3; count++) {
      const { status, headers } = await post(domain.url, 'ticketrequest', question(domain), { agent });
      expect(status).toBe(200);
      expect(headers.connection).toBe('keep-alive');
      for (const socket of Object.values(agent.freeSockets).flat()) ports.add(socket?.localPort);
    }
    expect(ports.size).toBe(1);
    agent.destroy();
  });

  it('ends connections on which a head, a body or a handshake comes too slowly', async () => {
    // Long enough for a handshake on a busy machine; all wait at the same time.
    const domain = await start({ server: { timeoutMilliseconds: 5000 } });
    const raw = connect(domain.server.port, '127.0.0.1');
    sockets.push(raw);
    raw.on('error', () => undefined);
    const [head, body, silent] = await Promise.all([open(domain), open(domain), open(domain)]);
    head.write('POST /keymanagement?requesttype=ticketrequest HTTP/1.1\r\nHost: kms\r\n');
    body.write(
      'POST /keymanagement?requesttype=ticketrequest HTTP/1.1\r\nHost: kms\r\n' +
        'Content-Type: application/mikey\r\nContent-Length: 100\r\n\r\nAQ',
    );
    const ended = await Promise.all([head, body, silent, raw].map(rest));
    expect(ended).toEqual([
      expect.stringMatching(/^HTTP\/1\.1 408 /),
      expect.stringMatching(/^HTTP\/1\.1 408 /),
      expect.stringMatching(/^HTTP\/1\.1 408 |^$/),
      '',
    ]);
    expect((await post(domain.url, 'ticketrequest', question(domain))).status).toBe(200);
  }, 60_000);

  it('refuses what is no HTTP, and heads without measure', async () => {
    const domain = await start();
    const nonsense = await open(domain);
    nonsense.write('\x00\x01\x02\r\n\r\n');
    expect(await rest(nonsense)).toMatch(/^HTTP\/1\.1 400 /);
    const endless = await open(domain);
    endless.write(`GET / HTTP/1.1\r\nHost: kms\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(await rest(endless)).toMatch(/^HTTP\/1\.1 431 /);
    const target = await open(domain);
    target.write('GET //[ HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n\r\n');
    expect(await rest(target)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('answers 503 while the storage is away, and 500 to what nobody thought of', async () => {
    const domain = await start();
    const failing = async (error: Error) => {
      const service: KmsService = {
        ...domain.service,
        handle: () => Promise.reject(error),
        close: async () => undefined,
      };
      const { server, log } = await startDomainWith(service);
      const { status, headers } = await post(server.url, 'ticketrequest', question(domain));
      await server.stop();
      return { status, retry: headers['retry-after'], line: log.lines.find(({ event }) => event === 'kms.exchange') };
    };
    expect(await failing(new KmsStorageError('away'))).toMatchObject({
      status: 503,
      retry: '5',
      line: { level: 'error' },
    });
    expect(await failing(new TypeError('a bug'))).toMatchObject({
      status: 500,
      line: { level: 'error', reason: 'a bug' },
    });
  });

  async function startDomainWith(service: KmsService) {
    const { certificate, log } = await startDomain({ name: 'b.test', people: [] });
    const clock = new FakeClock(Date.now());
    const server = await startKmsServer({ service, listen: { host: '127.0.0.1', port: 0 }, certificate, clock, log });
    return { server, log };
  }

  it('does not start where its port is taken', async () => {
    const domain = await start();
    const taken = { host: '127.0.0.1', port: domain.server.port };
    await expect(start({ server: { listen: taken } })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('the management listener', () => {
  it('tells health and metrics, and nobody’s name', async () => {
    const domain = await start({ server: { processMetrics: true } });
    await post(domain.url, 'ticketrequest', question(domain));
    const message = question(domain);
    for (let count = 0; count < 2; count++) await post(domain.url, 'ticketrequest', message);
    await send(`${domain.url}/elsewhere`);
    expect(await health(domain, '/healthz')).toMatchObject({ status: 200, text: '{"alive":true}\n' });
    expect(await health(domain, '/readyz')).toEqual({
      status: 200,
      text: '{"ready":true,"checks":{"storage":"ok","tpk":"ok","certificate":"ok"}}\n',
    });
    const { status, text } = await health(domain, '/metrics');
    expect(status).toBe(200);
    for (const line of [
      'tessera_kms_exchanges_total{kind="ticketrequest",outcome="answered"} 2',
      'tessera_kms_exchanges_total{kind="ticketrequest",outcome="refused"} 1',
      'tessera_kms_exchange_seconds_count{kind="ticketrequest"} 3',
      'tessera_kms_replays_total 1',
      'tessera_kms_http_answers_total{status="404"} 1',
      'tessera_kms_limited_total{scope="user"} 0',
      'tessera_kms_open_connections{listener="public"} 0',
      'tessera_kms_audit_backlog 0',
    ])
      expect(text.split('\n')).toContain(line);
    expect(text).toMatch(/^tessera_kms_tpk_age_seconds \d/m);
    expect(text).toContain(
      `tessera_kms_certificate_expiry_timestamp_seconds{certificate="tls"} ${domain.certificate.validUntil / 1000}`,
    );
    expect(text).toContain('process_resident_memory_bytes');
    for (const name of ['alice', 'bob', 'a.test', '127.0.0.1']) expect(text).not.toContain(name);
  });

  it('has nothing else, and is not on the public side', async () => {
    const domain = await start();
    expect((await health(domain, '/')).status).toBe(404);
    expect((await health(domain, '/metrics', 'POST')).status).toBe(405);
    expect(await health(domain, '/healthz?x=1', 'HEAD')).toEqual({ status: 200, text: '' });
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await send(`${domain.url}${path}`)).status).toBe(404);
    }
    const raw = connect(Number(new URL(domain.server.managementUrl!).port), '127.0.0.1');
    sockets.push(raw);
    raw.on('error', () => undefined);
    raw.write('nonsense\r\n\r\n');
    expect(await rest(raw)).toBe('');
    expect((await health(domain, '/healthz')).status).toBe(200);
  });

  const readiness = async (domain: Domain) => {
    const { status, text } = await health(domain, '/readyz');
    return { status, checks: (JSON.parse(text) as { checks: Record<string, string> }).checks };
  };

  it('is not ready without storage, and says why in the log, once', async () => {
    const domain = await start();
    const original = domain.storage.check.bind(domain.storage);
    domain.storage.check = () => Promise.reject(new Error('no route to the database'));
    for (let count = 0; count < 2; count++) {
      expect(await readiness(domain)).toMatchObject({ status: 503, checks: { storage: 'failed', tpk: 'ok' } });
    }
    expect(domain.log.lines.filter(({ event }) => event === 'kms.check-failed')).toMatchObject([
      { check: 'storage', reason: 'no route to the database', level: 'error' },
    ]);
    expect((await health(domain, '/healthz')).status).toBe(200);
    domain.storage.check = original;
    expect((await readiness(domain)).status).toBe(200);
    expect(domain.log.lines).toContainEqual(expect.objectContaining({ event: 'kms.check-passed', check: 'storage' }));
  });

  it('is not ready with a storage that does not answer in time', async () => {
    const clock = new FakeClock(Date.now());
    const domain = await start({ clock });
    domain.storage.check = () => {
      clock.advance(3000);
      return new Promise(() => undefined);
    };
    expect((await readiness(domain)).status).toBe(503);
  });

  it('is not ready with a certificate that has expired', async () => {
    const now = Date.now();
    const tls = await identityFor(['kms.a.test'], { validFrom: now - 7200_000, validUntil: now - 3600_000 });
    const domain = await start({ tls, listensToPeers: true, peerTls: await identityFor(['kms.a.test']) });
    expect(await readiness(domain)).toMatchObject({
      status: 503,
      checks: { certificate: 'failed', 'certificate-peers': 'ok' },
    });
  });
});

describe('stopping', () => {
  /** A KMS whose answers wait until they are released. */
  async function startHeld(clock = new FakeClock(Date.now()), shutdown = { drainSeconds: 0, graceSeconds: 10 }) {
    const happened: string[] = [];
    const release = Promise.withResolvers<undefined>();
    const arrived = Promise.withResolvers<undefined>();
    const { certificate, service: real, log, kms } = await startDomain({ name: 'a.test', people: [alice, bob] });
    const service: KmsService = {
      ...real,
      handle: async (...args) => {
        arrived.resolve(undefined);
        await release.promise;
        const outcome = await real.handle(...args);
        happened.push(outcome.outcome);
        return outcome;
      },
      close: async () => {
        happened.push('closed');
      },
    };
    const server = await startKmsServer({
      service,
      listen: { host: '127.0.0.1', port: 0 },
      certificate,
      clock,
      log,
      management,
      shutdown,
    });
    return { server, clock, happened, release: () => release.resolve(undefined), arrived: arrived.promise, log, kms };
  }
  const ready = async (url: string) => (await fetch(`${url}/readyz`)).status;

  it('says so first, ends what is under way, then closes the storage', async () => {
    const held = await startHeld();
    const { server, happened } = held;
    const agent = keptConnection();
    const message = askFor(alice, held.kms, [bob]).message;
    const underWay = post(server.url, 'ticketrequest', message, { agent });
    await held.arrived;
    const stopped = server.stop();
    expect(await ready(server.managementUrl!)).toBe(503);
    await expect(post(server.url, 'ticketrequest', message)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(happened).toEqual([]);
    held.release();
    const { status, headers } = await underWay;
    expect(status).toBe(200);
    expect(headers.connection).toBe('close');
    await stopped;
    expect(happened).toEqual(['answered', 'closed']);
    await expect(ready(server.managementUrl!)).rejects.toThrow();
    await server.stop();
    expect(happened).toEqual(['answered', 'closed']);
    expect(held.clock.waiting).toBe(0);
    agent.destroy();
  });

  it('waits for load balancers before it closes its port', async () => {
    const held = await startHeld(new FakeClock(Date.now()), { drainSeconds: 5, graceSeconds: 10 });
    held.release();
    const stopped = held.server.stop();
    expect(await ready(held.server.managementUrl!)).toBe(503);
    const { status } = await post(held.server.url, 'ticketrequest', askFor(alice, held.kms, [bob]).message);
    expect(status).toBe(200);
    held.clock.advance(5000);
    await stopped;
    expect(held.happened).toEqual(['answered', 'closed']);
  });

  it('cuts what takes longer than its grace, and closes the storage only when that has ended too', async () => {
    const held = await startHeld();
    const underWay = post(held.server.url, 'ticketrequest', askFor(alice, held.kms, [bob]).message);
    const cut = expect(underWay).rejects.toThrow();
    await held.arrived;
    const stopped = held.server.stop();
    held.clock.advance(10_000);
    await cut;
    expect(held.happened).toEqual([]);
    held.release();
    await stopped;
    expect(held.happened).toEqual(['answered', 'closed']);
  });

  it('logs a storage that does not close, and stops all the same', async () => {
    const domain = await start();
    domain.service.close = () => Promise.reject(new Error('still busy'));
    await domain.server.stop();
    expect(domain.log.lines).toContainEqual(
      expect.objectContaining({ event: 'kms.close-failed', reason: 'still busy', level: 'error' }),
    );
  });
});
