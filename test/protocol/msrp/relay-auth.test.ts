import { describe, expect, it, test } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { readAuthParams } from '../../../src/protocol/digest/auth-params.ts';
import { digestResponse } from '../../../src/protocol/digest/digest.ts';
import {
  decodeFrames,
  headerValues,
  RelayAuth,
  type MsrpRequestHead,
  type RelayAuthAction,
  type RelayAuthOptions,
} from '../../../src/protocol/msrp/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const own = 'msrps://alice.example.com:9892/98cjs;tcp';
const intra = 'msrps://alice@intra.example.com;tcp';
const extra = 'msrps://extra.example.com;tcp';
const intraPath = 'msrps://intra.example.com:9000/jui787s2f;tcp';
const extraPath = 'msrps://extra.example.com:9000/mywdEe1233;tcp';
const challenge = 'Digest realm="intra.example.com", qop="auth", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"';

/** The machine with a relay that says what the test wants. */
class Asker {
  readonly auth: RelayAuth;
  readonly actions: RelayAuthAction[] = [];
  now = 1_000_000;

  constructor(options: Partial<RelayAuthOptions> = {}) {
    this.auth = new RelayAuth({
      localUri: own,
      relays: [intra],
      user: { username: 'Alice', password: new SecretBytes(utf8('open sesame')) },
      random: seededRandom(),
      ...options,
    });
    this.#keep(this.auth.handle({ type: 'connected' }, this.now));
  }

  /** The AUTH that it wants to send. */
  request(): MsrpRequestHead {
    const head = this.maybe();
    if (head === undefined) throw new Error('nothing was asked');
    return head;
  }

  maybe(): MsrpRequestHead | undefined {
    const pieces = this.auth.nextOutput();
    if (pieces === undefined) return undefined;
    const [frame] = decodeFrames(concatBytes(...pieces));
    if (frame?.head.kind !== 'request') throw new Error('not a request');
    return frame.head;
  }

  answer(request: MsrpRequestHead, status: number, fields: Readonly<Record<string, string | readonly string[]>> = {}) {
    const other = Object.entries(fields).flatMap(([name, values]) =>
      [values].flat().map((value) => ({ name, value: value })),
    );
    const { toPath, fromPath } = request.headers;
    const headers = { toPath: fromPath, fromPath: toPath, other };
    const head = { kind: 'response', transactionId: request.transactionId, status, headers } as const;
    this.#keep(this.auth.handle({ type: 'frame', event: { type: 'head', head, hasBody: false } }, this.now));
  }

  /** Goes to its next deadline. */
  wait(): void {
    this.now = this.auth.deadline ?? this.now;
    this.#keep(this.auth.handle({ type: 'tick' }, this.now));
  }

  #keep(actions: readonly RelayAuthAction[]): void {
    this.actions.push(...actions);
  }
}

function authorization(request: MsrpRequestHead): ReadonlyMap<string, string> {
  return readAuthParams(headerValues(request.headers, 'Authorization')[0] ?? '', 'test').values;
}

function responseFor(values: ReadonlyMap<string, string>, uri: string, method: string, algorithm: 'MD5' | 'SHA-256') {
  return digestResponse({
    algorithm,
    username: values.get('username') ?? '',
    realm: values.get('realm') ?? '',
    password: new SecretBytes(utf8('open sesame')),
    method,
    uri,
    nonce: values.get('nonce') ?? '',
    qop: 'auth',
    nonceCount: values.get('nc') ?? '',
    cnonce: values.get('cnonce') ?? '',
    body: new Uint8Array(),
  });
}

function granted(asker: Asker, fields: Readonly<Record<string, string>> = {}): void {
  asker.answer(asker.request(), 200, { 'Use-Path': intraPath, Expires: '900', ...fields });
}

describe('the AUTH of RFC 4976 section 5.1', () => {
  test.each(['MD5', 'SHA-256'] as const)('asks, is challenged, answers with %s, and is given a URI', (algorithm) => {
    const asker = new Asker({ expires: 900 });
    const first = asker.request();
    expect(first.method).toBe('AUTH');
    expect(first.headers).toMatchObject({ toPath: [intra], fromPath: [own] });
    expect(headerValues(first.headers, 'Authorization')).toEqual([]);
    expect(headerValues(first.headers, 'Expires')).toEqual(['900']);
    asker.answer(first, 401, { 'WWW-Authenticate': `${challenge}, algorithm=${algorithm}` });
    const second = asker.request();
    expect(second.transactionId).not.toBe(first.transactionId);
    const values = authorization(second);
    expect(Object.fromEntries(values)).toMatchObject({
      username: 'Alice',
      realm: 'intra.example.com',
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
      uri: intra,
      qop: 'auth',
      nc: '00000001',
    });
    expect(values.get('cnonce')).toMatch(/^.{16,}$/);
    expect(values.get('response')).toBe(responseFor(values, intra, 'AUTH', algorithm));
    const rspauth = responseFor(values, intra, '', algorithm);
    asker.answer(second, 200, {
      'Use-Path': intraPath,
      Expires: '900',
      'Authentication-Info': `nextnonce="n2", rspauth="${rspauth}", cnonce="${values.get('cnonce') ?? ''}", nc=00000001, qop=auth`,
    });
    expect(asker.actions).toEqual([
      { type: 'granted', usePath: [intraPath], expiresAt: asker.now + 900_000, moved: false },
    ]);
  });

  test.each([
    {
      name: 'the strongest of several challenges',
      values: [`${challenge}, algorithm=MD5`, `${challenge}, algorithm=SHA-256`],
      algorithm: 'SHA-256',
    },
    { name: 'Digest beside Basic', values: ['Basic realm="x"', `${challenge}, algorithm=MD5`], algorithm: 'MD5' },
    {
      name: 'auth of auth and auth-int',
      values: [`${challenge.replace('"auth"', '"auth-int,auth"')}, algorithm=MD5`],
      algorithm: 'MD5',
    },
  ])('answers $name', ({ values, algorithm }) => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': values });
    const sent = authorization(asker.request());
    expect(sent.get('algorithm')).toBe(algorithm);
    expect(sent.get('qop')).toBe('auth');
  });

  test.each([
    ['Basic alone', 'Basic realm="intra.example.com"'],
    ['no quality of protection', challenge.replace('qop="auth", ', '')],
    ['auth-int alone', challenge.replace('"auth"', '"auth-int"')],
    ['a session variant', `${challenge}, algorithm=MD5-sess`],
    ['an unknown algorithm', `${challenge}, algorithm=SHA-512-256`],
    ['no challenge at all', ''],
  ])('answers no challenge with %s', (_name, value) => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, value === '' ? {} : { 'WWW-Authenticate': value });
    expect(asker.maybe()).toBeUndefined();
    expect(asker.actions).toMatchObject([{ type: 'refused', status: 401, error: { kind: 'unsupported' } }]);
  });

  it('answers no realm but the configured one', () => {
    const asker = new Asker({
      user: { username: 'Alice', password: new SecretBytes(utf8('x')), realm: 'other.example' },
    });
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    expect(asker.maybe()).toBeUndefined();
    expect(asker.actions).toMatchObject([{ type: 'refused', error: { kind: 'policy-denied' } }]);
  });

  it('gives up when the password is refused, and takes a stale nonce for what it is', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': `${challenge.replace('dcd9', 'new')}, stale=TRUE` });
    const again = asker.request();
    expect(authorization(again).get('nonce')).toMatch(/^new/);
    asker.answer(again, 401, { 'WWW-Authenticate': challenge });
    expect(asker.maybe()).toBeUndefined();
    expect(asker.actions).toMatchObject([{ type: 'refused', status: 401 }]);
    expect(JSON.stringify(asker.actions)).not.toContain('sesame');
  });

  it('is not kept busy by a relay whose nonces are always stale', () => {
    const asker = new Asker();
    for (let turn = 0; asker.actions.length === 0; turn++) {
      expect(turn).toBeLessThan(6);
      asker.answer(asker.request(), 401, { 'WWW-Authenticate': `${challenge}, stale=true` });
    }
    expect(asker.actions).toMatchObject([{ type: 'refused', status: 401 }]);
  });

  it('refuses a relay that does not know the password', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    granted(asker, { 'Authentication-Info': `rspauth="${'0'.repeat(32)}", qop=auth` });
    expect(asker.actions).toMatchObject([{ type: 'refused', error: { kind: 'peer-misbehaved' } }]);
  });

  test.each([403, 404, 500, 481])('takes %i as an end', (status) => {
    const asker = new Asker();
    asker.answer(asker.request(), status);
    expect(asker.actions).toMatchObject([{ type: 'refused', status }]);
    expect(asker.auth.deadline).toBeUndefined();
  });

  it('takes no answer to another transaction', () => {
    const asker = new Asker();
    const request = asker.request();
    asker.answer({ ...request, transactionId: 'another1' }, 200, { 'Use-Path': intraPath });
    expect(asker.actions).toEqual([]);
    asker.answer(request, 200, { 'Use-Path': intraPath });
    expect(asker.actions).toMatchObject([{ type: 'granted' }]);
  });

  test.each([
    ['nothing', ''],
    ['no URI', 'relay.example'],
    ['msrp', intraPath.replace('msrps', 'msrp')],
    ['no port', 'msrps://intra.example.com/jui787s2f;tcp'],
    ['no session id', 'msrps://intra.example.com:9000;tcp'],
    ['too many', Array.from({ length: 9 }, () => intraPath).join(' ')],
  ])('takes no Use-Path of %s', (_name, value) => {
    const asker = new Asker();
    asker.answer(asker.request(), 200, value === '' ? {} : { 'Use-Path': value });
    expect(asker.actions).toMatchObject([{ type: 'refused', status: 200, error: { kind: 'malformed' } }]);
  });

  it('refuses a relay that is not reached by TLS', () => {
    expect(() => new Asker({ relays: ['msrp://intra.example.com;tcp'] })).toThrow(/msrps|TLS/);
  });
});

describe('lifetimes', () => {
  test.each([
    ['Min-Expires', '60', '1800', '1800'],
    ['Max-Expires', '7200', '3600', '3600'],
  ])('follows %s of a 423', (name, asked, bound, then) => {
    const asker = new Asker({ expires: Number(asked) });
    const first = asker.request();
    expect(headerValues(first.headers, 'Expires')).toEqual([asked]);
    asker.answer(first, 423, { [name]: bound });
    expect(headerValues(asker.request().headers, 'Expires')).toEqual([then]);
  });

  it('gives up on a relay that no lifetime suits', () => {
    const asker = new Asker({ expires: 60 });
    asker.answer(asker.request(), 423, { 'Min-Expires': '100' });
    asker.answer(asker.request(), 423, { 'Max-Expires': '50' });
    asker.answer(asker.request(), 423, { 'Min-Expires': '100' });
    expect(asker.actions).toMatchObject([{ type: 'refused', status: 423 }]);
  });

  it('asks again before the end, with the nonce it was given, and tells when the URI is another', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    granted(asker, { 'Authentication-Info': 'nextnonce="second"' });
    const { now } = asker;
    expect(asker.auth.deadline).toBe(now + 840_000);
    asker.wait();
    const renewal = asker.request();
    expect(authorization(renewal).get('nonce')).toBe('second');
    expect(authorization(renewal).get('nc')).toBe('00000001');
    asker.answer(renewal, 200, { 'Use-Path': intraPath, Expires: '900' });
    expect(asker.actions.at(-1)).toEqual({
      type: 'granted',
      usePath: [intraPath],
      expiresAt: now + 840_000 + 900_000,
      moved: false,
    });
    asker.wait();
    asker.answer(asker.request(), 200, { 'Use-Path': intraPath.replace('jui', 'xyz'), Expires: '900' });
    expect(asker.actions.at(-1)).toMatchObject({ type: 'granted', moved: true });
  });

  it('counts on under a nonce that serves again', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    granted(asker);
    asker.wait();
    expect(authorization(asker.request()).get('nc')).toBe('00000002');
  });

  it('answers a challenge in place of a renewal', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    granted(asker);
    asker.wait();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge.replace('dcd9', 'late') });
    expect(authorization(asker.request()).get('nonce')).toMatch(/^late/);
  });

  it('leaves a quarter of a short life for the renewal', () => {
    const asker = new Asker();
    granted(asker, { Expires: '8' });
    expect(asker.auth.deadline).toBe(asker.now + 6_000);
  });

  it('never renews what does not end', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 200, { 'Use-Path': intraPath });
    expect(asker.actions).toEqual([{ type: 'granted', usePath: [intraPath], moved: false }]);
    expect(asker.auth.deadline).toBeUndefined();
  });
});

describe('relays that do not agree about the uri parameter', () => {
  it('leaves it out once the relay is silent for long', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    expect(authorization(asker.request()).has('uri')).toBe(true);
    asker.wait();
    const without = asker.request();
    expect(authorization(without).has('uri')).toBe(false);
    asker.answer(without, 200, { 'Use-Path': intraPath, Expires: '900' });
    expect(asker.actions).toMatchObject([{ type: 'granted' }]);
    asker.wait();
    expect(authorization(asker.request()).has('uri')).toBe(false);
  });

  it('leaves it out after 400', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    asker.answer(asker.request(), 400);
    expect(authorization(asker.request()).has('uri')).toBe(false);
  });

  it('ends when the relay stays silent', () => {
    const asker = new Asker();
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    asker.request();
    asker.wait();
    asker.request();
    asker.wait();
    expect(asker.actions).toMatchObject([{ type: 'refused', error: { kind: 'expired' } }]);
  });

  it('ends when the relay never says anything', () => {
    const asker = new Asker();
    asker.request();
    expect(asker.auth.deadline).toBe(asker.now + 30_000);
    asker.wait();
    expect(asker.actions).toMatchObject([{ type: 'refused', error: { kind: 'expired' } }]);
  });
});

describe('several relays', () => {
  it('asks the second through the first, each with its own challenge, and lives as long as the shorter', () => {
    const asker = new Asker({ relays: [intra, extra] });
    asker.answer(asker.request(), 401, { 'WWW-Authenticate': challenge });
    granted(asker, { Expires: '900' });
    const toSecond = asker.request();
    expect(toSecond.headers).toMatchObject({ toPath: [intraPath, extra], fromPath: [own] });
    expect(headerValues(toSecond.headers, 'Authorization')).toEqual([]);
    asker.answer(toSecond, 401, { 'WWW-Authenticate': challenge.replaceAll('intra', 'extra') });
    const answered = asker.request();
    const values = authorization(answered);
    expect(values.get('uri')).toBe(extra);
    expect(values.get('realm')).toBe('extra.example.com');
    expect(values.get('response')).toBe(responseFor(values, extra, 'AUTH', 'MD5'));
    asker.answer(answered, 200, { 'Use-Path': `${intraPath} ${extraPath}`, Expires: '1800' });
    expect(asker.actions).toEqual([
      { type: 'granted', usePath: [intraPath, extraPath], expiresAt: asker.now + 900_000, moved: false },
    ]);
  });
});
