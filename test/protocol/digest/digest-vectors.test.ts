import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import {
  answerChallenge,
  digestResponse,
  hashedUsername,
  provesServer,
  readAuthenticationInfo,
  readChallenge,
  readChallenges,
  selectChallenge,
  type DigestAnswerInput,
  type DigestInput,
} from '../../../src/protocol/digest/digest.ts';

const secret = (text: string): SecretBytes => new SecretBytes(utf8(text));
const jason = 'J\u00e4s\u00f8n Doe';

const message: Omit<DigestInput, 'algorithm' | 'qop'> = {
  username: 'alice@lab.test',
  realm: 'lab.test',
  password: secret('pass"word'),
  method: 'MESSAGE',
  uri: 'sip:bob@lab.test',
  nonce: 'n0nce',
  nonceCount: '00000001',
  cnonce: 'c1ient',
  body: utf8('Hello'),
};

describe('response values', () => {
  // By `openssl dgst -md5`, `-sha256` and `-sha512-256` over the strings of RFC 7616 clause 3.4.
  it.each([
    ['MD5', undefined, '7566648665b0508a40fb7a435e9b2afd'],
    ['MD5', 'auth', '5b0afc8abe0c7fcebdbbaca6c1a4a194'],
    ['MD5', 'auth-int', '5636d5ef408cba0833548e3dc489dd3e'],
    ['MD5-sess', 'auth', 'fa81dd8e48a41ada33d8f65aebb743eb'],
    ['MD5-sess', 'auth-int', '8ae7bce46fe776afeab95574e2826b6a'],
    ['SHA-256', undefined, 'facbcfc09aaa8c8860d6e8cf2c396181b5315ba165eb9066a439178bc0c7f8f5'],
    ['SHA-256', 'auth', 'c4d0ec5d82d69eccc9fc53e7dd145628078896b12ff892a407edafe116ff2cea'],
    ['SHA-256', 'auth-int', 'fde4de63ad262762b62b535e9250f6577f37c6cc15bc0ca04b1439050f076887'],
    ['SHA-256-sess', 'auth', '8563fdb12b3e4489ee4219babad999d7151b0295aa750465f0f312af409577be'],
    ['SHA-256-sess', 'auth-int', 'b9e29f6aa7df193712c0bd01d06e272ac6f135e3153541c0d94c501370f2099a'],
    ['SHA-512-256', undefined, '0791fb42c3798f753d8c10a197a8d6da7b8124f71412ebb74576351ea564f07c'],
    ['SHA-512-256', 'auth', '706391a115b29b4e2337349ec2e9be2c2e46d03a94e92a809dbd28f39cf5ff5e'],
    ['SHA-512-256', 'auth-int', '64c4d2f84cafb3b4830b378e7848679b59c2cf671af9a4a6fc059b54897745fa'],
    ['SHA-512-256-sess', 'auth', '7e1a9ca54e1d9f322c300ee159344dc48b7e5c20d6d4520792445a4b7e40c369'],
    ['SHA-512-256-sess', 'auth-int', '8619fa3853c9054ed40836aeaeeeb18e6f21d4dd09edb955fa13df4879764c37'],
  ] as const)('of %s with qop %s', (algorithm, qop, response) => {
    expect(digestResponse({ ...message, algorithm, qop })).toBe(response);
  });

  it('covers an empty body with auth-int by the hash of nothing (RFC 8760 clause 2.6 item 7)', () => {
    const empty = { ...message, algorithm: 'SHA-256', qop: 'auth-int', body: new Uint8Array() } as const;
    expect(digestResponse(empty)).not.toBe(digestResponse({ ...empty, body: utf8('Hello') }));
    expect(digestResponse(empty)).not.toBe(digestResponse({ ...empty, qop: 'auth' }));
  });
});

describe('the example of RFC 7616 clause 3.9.2', () => {
  const challenge = readChallenge(
    'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", ' +
      'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true',
  );
  const question: DigestAnswerInput = {
    challenge,
    username: jason,
    password: secret('Secret, or not?'),
    method: 'GET',
    uri: '/doe.json',
    body: new Uint8Array(),
    nonceCount: 1,
    cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
  };
  // The RFC prints values of SHA-512 cut to 256 bits, which is not SHA-512/256 (an erratum says so); these are by openssl.
  const userhash = '793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b';
  const response = '3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5';

  it('reads charset and userhash', () => {
    expect(challenge).toMatchObject({ isUnicode: true, userhash: true });
    expect(readChallenge('Digest realm="r", nonce="n", charset=latin1, userhash=false')).toMatchObject({
      isUnicode: false,
      userhash: false,
    });
  });

  it('sends the hash of the name, and makes the response with the name', () => {
    expect(hashedUsername('SHA-512-256', jason, 'api@example.org')).toBe(userhash);
    const answer = answerChallenge(question);
    expect(answer).toContain(`username="${userhash}", realm="api@example.org"`);
    expect(answer).toContain(`response="${response}"`);
    expect(answer).toContain('opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", userhash=true');
    const plain = answerChallenge({ ...question, challenge: { ...challenge, userhash: false } });
    expect(plain).toContain(`username="${jason}"`);
    expect(plain).toContain(`response="${response}"`);
    expect(plain).not.toContain('userhash');
  });

  it('normalises name and password when the server says that it uses UTF-8, and only then', () => {
    const password = secret('ge\u0301nie');
    const same = secret('g\u00e9nie');
    const decomposed = answerChallenge({ ...question, username: jason.normalize('NFD'), password });
    expect(decomposed).toBe(answerChallenge({ ...question, password: same }));
    const raw = { ...question, challenge: { ...challenge, isUnicode: false } };
    expect(answerChallenge({ ...raw, password })).not.toBe(answerChallenge({ ...raw, password: same }));
    // The account keeps its own password.
    expect(password.use((octets) => octets.length)).toBe(7);
  });
});

describe('the choice among challenges', () => {
  const of = (algorithm: string, nonce = algorithm): string =>
    `Digest realm="r", nonce="${nonce}", algorithm=${algorithm}, qop="auth"`;

  it.each([
    ['stronger below weaker', [of('MD5'), of('SHA-256')], 'SHA-256'],
    ['weaker below stronger', [of('SHA-512-256'), of('MD5')], 'SHA-512-256'],
    ['equal strength: the topmost', [of('SHA-256'), of('SHA-512-256')], 'SHA-256'],
    ['equal strength, other order', [of('MD5'), of('SHA-512-256'), of('SHA-256')], 'SHA-512-256'],
    [
      'session variants count as their plain forms',
      [of('MD5-sess'), of('SHA-256-sess'), of('SHA-256')],
      'SHA-256-sess',
    ],
    ['unknown ones are ignored', [of('SHA-3'), of('token'), of('MD5')], 'MD5'],
    ['no algorithm is MD5', ['Digest realm="r", nonce="n"', of('SHA-256')], 'SHA-256'],
  ])('%s', (_, values, algorithm) => {
    expect(selectChallenge(values)?.algorithm).toBe(algorithm);
  });

  it('never takes Basic (RFC 8760 clause 2.6)', () => {
    expect(selectChallenge(['Basic realm="r"'])).toBeUndefined();
  });

  it('takes auth-int first only where the account wants it', () => {
    const both = ['Digest realm="r", nonce="n", qop="auth, auth-int"'];
    expect(readChallenges(both)[0]?.qop).toBe('auth');
    expect(readChallenges(both, { prefers: 'auth-int' })[0]?.qop).toBe('auth-int');
    expect(readChallenges(['Digest realm="r", nonce="n", qop="auth"'], { prefers: 'auth-int' })[0]?.qop).toBe('auth');
  });

  it('ignores parameters that it does not know', () => {
    expect(readChallenge('Digest realm="r", nonce="n", domain="/a /b", future=1, algorithm=MD5').algorithm).toBe('MD5');
  });

  it('looks at no more than 16 challenges', () => {
    const many = [...Array.from({ length: 16 }, (_, index) => of('MD5', `${index}`)), of('SHA-256')];
    expect(readChallenges(many)).toHaveLength(16);
    expect(selectChallenge(many)?.algorithm).toBe('MD5');
  });

  it('refuses a challenge above 8 KiB', () => {
    expect(() => readChallenge(`Digest realm="${'r'.repeat(9000)}", nonce="n"`)).toThrow(
      expect.objectContaining({ kind: 'malformed' }),
    );
  });
});

describe('Authentication-Info', () => {
  const sent = (algorithm: string, qop: string): DigestAnswerInput => ({
    ...message,
    challenge: readChallenge(`Digest realm="lab.test", nonce="n0nce", algorithm=${algorithm}, qop="${qop}"`),
    nonceCount: 1,
  });
  const proof = (text: string, algorithm = 'SHA-256', qop = 'auth'): boolean =>
    provesServer(readAuthenticationInfo(text), sent(algorithm, qop), utf8(qop === 'auth' ? '' : 'Bye'));
  const right = '269dda752a41c10c6c8ccd4e1da5b56781751256eb12d6219c5c64c75a033826';

  // rspauth by openssl: the response value with an empty method.
  it.each([
    ['MD5', 'auth', '2a2135999aa59bdaadb1503b4769b00f'],
    ['MD5', 'auth-int', 'd29049538abec6ac276d1eb901c77d51'],
    ['SHA-256', 'auth', right],
    ['SHA-256', 'auth-int', 'b9a10513b8af7307fe62643db88f816a83d11c4389a5bac4b976b2ed37442427'],
    ['SHA-512-256', 'auth', 'd88aa01fd99769f4e2c7d44e3ba64ab2f49374b70317cb947bf157e785479cce'],
    ['SHA-512-256', 'auth-int', 'ba8564ca4d4c4a2ed187648ed311b301f706353af9352134339bdba501aa2930'],
  ])('proves the server with %s and %s', (algorithm, qop, rspauth) => {
    const info = `qop=${qop}, rspauth="${rspauth}", cnonce="c1ient", nc=00000001`;
    expect(provesServer(readAuthenticationInfo(info), sent(algorithm, qop), utf8('Bye'))).toBe(true);
  });

  it.each([
    ['another value', `rspauth="${right.replace('2', '3')}"`],
    ['another client nonce', `rspauth="${right}", cnonce="other"`],
    ['another count', `rspauth="${right}", nc=00000002`],
    ['another quality of protection', `rspauth="${right}", qop=auth-int`],
    ['no value', 'nextnonce="n"'],
  ])('does not with %s', (_, info) => {
    expect(proof(info)).toBe(false);
  });

  it('does not with a body that was changed', () => {
    const rspauth = 'b9a10513b8af7307fe62643db88f816a83d11c4389a5bac4b976b2ed37442427';
    const info = readAuthenticationInfo(`rspauth="${rspauth}"`);
    expect(provesServer(info, sent('SHA-256', 'auth-int'), utf8('bye'))).toBe(false);
  });
});
