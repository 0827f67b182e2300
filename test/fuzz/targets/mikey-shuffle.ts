import type { Payload } from '../../../src/protocol/mikey/index.ts';
import type { FuzzRandom } from '../fuzz-random.ts';

/** Payloads in another order, some twice, some missing, and the flags of a policy at random. */
export function shuffled(payloads: readonly Payload[], random: FuzzRandom): Payload[] {
  const out = payloads.flatMap((payload) => {
    if (random.once(12)) return [];
    return random.once(12) ? [payload, payload] : [changedPolicy(payload, random)];
  });
  if (random.once(4)) out.reverse();
  return out;
}

function changedPolicy(payload: Payload, random: FuzzRandom): Payload {
  if ((payload.payload !== 'TP' && payload.payload !== 'TICKET') || random.once(2)) return payload;
  const { policy } = payload;
  const flags = Object.fromEntries(
    Object.entries(policy.flags).map(([name, value]) => [name, random.once(6) ? !value : value]),
  ) as unknown as typeof policy.flags;
  const parameters = random.once(3) ? shuffled(policy.parameters, random) : policy.parameters;
  return { ...payload, policy: { ...policy, flags, parameters } };
}
