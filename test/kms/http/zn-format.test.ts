import { describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { decodeZnAnswer, decodeZnQuestion, encodeZnAnswer, encodeZnQuestion } from '../../../src/kms/http/zn-format.ts';
import { uaProtocolKms } from '../../../src/protocol/gba/index.ts';

const question = { btid: 'cmFuZA==@bsf.lab.test', nafFqdn: 'kms.lab.test', uaProtocolId: uaProtocolKms };
const answer = {
  privateIdentity: 'alice@lab.test',
  identities: ['sip:alice@lab.test'],
  bootstrappedAt: Date.UTC(2026, 0, 1),
  validUntil: Date.UTC(2026, 0, 2),
};
const withKey = () => ({ ...answer, key: new SecretBytes(new Uint8Array(32).fill(7)) });
const changed = (change: object): Uint8Array =>
  utf8(JSON.stringify({ ...(JSON.parse(new TextDecoder().decode(encodeZnAnswer(withKey()))) as object), ...change }));

describe('questions and answers over Zn', () => {
  it('come back as they were', () => {
    expect(decodeZnQuestion(encodeZnQuestion(question))).toEqual(question);
    const { key, ...rest } = decodeZnAnswer(encodeZnAnswer(withKey()))!;
    expect(rest).toEqual(answer);
    expect(key.use(toHex)).toBe('07'.repeat(32));
    expect(decodeZnAnswer(encodeZnAnswer(undefined))).toBeUndefined();
  });

  it.each<readonly [string, Uint8Array, string]>([
    ['no JSON', utf8('{"known":'), 'zn.answer'],
    ['no UTF-8', Uint8Array.of(0xff), 'zn.answer'],
    ['no object', utf8('null'), 'zn.answer'],
    ['of another kind', utf8('{"known":1}'), 'zn.answer.known'],
    ['with a field more', changed({ more: 1 }), 'zn.answer'],
    ['with a short key', changed({ ksNaf: 'AAAA' }), 'zn.answer.ksNaf'],
    ['with a time that is none', changed({ validUntil: 'soon' }), 'zn.answer.validUntil'],
    ['for nobody', changed({ identities: [] }), 'zn.answer.identities'],
    ['with an empty identity', changed({ identities: [''] }), 'zn.answer.identities.0'],
  ])('an answer %s is refused by the name of the field', (_, body, field) => {
    expect(() => decodeZnAnswer(body)).toThrow(
      expect.objectContaining({ name: 'ProtocolError', kind: 'malformed', field }) as Error,
    );
  });

  it('a key in an answer that cannot be read is in no error', () => {
    const secret = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=';
    for (const body of [changed({ ksNaf: `${secret}=` }), utf8(`{"known":true,"ksNaf":"${secret}"`)]) {
      expect(() => decodeZnAnswer(body)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('QUJD') as string }) as Error,
      );
    }
  });
});
