import { decodeMessage, encodeMessage } from '../../../src/protocol/mikey/index.ts';
import { messageKeys, sealMessage, suites } from '../../../src/protocol/mikey/protection.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import type { FuzzRandom } from '../fuzz-random.ts';
import { mutated } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { shuffled } from './mikey-shuffle.ts';
import { alice, ask, bob, exchanges, mikeyTokens, observableKms, type KmsKind } from './mikey-world.ts';

const requests = exchanges.map((one) => one.request);
const resolves = exchanges.map((one) => one.resolve.message);
const material = { corpus: [...requests, ...resolves], tokens: mikeyTokens };

/** A message that its sender may sign although it is nonsense: what is behind the authentication is reached by nothing else. */
function authentic(input: Uint8Array, random: FuzzRandom): Uint8Array | undefined {
  const message = parsed(() => decodeMessage(input));
  if (message === undefined || message.payloads.at(-1)?.payload !== 'V') return undefined;
  const payloads = shuffled(message.payloads.slice(0, -1), random);
  const rand = payloads.find((payload) => payload.payload === 'RANDR');
  if (rand?.payload !== 'RANDR') return undefined;
  const identity = (role: number): Uint8Array | undefined => {
    const found = payloads.find((payload) => payload.payload === 'IDR' && payload.role === role);
    return found?.payload === 'IDR' ? found.data : undefined;
  };
  const sender = rand.role === 1 ? alice : bob;
  const asker = identity(rand.role) ?? sender.identity.data;
  const kms = identity(3) ?? new TextEncoder().encode('sip:kms.lab.test');
  const rands = rand.role === 1 ? { initiator: rand.value } : { responder: rand.value };
  const suite = message.header.prf === 0 ? suites['128'] : suites['256'];
  const keys = messageKeys(suite, sender.psk, message.header.csbId, 'initial', rands);
  return parsed(() => sealMessage({ ...message, payloads }, keys, [asker, kms]).bytes);
}

/**
 * The KMS: whatever comes, an outcome; what is not authentic leaves no trace and tells nothing about who is known here.
 * Half of the inputs carry a right MAC over wrong contents.
 */
export const mikeyKms: FuzzTarget = {
  name: 'mikey-kms',
  ...material,
  make: (random) => {
    const input = mutated(random, material);
    if (random.once(2)) return input;
    return authentic(random.once(2) ? input : random.pick(material.corpus), random) ?? input;
  },
  check: async (input, random) => {
    const kinds: readonly KmsKind[] = ['request', 'resolve'];
    const kind = input[1] === 11 || input[1] === 16 ? kinds[input[1] === 11 ? 0 : 1]! : random.pick(kinds);
    const { machine, remembered } = observableKms([alice, bob]);
    const outcome = await ask(machine, kind, input);
    if (outcome.outcome === 'answered') {
      const answer = decodeMessage(outcome.message);
      ensureSame(encodeMessage(answer), outcome.message, 'an answer that re-encodes otherwise');
      const again = await ask(machine, kind, input);
      ensure(again.outcome === 'refused', 'a replay was answered');
      return;
    }
    ensure(outcome.error instanceof ProtocolError, 'an untyped error');
    if (outcome.outcome !== 'malformed' && outcome.outcome !== 'not-authenticated') return;
    ensure(remembered.size === 0, 'an unauthentic message was remembered');
    const stranger = await ask(observableKms([]).machine, kind, input);
    ensure(stranger.outcome === outcome.outcome, 'the outcome tells whether the user is known');
    if (stranger.outcome !== 'malformed' && stranger.outcome !== 'not-authenticated') return;
    ensureSame(stranger.message, outcome.message, 'the answer tells whether the user is known');
    if (!random.once(16)) return;
    const good = await ask(machine, 'request', requests[0]!);
    ensure(good.outcome === 'answered', 'a right message was refused after an unauthentic one');
  },
};
