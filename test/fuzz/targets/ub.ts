import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { answerUbChallenge, firstAuthorization, readUbChallenge } from '../../../src/engine/bootstrapping/ub-digest.ts';
import { Bsf, type UbAnswer } from '../../../src/lab/bsf/bsf.ts';
import { akaProof, digestProof } from '../../../src/lab/bsf/proofs.ts';
import { readUbAuthorization } from '../../../src/lab/bsf/ub-questions.ts';
import { decodeBootstrappingInfo, type AuthenticationVector } from '../../../src/protocol/gba/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { TestSubscriber } from '../../engine/support/memory-bsf.ts';
import { repeatableRandom } from '../../protocol/mikey/parties.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { headerTokens } from './samples.ts';
import { start } from './mikey-world.ts';

const subject = { username: 'alice@lab.test', uri: '/' };
const modes = ['gba-aka', 'gba-digest'] as const;
type Mode = (typeof modes)[number];
const exportKey = (_label: string, octets: number): SecretBytes => new SecretBytes(new Uint8Array(octets).fill(3));

/** A BSF that has challenged Alice, and the right answer to that; every one of a mode is like every other. */
function challenged(mode: Mode) {
  const subscriber = new TestSubscriber(['sip:alice@lab.test'], 'right', repeatableRandom('fuzz-ub-subscriber'));
  const vectors: AuthenticationVector[] = [];
  const createVector = (): AuthenticationVector => {
    const vector = subscriber.createVector();
    vectors.push(vector);
    return vector;
  };
  const bsf = new Bsf({
    name: 'bsf.lab.test',
    domain: 'lab.test',
    subscribers: {
      find: (name) =>
        name === subject.username
          ? { identities: subscriber.identities, password: subscriber.password, createVector }
          : undefined,
    },
    clock: new FakeClock(start),
    random: repeatableRandom('fuzz-ub'),
    log: silentLogger,
  });
  const userAgent = mode === 'gba-digest' ? profile.bootstrapping.digestToken : 'fuzz';
  const ask = (authorization: string): UbAnswer =>
    bsf.handle({ method: 'GET', target: '/', authorization, userAgent, exportKey });
  const challenge = readUbChallenge(ask(firstAuthorization(subject, 'lab.test')).headers['WWW-Authenticate']);
  const [vector] = vectors;
  const { password } =
    vector === undefined ? digestProof(challenge, subject.username, subscriber.password, exportKey) : akaProof(vector);
  return { bsf, ask, right: answerUbChallenge(challenge, subject, password, 'cnonce1').authorization };
}

const right = { 'gba-aka': challenged('gba-aka').right, 'gba-digest': challenged('gba-digest').right };

/** Questions to a BSF: only the one right answer to its challenge bootstraps, however it is written. */
export const ub: FuzzTarget = {
  name: 'ub',
  corpus: words(
    right['gba-aka'],
    right['gba-digest'],
    firstAuthorization(subject, 'lab.test'),
    `${right['gba-aka']}, auts="${'A'.repeat(19)}="`,
  ),
  tokens: [...headerTokens, ...words('auts="', 'nc=00000002', 'qop=auth', 'uri="/x"', 'username="bob@lab.test"')],
  check: (input, random) => {
    const text = new TextDecoder().decode(input);
    const mode = random.pick(modes);
    const { bsf, ask } = challenged(mode);
    const answer = ask(text);
    ensure([200, 400, 401, 403].includes(answer.status), `status ${answer.status}`);
    ensure((answer.status === 200) === (bsf.keys === 1), 'a key without an answer, or the other way round');
    const read = parsed(() => readUbAuthorization(text));
    ensure((read === undefined) === (answer.status === 400) || read?.auts !== undefined, 'taken without being read');
    if (answer.status !== 200) return;
    ensureSame(read, readUbAuthorization(right[mode]), 'a key for another answer than the right one');
    decodeBootstrappingInfo(answer.body);
    ensure(ask(text).status === 401, 'an answer was taken twice');
  },
};
