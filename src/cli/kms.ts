import { runKms } from './kms/run-kms.ts';

process.exitCode = await runKms(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (line) => process.stderr.write(`${line}\n`),
});
