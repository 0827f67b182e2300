import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '../base/errors.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { createJsonLogger } from '../node/json-logger.ts';

const usage = `npm run lab [-- options]
  --users alice,bob,carol   the subscribers
  --dir DIR                 where the UE configuration files go (default: a temporary folder, removed at the end)
  --sip-tls-port N          ports on 127.0.0.1 (default: free ones)
  --sip-tcp-port N
  --kms-port N
  --verbose                 log lines on standard error
Stop it with Ctrl-C.`;

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: 'alice,bob,carol' },
    dir: { type: 'string' },
    'sip-tls-port': { type: 'string' },
    'sip-tcp-port': { type: 'string' },
    'kms-port': { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

try {
  if (values.help) console.log(usage);
  else await run();
} catch (error) {
  console.error(`The lab could not start: ${describeError(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const lab = await startLab({
    users: values.users.split(',').map((name) => name.trim()),
    ports: {
      sipTls: port(values['sip-tls-port']),
      sipTcp: port(values['sip-tcp-port']),
      kms: port(values['kms-port']),
    },
    ...(values.verbose ? { log: createJsonLogger((line) => process.stderr.write(line), 'debug') } : {}),
  });
  const temporary = values.dir === undefined ? await mkdtemp(join(tmpdir(), 'tessera-lab-')) : undefined;
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await lab.stop();
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    console.log('Stopped.');
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
  try {
    console.log(describe(lab, await writeUeConfigs(lab, temporary ?? values.dir ?? '.')));
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The files hold passwords and keys: only the owner may read them. */
async function writeUeConfigs(lab: Lab, folder: string): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: string[] = [];
  for (const { name } of lab.users) {
    const file = join(folder, `${name}.json`);
    await writeFile(file, `${JSON.stringify(lab.ueConfig(name), undefined, 2)}\n`, { mode: 0o600 });
    // The mode above counts for new files only.
    await chmod(file, 0o600);
    files.push(file);
  }
  return files;
}

function describe(lab: Lab, files: readonly string[]): string {
  const { tls, tcp } = lab.sip;
  return [
    `The lab runs, domain ${lab.domain}.`,
    `  SIP over TLS  ${tls.host}:${tls.port}`,
    `  SIP over TCP  ${tcp.host}:${tcp.port}`,
    `  KMS           ${lab.kms.url}  (${lab.kms.identity})`,
    '',
    'Start a UE with',
    ...files.map((file) => `  npm run ue -- --config ${file}`),
    '',
    'Ctrl-C stops the lab; the configuration files are of no use afterwards.',
  ].join('\n');
}

function port(text: string | undefined): number {
  const number = Number(text ?? 0);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) throw new RangeError(`not a port: ${text ?? ''}`);
  return number;
}
