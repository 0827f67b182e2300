import { toHex } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { decodeZnAnswer, decodeZnQuestion, encodeZnAnswer, encodeZnQuestion } from '../../../src/kms/http/zn-format.ts';
import type { NafKey } from '../../../src/kms/naf-keys.ts';
import { uaProtocolKms } from '../../../src/protocol/gba/index.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { start } from './mikey-world.ts';

const key = new Uint8Array(32).fill(0x5a);
/** In base64 and as digits; no part of it may be in a text for people. */
const shown = ['WlpaWlpa', '5a5a5a5a'];

const comparable = (answer: NafKey | undefined): unknown =>
  answer === undefined ? 'unknown' : { ...answer, key: answer.key.use(toHex) };

/** Questions and answers over Zn: what is read is written to the same; no error and no text of an answer shows the key. */
export const zn: FuzzTarget = {
  name: 'zn',
  corpus: [
    encodeZnQuestion({ btid: 'cmFuZA==@bsf.lab.test', nafFqdn: 'kms.lab.test', uaProtocolId: uaProtocolKms }),
    encodeZnAnswer({
      privateIdentity: 'alice@lab.test',
      identities: ['sip:alice@lab.test', 'tel:+15550100'],
      key: new SecretBytes(key),
      bootstrappedAt: start,
      validUntil: start + 3600_000,
    }),
    encodeZnAnswer(undefined),
  ],
  tokens: words(
    '{"known":true,',
    '"known":false',
    '"ksNaf":"',
    'null',
    '[',
    ']',
    '{',
    '}',
    '"',
    ',',
    ':',
    '\\u0000',
    '1e999',
    '"__proto__":{},',
    '2026-01-01T00:00:00+14:00',
    '9999-12-31T23:59:60Z',
  ),
  check: (input) => {
    const question = parsed(() => decodeZnQuestion(input));
    if (question !== undefined) {
      ensureSame(decodeZnQuestion(encodeZnQuestion(question)), question, 'another question after writing and reading');
    }
    let answer: NafKey | undefined;
    try {
      answer = decodeZnAnswer(input);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      parsed(() => {
        throw error;
      });
      ensure(!shown.some((part) => error.message.includes(part)), 'a key in the error');
      return;
    }
    ensure(answer === undefined || answer.key.length === 32, 'a key of odd length');
    const again = decodeZnAnswer(encodeZnAnswer(answer));
    ensureSame(comparable(again), comparable(answer), 'another answer after writing and reading');
    // Of the key alone: a damaged input may bear its octets in another place.
    const text = answer === undefined ? '' : `${String(answer.key)} ${JSON.stringify(answer.key)}`;
    ensure(!shown.some((part) => text.includes(part)), 'a key in a text');
  },
};
