import { parseArgs } from 'node:util';

export interface ChaosOptions {
  readonly seed: string;
  /** How long the disturbance lasts; the wait for the last messages comes on top. */
  readonly minutes: number;
  /** Of each party. */
  readonly messages: number;
  /** Keeps the folder of the run. */
  readonly keep: boolean;
}

export const chaosUsage = `usage: npm run chaos -- [--seed S] [--minutes M] [--messages N] [--keep]

Two UEs send each other messages of every protection while the network, the KMS and the UEs are killed and the network is cut
and slowed. At the end each message is shown once, in order and as protected as promised, or its sender sees that it is not.
  --seed S      any text (a new one for each run, printed): the same seed makes the same messages and the same faults
  --minutes M   how long the disturbance lasts (4)
  --messages N  of each party (2000)
  --keep        leaves the folder of the run, with everything that passed the network
`;

export type ChaosArguments =
  | { readonly kind: 'run'; readonly options: ChaosOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly problem: string };

export function readChaosOptions(args: readonly string[]): ChaosArguments {
  const wrong = (problem: string): ChaosArguments => ({ kind: 'wrong', problem });
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        seed: { type: 'string', default: String(Date.now()) },
        minutes: { type: 'string', default: '4' },
        messages: { type: 'string', default: '2000' },
        keep: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return wrong(error instanceof Error ? error.message : 'wrong options');
  }
  if (values.help) return { kind: 'help' };
  if (!/^\d{1,3}(\.\d+)?$/.test(values.minutes) || Number(values.minutes) <= 0)
    return wrong('--minutes is a number above 0');
  if (!/^[1-9]\d{0,5}$/.test(values.messages)) return wrong('--messages is a whole number above 0');
  const { seed, keep } = values;
  return { kind: 'run', options: { seed, minutes: Number(values.minutes), messages: Number(values.messages), keep } };
}
