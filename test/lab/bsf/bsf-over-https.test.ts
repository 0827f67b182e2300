import { createServer, type AddressInfo } from 'node:net';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { BsfAddress } from '../../../src/engine/ports.ts';
import {
  createKmsCredential,
  type KmsCredential,
  type SharedKmsKey,
} from '../../../src/engine/tickets/kms-credential.ts';
import { createZnClient } from '../../../src/kms/http/zn-client.ts';
import { zn } from '../../../src/kms/http/zn-format.ts';
import type { UbAnswer } from '../../../src/lab/bsf/bsf.ts';
import { startLabBsf, type LabBsf } from '../../../src/lab/bsf/start-bsf.ts';
import { WireRecorder } from '../../../src/lab/wire-recorder.ts';
import { createHttpsBootstrapping } from '../../../src/node/bootstrapping.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { uaProtocolKms } from '../../../src/protocol/gba/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { TestSubscriber } from '../../engine/support/memory-bsf.ts';

const name = 'bsf.lab.test';
const nafFqdn = 'kms.lab.test';
const alice = 'alice@lab.test';
const modes = ['gba-aka', 'gba-digest'] as const;

let authority: CertificateAuthority;
let subscriber: TestSubscriber;
let rewrite: (answer: UbAnswer) => UbAnswer;
let lab: LabBsf;
let naf: { readonly certificatePem: string; readonly privateKeyPem: string };
let address: BsfAddress;

beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: 'Test CA', now: Date.now() });
  naf = await authority.issue({ dnsNames: [nafFqdn], ipAddresses: [] }, { alsoClient: true });
  subscriber = new TestSubscriber(['sip:alice@lab.test'], 'right', secureRandom);
  lab = await startBsf(await authority.issue({ dnsNames: [name], ipAddresses: ['127.0.0.1'] }));
  address = { url: lab.url, serverName: name, trustedCa: authority.certificatePem };
});
afterAll(() => lab.stop());
beforeEach(() => {
  rewrite = (answer) => answer;
});

function startBsf(tls: { certificatePem: string; privateKeyPem: string }): Promise<LabBsf> {
  return startLabBsf({
    name,
    domain: 'lab.test',
    subscribers: { find: (who) => (who === alice ? subscriber : undefined) },
    tls,
    nafAuthority: authority.certificatePem,
    recorder: new WireRecorder(0),
    log: silentLogger,
    port: 0,
    rewrite: (answer) => rewrite(answer),
  });
}

interface Changes {
  readonly bsf?: Partial<BsfAddress>;
  readonly timeoutMilliseconds?: number;
}

async function bootstrap(mode: (typeof modes)[number], { bsf, ...options }: Changes = {}) {
  const credential = createKmsCredential(
    {
      address: { url: 'https://192.0.2.1', serverName: nafFqdn, bodyEncoding: 'base64' },
      identity: `sip:${nafFqdn}`,
      credential: { mode, bsf: { ...address, ...bsf } },
      suite: '256',
    },
    { password: new SecretBytes(utf8('right')) },
    {
      ports: {
        clock: systemClock,
        random: secureRandom,
        log: silentLogger,
        bootstrapping: createHttpsBootstrapping(options),
      },
      privateIdentity: alice,
      domain: 'lab.test',
      sim: subscriber.card(),
    },
  );
  const key = await (credential as KmsCredential<SharedKmsKey>).current(Date.now());
  return { btid: fromUtf8(key.pskId.data), key };
}

const client = (changes: Partial<Parameters<typeof createZnClient>[0]> = {}) =>
  createZnClient({
    server: { url: lab.znUrl, trustedCa: authority.certificatePem },
    bsfDomain: name,
    nafFqdn,
    uaProtocolId: uaProtocolKms,
    certificate: { identity: naf },
    ...changes,
  });

describe.each(modes)('%s over HTTPS', (mode) => {
  it('gives UE and NAF the same key', async () => {
    const { btid, key } = await bootstrap(mode);
    const told = await client().ask(btid);
    expect(told).toMatchObject({ privateIdentity: alice, identities: ['sip:alice@lab.test'] });
    expect(told?.validUntil).toBe(key.validUntil);
    const hex = (secret: SecretBytes) => secret.use((octets) => Buffer.from(octets).toString('hex'));
    expect(hex(told!.key)).toBe(hex(key.psk));
  });

  it('refuses a BSF whose certificate proves another name, or comes from nobody trusted', async () => {
    for (const bsf of [
      { serverName: 'other.lab.test' },
      { trustedCa: (await createCertificateAuthority({ commonName: 'Other CA', now: Date.now() })).certificatePem },
    ]) {
      await expect(bootstrap(mode, { bsf })).rejects.toMatchObject({
        code: 'kms-unreachable',
        cause: { field: 'bsf.tls' },
      });
    }
  });

  it('says when nobody is there, and when the address is none', async () => {
    const gone = await startBsf(await authority.issue({ dnsNames: [name], ipAddresses: [] }));
    await gone.stop();
    await expect(bootstrap(mode, { bsf: { url: gone.url } })).rejects.toMatchObject({
      code: 'kms-unreachable',
      cause: { field: 'bsf.connection' },
    });
    await expect(bootstrap(mode, { bsf: { url: 'http://127.0.0.1/' } })).rejects.toMatchObject({
      code: 'bootstrapping-refused',
    });
  });

  it('refuses a forged proof, and an answer above the limit', async () => {
    rewrite = ({ headers, ...rest }) => ({
      ...rest,
      headers: Object.fromEntries(
        Object.entries(headers).map(([header, value]) => [header, value.replace(/rspauth="[^"]*"/, 'rspauth="00"')]),
      ),
    });
    await expect(bootstrap(mode)).rejects.toMatchObject({ code: 'network-not-proven' });
    rewrite = (answer) => ({ ...answer, body: new Uint8Array(profile.bootstrapping.maxBodyOctets + 1) });
    await expect(bootstrap(mode)).rejects.toMatchObject({ code: 'kms-unreachable', cause: { field: 'bsf.body' } });
  });

  it('goes on over a new connection when the BSF closes after its challenge', async () => {
    rewrite = (answer) => ({ ...answer, headers: { ...answer.headers, Connection: 'close' } });
    expect((await bootstrap(mode)).btid).toContain(`@${name}`);
  });
});

it('waits no longer than its time', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const bsf = { url: `https://127.0.0.1:${port}/` };
  await expect(bootstrap('gba-aka', { bsf, timeoutMilliseconds: 100 })).rejects.toMatchObject({
    code: 'kms-unreachable',
    cause: { field: 'bsf.timeout' },
  });
  await new Promise((resolve) => silent.close(resolve));
});

/** One raw question. */
function ask(url: string, options: RequestOptions, body = ''): Promise<{ status: number; headers: object }> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(url, { ca: authority.certificatePem, agent: false, ...options }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('Ub', () => {
  const first = `Digest username="${alice}", realm="${name}", nonce="", uri="/", response=""`;

  it('challenges with AKAv1-MD5, or with a hash for GBA_Digest, always with auth-int', async () => {
    const aka = await ask(lab.url, { headers: { Authorization: first } });
    expect(aka.status).toBe(401);
    expect(aka.headers).toMatchObject({
      'www-authenticate': expect.stringMatching(
        /^Digest realm="bsf\.lab\.test", nonce="[A-Za-z0-9+/]{43}=", algorithm=AKAv1-MD5, qop="auth-int", opaque=/,
      ) as string,
      'cache-control': 'no-store',
    });
    const digest = await ask(lab.url, { headers: { Authorization: first, 'User-Agent': 'x/1 GBA_Digest/2' } });
    expect(digest.headers).toMatchObject({
      'www-authenticate': expect.stringMatching(/realm="lab\.test".*algorithm=SHA-256, qop="auth-int"/) as string,
    });
  });

  it.each([
    ['no Authorization', {}, 400],
    ['another scheme', { headers: { Authorization: 'Basic YTpi' } }, 400],
    ['another method', { method: 'POST', headers: { Authorization: first } }, 405],
    ['a stranger', { headers: { Authorization: first.replace(alice, 'eve@lab.test') } }, 403],
  ])('answers %s plainly', async (_, options, status) => {
    expect((await ask(lab.url, options)).status).toBe(status);
  });

  it('takes no body', async () => {
    const answer = await ask(lab.url, { method: 'GET', headers: { Authorization: first, 'Content-Length': 3 } }, 'abc');
    expect(answer.status).toBe(413);
  });

  it('a nonce serves once: an answer that is sent again proves nothing', async () => {
    let answered: string | undefined;
    const bootstrapping = createHttpsBootstrapping();
    const spied = {
      open: (bsf: BsfAddress) => {
        const connection = bootstrapping.open(bsf);
        return {
          ...connection,
          close: () => connection.close(),
          ask: (compose: Parameters<typeof connection.ask>[0]) =>
            connection.ask((exportKey) => {
              const headers = compose(exportKey);
              answered = headers['Authorization'];
              return headers;
            }),
        };
      },
    };
    const credential = createKmsCredential(
      {
        address: { url: 'https://192.0.2.1', serverName: nafFqdn, bodyEncoding: 'base64' },
        identity: `sip:${nafFqdn}`,
        credential: { mode: 'gba-aka', bsf: address },
        suite: '256',
      },
      {},
      {
        ports: { clock: systemClock, random: secureRandom, log: silentLogger, bootstrapping: spied },
        privateIdentity: alice,
        domain: 'lab.test',
        sim: subscriber.card(),
      },
    );
    await credential!.current(Date.now());
    const before = lab.bsf.keys;
    const replayed = await ask(lab.url, { headers: { Authorization: answered! } });
    expect(replayed.status).toBe(401);
    expect(replayed.headers).toMatchObject({ 'www-authenticate': expect.stringContaining('stale=true') as string });
    expect(lab.bsf.keys).toBe(before);
  });
});

describe('Zn', () => {
  it('knows no B-TID that was never given, and none after a restart', async () => {
    expect(await client().ask(`AAAAAAAAAAAAAAAAAAAAAA==@${name}`)).toBeUndefined();
    const { btid } = await bootstrap('gba-aka');
    expect(await client().ask(btid)).toBeDefined();
    lab.bsf.forget();
    expect(await client().ask(btid)).toBeUndefined();
  });

  it('gives a NAF keys in the names of its certificate only', async () => {
    const { btid } = await bootstrap('gba-aka');
    await expect(client({ nafFqdn: 'other.lab.test' }).ask(btid)).rejects.toMatchObject({
      field: 'zn.status',
      message: expect.stringContaining('403') as string,
    });
  });

  it.each([
    ['no certificate', () => Promise.resolve({ certificatePem: '', privateKeyPem: '' })],
    ['one that is for servers only', () => authority.issue({ dnsNames: [nafFqdn], ipAddresses: [] })],
    [
      'one of another authority',
      async () =>
        (await createCertificateAuthority({ commonName: 'Other CA', now: Date.now() })).issue(
          { dnsNames: [nafFqdn], ipAddresses: [] },
          { alsoClient: true },
        ),
    ],
  ])('speaks to no NAF with %s', async (_, issue) => {
    const certificate = await issue();
    await expect(client({ certificate: { identity: certificate } }).ask('AAAA@bsf.lab.test')).rejects.toMatchObject({
      name: 'ProtocolError',
    });
  });

  it('speaks to no BSF that does not prove its name', async () => {
    const server = { url: lab.znUrl, serverName: 'other.lab.test', trustedCa: authority.certificatePem };
    await expect(client({ server }).ask('AAAA@bsf.lab.test')).rejects.toMatchObject({ field: 'zn.tls' });
  });

  it.each([
    ['another path', '/other', {}, '{}', 404],
    ['another method', zn.path, { method: 'GET' }, '', 405],
    ['another type', zn.path, { headers: { 'Content-Type': 'text/plain' } }, '{}', 415],
    ['what is no JSON', zn.path, {}, '{', 400],
    ['a question that lacks something', zn.path, {}, '{"btid":"x"}', 400],
    ['too much', zn.path, {}, 'x'.repeat(zn.maxBodyOctets + 1), 413],
  ])('answers %s plainly', async (_, path, options, body, status) => {
    const answer = await ask(
      `${lab.znUrl}${path}`,
      {
        method: 'POST',
        headers: { 'Content-Type': zn.contentType },
        cert: naf.certificatePem,
        key: naf.privateKeyPem,
        ...options,
      },
      body,
    );
    expect(answer.status).toBe(status);
  });
});
