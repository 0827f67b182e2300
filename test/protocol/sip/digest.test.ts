import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import {
  answerChallenge,
  digestResponse,
  initialAuthorization,
  readChallenge,
  readNextNonce,
  selectChallenge,
  type DigestInput,
} from '../../../src/protocol/sip/digest.ts';

const secret = (text: string): SecretBytes => new SecretBytes(utf8(text));

// RFC 7616 clause 3.9.1
const mufasa: Omit<DigestInput, 'algorithm'> = {
  username: 'Mufasa',
  realm: 'http-auth@example.org',
  password: secret('Circle of Life'),
  method: 'GET',
  uri: '/dir/index.html',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  qop: 'auth',
  nonceCount: '00000001',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  body: new Uint8Array(),
};

describe('digestResponse', () => {
  it('matches the examples of RFC 7616', () => {
    expect(digestResponse({ ...mufasa, algorithm: 'MD5' })).toBe('8ca523f5e9506fed4657c9700eebdbec');
    expect(digestResponse({ ...mufasa, algorithm: 'SHA-256' })).toBe(
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
  });

  it('matches the example of RFC 2617 clause 3.5', () => {
    const input = {
      ...mufasa,
      algorithm: 'MD5',
      realm: 'testrealm@host.com',
      password: secret('Circle Of Life'),
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
      cnonce: '0a4f113b',
    } as const;
    expect(digestResponse(input)).toBe('6629fae49393a05397450978507c4ef1');
  });

  it('covers the body only with auth-int, and the session nonces only with -sess', () => {
    const answer = (change: Partial<DigestInput>): string => digestResponse({ ...mufasa, algorithm: 'MD5', ...change });
    const body = utf8('v=0');
    expect(answer({ body })).toBe(answer({}));
    expect(answer({ qop: 'auth-int', body })).not.toBe(answer({ qop: 'auth-int' }));
    expect(answer({ algorithm: 'MD5-sess' })).not.toBe(answer({}));
    expect(answer({ qop: undefined, cnonce: 'x' })).toBe(answer({ qop: undefined }));
  });
});

describe('challenges', () => {
  it('prefers SHA-256 over MD5 wherever it stands, and skips what it cannot answer', () => {
    const md5 = 'Digest realm="r", nonce="1", algorithm=MD5, qop="auth"';
    const sha = 'Digest realm="r", nonce="2", algorithm=sha-256, qop="auth,auth-int"';
    const aka = 'Digest realm="r", nonce="3", algorithm=AKAv1-MD5';
    expect(selectChallenge([md5, sha])?.nonce).toBe('2');
    expect(selectChallenge([sha, md5])?.algorithm).toBe('SHA-256');
    expect(selectChallenge([aka, md5])?.nonce).toBe('1');
    expect(selectChallenge([aka, 'Basic realm="r"', 'garbage', 'Digest nonce="x"'])).toBeUndefined();
  });

  it('takes auth-int where nothing else is offered, no qop from old servers, and refuses unknown qop', () => {
    expect(readChallenge('Digest realm="r",nonce="n",qop="auth-int"').qop).toBe('auth-int');
    expect(readChallenge('Digest realm="r",nonce="n"')).toMatchObject({ qop: undefined, namesAlgorithm: false });
    expect(() => readChallenge('Digest realm="r",nonce="n",qop="x"')).toThrow(
      expect.objectContaining({ kind: 'unsupported' }),
    );
  });

  it('reads stale, escaped quotes and odd spacing', () => {
    const challenge = readChallenge('  DIGEST realm = "a \\"b\\" c" ,nonce="n=,1" , stale=TRUE , opaque="" ');
    expect(challenge).toMatchObject({ realm: 'a "b" c', nonce: 'n=,1', stale: true, opaque: '' });
  });

  it.each([
    ['a parameter twice', 'Digest realm="r", realm="r", nonce="n"'],
    ['an open quote', 'Digest realm="r'],
    ['no comma', 'Digest realm="r" nonce="n"'],
    ['too many parameters', `Digest ${Array.from({ length: 40 }, (_, index) => `p${index}=1`).join(',')}`],
  ])('refuses %s', (_, text) => {
    expect(() => readChallenge(text)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });
});

describe('answerChallenge', () => {
  const answer = (challenge: string, nonceCount = 1): string =>
    answerChallenge({
      challenge: readChallenge(challenge),
      username: 'alice@lab.test',
      password: secret('secret'),
      method: 'REGISTER',
      uri: 'sip:lab.test',
      body: new Uint8Array(),
      nonceCount,
      cnonce: 'c',
    });

  it('counts nonces in hexadecimal and echoes opaque', () => {
    const header = answer('Digest realm="r", nonce="n", opaque="o", algorithm=SHA-256, qop="auth"', 26);
    expect(header).toMatch(
      /^Digest username="alice@lab\.test", realm="r", nonce="n", uri="sip:lab\.test", response="[0-9a-f]{64}", algorithm=SHA-256, cnonce="c", qop=auth, nc=0000001a, opaque="o"$/,
    );
  });

  it('answers a server without qop and algorithm in its own way', () => {
    expect(answer('Digest realm="r", nonce="n"')).toMatch(/response="[0-9a-f]{32}"$/);
  });

  it('never lets a realm break out of its quotes', () => {
    expect(answer('Digest realm="a\\", x=\\"b", nonce="n"')).toContain('realm="a\\", x=\\"b"');
  });
});

it('names the private identity before any challenge', () => {
  expect(initialAuthorization('alice@lab.test', 'lab.test', 'sip:lab.test')).toBe(
    'Digest username="alice@lab.test", realm="lab.test", uri="sip:lab.test", nonce="", response=""',
  );
});

it('reads nextnonce', () => {
  expect(readNextNonce('qop=auth, nextnonce="fresh"')).toBe('fresh');
  expect(readNextNonce('???')).toBeUndefined();
  expect(readNextNonce(undefined)).toBeUndefined();
});
