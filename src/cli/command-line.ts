import { parseArgs, type ParseArgsConfig } from 'node:util';

type OptionSet = NonNullable<ParseArgsConfig['options']>;
type Values<Options extends OptionSet> = ReturnType<typeof parseArgs<{ options: Options }>>['values'];

/**
 * The options that a command was given; `undefined` when there is nothing to run, because the help was asked for and is
 * written, or because an argument is wrong: then one line on standard error tells what, and the exit status is 2.
 * @param findProblem what is wrong with well-formed options, in a few words.
 */
export function readOptions<const Options extends OptionSet>(
  usage: string,
  options: Options,
  findProblem: (values: Values<Options>) => string | undefined = () => undefined,
): Values<Options> | undefined {
  let values: Values<Options>;
  try {
    if (parseArgs({ options: { help }, strict: false }).values.help === true) {
      process.stdout.write(`${usage.trimEnd()}\n`);
      return undefined;
    }
    values = parseArgs({ options }).values;
  } catch (error) {
    refuse(error instanceof Error ? error.message : 'Wrong arguments');
    return undefined;
  }
  const problem = findProblem(values);
  if (problem === undefined) return values;
  refuse(problem);
  return undefined;
}

const help = { type: 'boolean', short: 'h' } as const;

function refuse(problem: string): void {
  const [line = ''] = problem.split('\n');
  process.stderr.write(`${line.replace(/\.$/, '')}. --help tells what may be given.\n`);
  process.exitCode = 2;
}
