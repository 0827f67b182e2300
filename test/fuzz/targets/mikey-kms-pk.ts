import { equalBytes } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { TrustAnchors } from '../../../src/crypto/certificate-path.ts';
import { Certificate } from '../../../src/crypto/x509.ts';
import { decodeMessage, encodeMessage } from '../../../src/protocol/mikey/index.ts';
import { signMessage } from '../../../src/protocol/mikey/signature.ts';
import { kmsIdentity } from '../../protocol/mikey/parties.ts';
import type { FuzzRandom } from '../fuzz-random.ts';
import { mutated } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { shuffled } from './mikey-shuffle.ts';
import { alice, ask, bob, exchanges, mikeyTokens, observableKms, type KmsKind } from './mikey-world.ts';
import { publicKeys } from './public-keys.ts';

const { authority, below, kms, request, resolve } = publicKeys;
const material = {
  corpus: [request, resolve, exchanges[0].request],
  tokens: [...mikeyTokens, publicKeys.alice.certificate, publicKeys.bob.certificate, publicKeys.elliptic, below],
};
const options = {
  keys: [{ certificate: new Certificate(kms.certificate, 'kms'), privateKey: kms.privateKey }],
  anchors: new TrustAnchors([authority], 'anchors'),
};

/** Nonsense that its sender has signed: what is behind the signature is reached by nothing else. */
function authentic(input: Uint8Array, random: FuzzRandom): Uint8Array | undefined {
  const message = parsed(() => decodeMessage(input));
  if (message?.payloads.at(-1)?.payload !== 'SIGN') return undefined;
  const [signer, party] = message.header.dataType === 12 ? [publicKeys.alice, alice] : [publicKeys.bob, bob];
  const payloads = shuffled(message.payloads.slice(0, -1), random);
  const trailer = [party.identity.data, kmsIdentity.data];
  return parsed(() => signMessage({ ...message, payloads }, signer.privateKey, trailer).bytes);
}

/** The KMS that takes public-key questions: as `mikey-kms`; half of the inputs carry a right signature over wrong contents. */
export const mikeyKmsPublicKey: FuzzTarget = {
  name: 'mikey-kms-pk',
  ...material,
  make: (random) => {
    const input = mutated(random, material);
    if (random.once(2)) return input;
    return authentic(random.once(2) ? input : random.pick([request, resolve]), random) ?? input;
  },
  check: async (input, random) => {
    const kind = kindOf(input[1], random);
    const { machine, remembered } = observableKms([alice, bob], options);
    const outcome = await ask(machine, kind, input);
    if (outcome.outcome === 'answered') {
      ensureSame(encodeMessage(decodeMessage(outcome.message)), outcome.message, 'an answer that re-encodes otherwise');
      ensure((await ask(machine, kind, input)).outcome === 'refused', 'a replay was answered');
      return;
    }
    ensure(!isRight(input), 'a right question was refused');
    ensure(outcome.error instanceof ProtocolError, 'an untyped error');
    if (outcome.outcome !== 'malformed' && outcome.outcome !== 'not-authenticated') return;
    ensure(remembered.size === 0, 'an unauthentic message was remembered');
    const stranger = await ask(observableKms([], options).machine, kind, input);
    ensure(stranger.outcome === outcome.outcome, 'the outcome tells whether the user is known');
    if (stranger.outcome !== 'malformed' && stranger.outcome !== 'not-authenticated') return;
    ensureSame(stranger.message, outcome.message, 'the answer tells whether the user is known');
    if (!random.once(16)) return;
    const good = await ask(machine, 'request', request);
    ensure(good.outcome === 'answered', 'a right message was refused after an unauthentic one');
  },
};

const isRight = (input: Uint8Array): boolean => equalBytes(input, request) || equalBytes(input, resolve);

function kindOf(type: number | undefined, random: FuzzRandom): KmsKind {
  if (type === 11 || type === 12) return 'request';
  if (type === 16 || type === 17) return 'resolve';
  return random.pick(['request', 'resolve']);
}
