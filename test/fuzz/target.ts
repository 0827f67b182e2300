import { ProtocolError } from '../../src/base/errors.ts';
import type { FuzzRandom } from './fuzz-random.ts';
import type { MutationMaterial } from './mutate.ts';

/** Something that takes octets from strangers. */
export interface FuzzTarget extends MutationMaterial {
  readonly name: string;
  /** An input; `mutated` of the corpus unless the target knows better. */
  readonly make?: (random: FuzzRandom) => Uint8Array;
  /**
   * Gives one input to what is tested. Everything that it throws is a finding.
   * @param random for further choices, such as where to cut a stream; the same for the same input of a run.
   */
  check(input: Uint8Array, random: FuzzRandom): void | Promise<void>;
}

/** What a parser makes of its input; `undefined` when it refuses it with a ProtocolError. Any other error goes on. */
export function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    checkError(error);
    return undefined;
  }
}

/** What a codec writes of what it has read; `undefined` when it says itself that this cannot be written. */
export function written<T>(write: () => T): T | undefined {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.kind !== 'local') throw error;
    return undefined;
  }
}

/** A wrong call of ours would be `local`: no octets of a peer may look like one. */
function checkError(error: ProtocolError): void {
  ensure(error.kind !== 'local', `the parser blames its caller: ${error.message}`);
  ensure(error.offset === undefined || error.offset >= 0, `offset ${String(error.offset)}`);
  ensure(error.message.length < 2000, 'an error text without bounds');
}

export function ensure(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}

/** Bytes and text of a value in a form that can be compared; views of one buffer compare by what they show. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part instanceof Uint8Array) return `octets:${Buffer.from(part).toString('hex')}`;
    if (part instanceof Map) return [...part.entries()];
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

export function ensureSame(actual: unknown, expected: unknown, problem: string): void {
  ensure(canonical(actual) === canonical(expected), problem);
}
