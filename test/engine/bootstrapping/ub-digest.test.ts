import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import {
  answerUbChallenge,
  firstAuthorization,
  isProvenAnswer,
  provingInfo,
  readUbChallenge,
  type UbChallenge,
} from '../../../src/engine/bootstrapping/ub-digest.ts';

const subject = { username: 'alice@lab.test', uri: '/' };
const header =
  'Digest realm="bsf.lab.test", nonce="bm9uY2U=", algorithm=AKAv1-MD5, qop="auth,auth-int", opaque="o\\"q", stale=TRUE';
const challenge: UbChallenge = {
  realm: 'bsf.lab.test',
  nonce: 'bm9uY2U=',
  opaque: 'o"q',
  algorithm: 'AKAv1-MD5',
  stale: true,
};
const cnonce = '0123456789abcdef';
const body = utf8('<BootstrappingInfo/>');
/** RES holds any octets, which no text has to be made of. */
const res = Uint8Array.of(0x00, 0xff, 0x3a, 0x80, 0x0d, 0x0a, 0x22, 0xfe);
const secret = () => new SecretBytes(res);

/** RFC 7616 3.4.1 with qop auth-int, written down once more. */
function expected(hash: 'md5' | 'sha256', method: string, entity: Uint8Array): string {
  const of = (...parts: (string | Uint8Array)[]) => {
    const state = createHash(hash);
    for (const part of parts) state.update(part);
    return state.digest('hex');
  };
  const a1 = of('alice@lab.test:bsf.lab.test:', res);
  const a2 = of(`${method}:/:${of(entity)}`);
  return of(`${a1}:bm9uY2U=:00000001:${cnonce}:auth-int:${a2}`);
}

describe('a challenge', () => {
  it('is read with everything that an answer needs', () => {
    expect(readUbChallenge(header)).toEqual(challenge);
    expect(readUbChallenge('digest nonce="n", realm="r", QOP=auth-int')).toEqual({
      realm: 'r',
      nonce: 'n',
      opaque: undefined,
      algorithm: 'MD5',
      stale: false,
    });
  });

  it.each([
    ['none', undefined],
    ['another scheme', 'Basic realm="x"'],
    ['no nonce', 'Digest realm="x", qop="auth-int"'],
    ['no realm', 'Digest nonce="x", qop="auth-int"'],
    ['no protection of bodies', 'Digest realm="x", nonce="y", qop="auth"'],
    ['none at all', 'Digest realm="x", nonce="y"'],
    ['an unknown algorithm', 'Digest realm="x", nonce="y", qop="auth-int", algorithm=SHA-512-256'],
    ['a session algorithm', 'Digest realm="x", nonce="y", qop="auth-int", algorithm=MD5-sess'],
    ['two challenges in one', `${header}, ${header}`],
    ['too much', `Digest realm="${'x'.repeat(9000)}", nonce="y", qop="auth-int"`],
  ])('is refused when it is %s', (_, text) => {
    expect(() => readUbChallenge(text)).toThrow(ProtocolError);
  });

  it('that was changed anywhere is read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.nat(header.length - 1), fc.string({ maxLength: 3 }), (at, inserted) => {
        try {
          readUbChallenge(header.slice(0, at) + inserted + header.slice(at + 1));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { seed: 3310, numRuns: 500 },
    );
  });
});

describe('an answer', () => {
  it('is the digest of RFC 7616 over the octets of RES', () => {
    const { authorization, response } = answerUbChallenge(challenge, subject, secret(), cnonce);
    expect(response).toBe(expected('md5', 'GET', new Uint8Array()));
    expect(authorization).toBe(
      'Digest username="alice@lab.test", realm="bsf.lab.test", nonce="bm9uY2U=", uri="/", ' +
        `response="${response}", algorithm=AKAv1-MD5, qop=auth-int, nc=00000001, cnonce="${cnonce}", opaque="o\\"q"`,
    );
  });

  it('may carry AUTS', () => {
    const { authorization } = answerUbChallenge(challenge, subject, new SecretBytes(new Uint8Array()), cnonce, 'AAA=');
    expect(authorization).toMatch(/, auts="AAA="$/);
  });

  it('comes after a question that names the subscriber alone', () => {
    expect(firstAuthorization(subject, 'bsf.lab.test')).toBe(
      'Digest username="alice@lab.test", realm="bsf.lab.test", nonce="", uri="/", response=""',
    );
  });
});

describe('the proof of the BSF', () => {
  const sent = answerUbChallenge({ ...challenge, algorithm: 'SHA-256' }, subject, secret(), cnonce);
  const info = provingInfo(sent.challenge, subject, secret(), cnonce, body);

  it('is rspauth over the body', () => {
    expect(info).toContain(`rspauth="${expected('sha256', '', body)}"`);
    expect(isProvenAnswer(sent, secret(), info, body)).toBe(true);
    expect(isProvenAnswer(sent, secret(), `rspauth="${expected('sha256', '', body).toUpperCase()}"`, body)).toBe(true);
  });

  it.each([
    ['is not there', undefined, body],
    ['has no rspauth', `qop=auth-int, cnonce="${cnonce}", nc=00000001`, body],
    ['is for another body', info, utf8('<BootstrappingInfo />')],
    ['is for another cnonce', info.replace(cnonce, 'fedcba9876543210'), body],
    ['is for another question', info.replace('nc=00000001', 'nc=00000002'), body],
    ['is of another quality', info.replace('auth-int', 'auth'), body],
    ['is the response itself', `rspauth="${sent.response}"`, body],
    ['cannot be read', 'rspauth="', body],
  ])('does not hold when it %s', (_, text, entity) => {
    expect(isProvenAnswer(sent, secret(), text, entity)).toBe(false);
  });

  it('does not hold under another secret', () => {
    expect(isProvenAnswer(sent, new SecretBytes(utf8('other')), info, body)).toBe(false);
  });
});
