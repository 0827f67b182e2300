import { describe, expect, it } from 'vitest';
import { fromHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { akaDigestPassword } from '../../../src/protocol/gba/index.ts';
import {
  akaAlgorithms,
  answerChallenge,
  digestResponse,
  initialAuthorization,
  readChallenge,
  readNextNonce,
  refuseChallenge,
  selectChallenge,
  type DigestInput,
} from '../../../src/protocol/digest/digest.ts';

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

describe('AKA Digest', () => {
  // Test set 1 of TS 35.208; the responses by Python's hashlib and hmac.
  const nonce = 'I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=';
  const hex = (text: string): SecretBytes => new SecretBytes(fromHex(text));
  const keys = {
    res: hex('a54211d5e3ba50bf'),
    ck: hex('b40ba9a3c58b2a05bbf0d987b21bf8cb'),
    ik: hex('f769bcd751044604127672711c6d3441'),
  };
  const challenge = (algorithm: string): string =>
    `Digest realm="lab.test", nonce="${nonce}", algorithm=${algorithm}, qop="auth", opaque="o"`;
  const question = { username: 'alice@lab.test', method: 'REGISTER', uri: 'sip:lab.test', body: new Uint8Array() };

  it.each([
    ['AKAv1-MD5', '104e2cd9c92e7d23be4a9740fff4a2c1'],
    ['AKAv2-MD5', 'fe2001b36fbb6eb70fbf62f9cfaf0827'],
    ['AKAv2-SHA-256', '6c03843b7715864bfe8db4d64ac91e8623b1bc7813ab2559983339bf27392fe5'],
  ] as const)('answers %s', (algorithm, response) => {
    const answer = answerChallenge({
      ...question,
      challenge: readChallenge(challenge(algorithm.toLowerCase()), akaAlgorithms),
      password: akaDigestPassword(algorithm, keys),
      nonceCount: 1,
      cnonce: 'c',
    });
    expect(answer).toContain(`response="${response}", algorithm=${algorithm}, cnonce="c", qop=auth, nc=00000001`);
    expect(answer).not.toContain('auts');
  });

  it('carries the word of the SIM where its sequence numbers are', () => {
    const password = new SecretBytes(new Uint8Array());
    const offered = readChallenge(challenge('AKAv1-MD5'), akaAlgorithms);
    const answer = answerChallenge({
      ...question,
      challenge: offered,
      password,
      nonceCount: 1,
      cnonce: 'c',
      auts: 'AAAA',
    });
    expect(answer).toMatch(/opaque="o", auts="AAAA"$/);
  });

  it('says that the network did not prove itself by an empty response', () => {
    const offered = readChallenge(challenge('AKAv1-MD5'), akaAlgorithms);
    expect(refuseChallenge(offered, 'alice@lab.test', 'sip:lab.test')).toBe(
      `Digest username="alice@lab.test", realm="lab.test", nonce="${nonce}", uri="sip:lab.test", response="", algorithm=AKAv1-MD5, opaque="o"`,
    );
  });

  it('keeps to the algorithms of the account', () => {
    const md5 = 'Digest realm="r", nonce="1", algorithm=MD5, qop="auth"';
    const all = [md5, challenge('AKAv1-MD5'), challenge('AKAv2-MD5')];
    expect(selectChallenge(all, akaAlgorithms)?.algorithm).toBe('AKAv2-MD5');
    expect(selectChallenge(all)?.algorithm).toBe('MD5');
    expect(selectChallenge([md5, 'Digest realm="r", nonce="n", qop="auth"'], akaAlgorithms)).toBeUndefined();
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
