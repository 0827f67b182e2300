import { parseArgs, type ParseArgsConfig } from 'node:util';

/** Where lines go. */
export interface Output {
  readonly print: (line: string) => void;
  readonly printError: (line: string) => void;
}

/** What a subcommand was given. */
export interface Arguments extends Output {
  readonly config: string;
  readonly positionals: readonly string[];
  readonly flags: ReadonlySet<string>;
  /** Values of the options that take one, in order. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export interface Command {
  /** Words after the name: `URI... [--psk-id NAME]`. */
  readonly synopsis: string;
  readonly explanation: string;
  /** Options that take a value. */
  readonly options?: readonly string[];
  /** Options that take none. */
  readonly flags?: readonly string[];
  /** Fewest and most words that are no options. */
  readonly words: readonly [fewest: number, most: number];
  /** @returns the exit status. */
  run(given: Arguments): Promise<number>;
}

/** What was wrong on the command line, in a few words. */
export class UsageError extends Error {}

/** @throws UsageError when the words do not fit the command. */
export function readArguments(command: Command, words: readonly string[], output: Output): Arguments {
  const { tokens } = parse(command, words);
  const positionals: string[] = [];
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.value === undefined) flags.add(token.name);
    else values.set(token.name, [...(values.get(token.name) ?? []), token.value]);
  }
  const config = values.get('config')?.at(-1);
  if (config === undefined) throw new UsageError('--config FILE is missing');
  const [fewest, most] = command.words;
  if (positionals.length < fewest) throw new UsageError('Something is missing');
  const surplus = positionals[most];
  if (surplus !== undefined) throw new UsageError(`Unexpected argument '${surplus}'`);
  return { ...output, config, positionals, flags, values };
}

function parse({ options = [], flags = [] }: Command, words: readonly string[]) {
  const named: NonNullable<ParseArgsConfig['options']> = {};
  for (const name of ['config', ...options]) named[name] = { type: 'string', multiple: true };
  for (const name of flags) named[name] = { type: 'boolean' };
  try {
    return parseArgs({ args: [...words], options: named, allowPositionals: true, tokens: true });
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split('\n') : [];
    throw new UsageError(line.replace(/\.$/, ''), { cause: error });
  }
}

/** The last value of an option. */
export const valueOf = ({ values }: Arguments, name: string): string | undefined => values.get(name)?.at(-1);
