import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { toBase64, utf8 } from '../../src/base/bytes.ts';
import type { LogFields } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import type { KmsAddress } from '../../src/engine/ports.ts';
import { startKms, type KmsServer } from '../../src/kms/http/start-kms.ts';
import { createHttpsKeyManagement } from '../../src/node/key-management.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { hand, kmsIdentity, party, receive, request, resolving } from '../protocol/mikey/parties.ts';
import { readErrorMessage } from '../../src/protocol/mikey/index.ts';
import { profile } from '../../src/protocol/profile.ts';

const alice = party('alice');
const bob = party('bob');
const carol = party('carol');
const logged: LogFields[] = [];
const keyManagement = createHttpsKeyManagement();
let server: KmsServer;
let address: KmsAddress;

async function start(options: Partial<Parameters<typeof startKms>[0]> = {}) {
  const authority = await createCertificateAuthority({ commonName: 'Test CA', now: Date.now() });
  const tls = await authority.issue({ dnsNames: ['kms.lab.test'], ipAddresses: ['127.0.0.1'] });
  const made = await startKms({
    config: {
      identity: 'sip:kms.lab.test',
      users: [alice, bob, carol].map(({ name, psk }) => ({
        identities: [`sip:${name}@lab.test`],
        pskId: `${name}-key`,
        psk,
        mayRequest: name !== 'carol',
      })),
    },
    tls,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: { log: (_level, event, fields = {}) => logged.push({ event, ...fields }) },
    ...options,
  });
  return { made, trustedCa: authority.certificatePem };
}

beforeAll(async () => {
  const { made, trustedCa } = await start();
  server = made;
  address = { url: made.url, trustedCa, bodyEncoding: 'base64' };
});
afterAll(() => server.stop());

function post(
  path: string,
  body: Uint8Array | string,
  { method = 'POST', type = 'application/mikey' }: { method?: string; type?: string } = {},
): Promise<{ status: number; headers: Readonly<Record<string, unknown>>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(
      new URL(path, server.url),
      { method, ca: address.trustedCa, agent: false, headers: { 'Content-Type': type } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const ticketRequestPath = '/keymanagement?requesttype=ticketrequest';

describe('Ticket Request and Ticket Resolve over HTTPS', () => {
  it.each(['base64', 'binary'] as const)('lead to one key on both sides (%s bodies)', async (bodyEncoding) => {
    const now = Date.now();
    const asked = request(alice, { now, validUntil: now + 3600_000 });
    const granted = await keyManagement.exchange('ticketrequest', { ...address, bodyEncoding }, asked.message);
    expect(granted.status).toBe(200);
    const ticket = asked.accept(granted.message!, Date.now());
    const transfer = hand(ticket, alice, bob.identity, Date.now());
    const resolve = resolving(receive(transfer.message, bob, Date.now()), bob, Date.now());
    const answer = await keyManagement.exchange('ticketresolve', { ...address, bodyEncoding }, resolve.message);
    const response = resolve.accept(answer.message!, Date.now()).respond({ now: Date.now(), random: secureRandom });
    const { tek } = transfer.accept(response.message, Date.now());
    tek.use((mine) => response.tek.use((theirs) => expect(Buffer.from(mine).equals(theirs)).toBe(true)));
    expect(logged).toContainEqual(
      expect.objectContaining({
        event: 'kms.exchange',
        request: 'ticketrequest',
        outcome: 'answered',
        subscriber: 'sip:alice@lab.test',
      }),
    );
  });

  it('answers 403 with an authentic Error when policy forbids', async () => {
    const asked = request(carol, { now: Date.now() });
    const { status, message } = await keyManagement.exchange('ticketrequest', address, asked.message);
    expect(status).toBe(403);
    expect(readErrorMessage(message!).errorNumbers).toEqual([7]);
  });

  it('answers 200 with an Error to what it understands but does not grant', async () => {
    const asked = request(alice, { now: Date.now() - 3600_000 });
    const { status, message } = await keyManagement.exchange('ticketrequest', address, asked.message);
    expect(status).toBe(200);
    expect(() => asked.accept(message!, Date.now())).toThrow(/refused: Invalid timestamp \(1\)$/);
  });

  it('says the same to a stranger and to a wrong key, after the same work', async () => {
    const wrongKey = { ...alice, psk: new SecretBytes(secureRandom.bytes(32)) };
    // What takes time is done with keys: to open one, to derive others and to compute a MAC. Seconds on a busy machine tell less.
    const uses = vi.spyOn(SecretBytes.prototype, 'use');
    const work: number[] = [];
    try {
      for (const who of [wrongKey, party('mallory'), wrongKey, party('trudy')]) {
        const { message } = request(who, { now: Date.now() });
        uses.mockClear();
        const answer = await post(ticketRequestPath, toBase64(message));
        work.push(uses.mock.calls.length);
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toBe('Digest realm="3GPP-bootstrapping@kms.lab.test"');
        expect(answer.body).toHaveLength(32);
      }
    } finally {
      uses.mockRestore();
    }
    expect(work[0]).toBeGreaterThan(0);
    expect(new Set(work).size).toBe(1);
    expect(
      logged
        .filter(({ outcome }) => outcome === 'not-authenticated')
        .every(({ reason }) => reason === 'mikey.V: authentication failed'),
    ).toBe(true);
  });

  it.each([
    ['an unknown path', '/other', {}, 404],
    ['an unknown requesttype', '/keymanagement?requesttype=other', {}, 400],
    ['no requesttype', '/keymanagement', {}, 400],
    ['another method', ticketRequestPath, { method: 'PUT' }, 405],
    ['another content type', ticketRequestPath, { type: 'text/plain' }, 415],
  ])('refuses %s', async (_, path, options, status) => {
    const answer = await post(path, 'AQ==', options);
    expect(answer.status).toBe(status);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('refuses bodies that are no MIKEY message, and goes on', async () => {
    expect((await post(ticketRequestPath, 'not base64!')).status).toBe(400);
    expect((await post(ticketRequestPath, '')).status).toBe(400);
    expect((await post(ticketRequestPath, Uint8Array.of(1, 2, 3))).status).toBe(400);
    const broken = request(alice, { now: Date.now() }).message.subarray(0, 100);
    const answer = await post(ticketRequestPath, toBase64(broken));
    expect(answer.status).toBe(400);
    expect(readErrorMessage(Buffer.from(answer.body.toString(), 'base64')).errorNumbers).toEqual([13]);
    expect((await post(ticketRequestPath, new Uint8Array(profile.kms.maxBodyOctets + 1))).status).toBe(413);
    const asked = request(alice, { now: Date.now() });
    expect((await keyManagement.exchange('ticketrequest', address, asked.message)).status).toBe(200);
  });

  it('refuses a replay', async () => {
    const asked = request(alice, { now: Date.now() });
    await keyManagement.exchange('ticketrequest', address, asked.message);
    const again = await keyManagement.exchange('ticketrequest', address, asked.message);
    expect(() => asked.accept(again.message!, Date.now())).toThrow(/Invalid timestamp/);
  });

  it('writes no key into its log', () => {
    const text = JSON.stringify(logged);
    for (const { psk } of [alice, bob])
      expect(text).not.toContain(psk.use((octets) => Buffer.from(octets).toString('hex')));
    expect(kmsIdentity.data).toEqual(utf8('sip:kms.lab.test'));
  });
});

describe('the client', () => {
  const message = () => request(alice, { now: Date.now() }).message;

  it('speaks to no server that does not prove its name', async () => {
    const { trustedCa: other, made } = await start();
    await expect(
      keyManagement.exchange('ticketrequest', { ...address, trustedCa: other }, message()),
    ).rejects.toMatchObject({
      name: 'ProtocolError',
      field: 'kms.tls',
    });
    const otherName = { ...address, url: `https://localhost:${server.port}` };
    await expect(keyManagement.exchange('ticketrequest', otherName, message())).rejects.toMatchObject({
      field: 'kms.tls',
    });
    await made.stop();
  });

  it('speaks HTTPS only, and says when nobody is there', async () => {
    await expect(
      keyManagement.exchange('ticketrequest', { ...address, url: 'http://127.0.0.1' }, message()),
    ).rejects.toMatchObject({ kind: 'local', field: 'kms.url' });
    const { made } = await start();
    await made.stop();
    await expect(
      keyManagement.exchange('ticketrequest', { ...address, url: made.url }, message()),
    ).rejects.toMatchObject({ name: 'ProtocolError', field: 'kms.connection' });
  });

  it('waits no longer than its time, and reads no endless answer', async () => {
    const slow = await start({ transformAnswer: () => new Uint8Array(20_000).fill(1) });
    const slowAddress = { ...address, url: slow.made.url, trustedCa: slow.trustedCa };
    await expect(keyManagement.exchange('ticketrequest', slowAddress, message())).rejects.toMatchObject({
      field: 'kms.body',
    });
    await slow.made.stop();
    const hasty = createHttpsKeyManagement({ timeoutMilliseconds: 1 });
    await expect(hasty.exchange('ticketrequest', address, message())).rejects.toMatchObject({ field: 'kms.timeout' });
  });
});

it('takes a question that is cut off for no failure of its own', async () => {
  const levels: string[] = [];
  const ended = Promise.withResolvers<LogFields>();
  const { made, trustedCa } = await start({
    log: {
      log: (level, event, fields = {}) => {
        levels.push(level);
        if (event === 'kms.exchange') ended.resolve(fields);
      },
    },
  });
  const headers = { 'Content-Type': 'application/mikey', 'Content-Length': 10, Expect: '100-continue' };
  const cut = httpsRequest(new URL(ticketRequestPath, made.url), { method: 'POST', ca: trustedCa, headers });
  cut.on('error', () => undefined);
  cut.flushHeaders();
  // The server has seen the head and waits for the body.
  await once(cut, 'continue');
  cut.destroy();
  expect(await ended.promise).toMatchObject({ status: 400, reason: 'cut off' });
  await made.stop();
  expect(levels).not.toContain('error');
});

it('refuses an identity of its own that no HTTP header can carry', async () => {
  for (const identity of ['sip:kms.l\u2603b.test', 'sip:kms.lab.test"', 'sip:kms\r\nX: y'])
    await expect(start({ config: { identity, users: [] } })).rejects.toMatchObject({ field: 'kms.config.identity' });
});

it('stops although a client holds a question back', async () => {
  const { made, trustedCa } = await start();
  const headers = { 'Content-Type': 'application/mikey', 'Content-Length': 10, Expect: '100-continue' };
  const held = httpsRequest(new URL(ticketRequestPath, made.url), { method: 'POST', ca: trustedCa, headers });
  held.on('error', () => undefined);
  held.flushHeaders();
  await once(held, 'continue');
  const cutOff = expect(once(held, 'response')).rejects.toThrow();
  await made.stop();
  await cutOff;
});
