import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../base/errors.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { credentialModeNamed, labCredentialModes, type LabCredentialMode } from '../lab/ue-config.ts';
import { createJsonLogger } from '../node/json-logger.ts';
import { readOptions } from './command-line.ts';

const usage = `npm run lab [-- options]
  --users alice,bob,carol   the subscribers
  --sim alice,bob           those of them who register with a SIM (AKA) instead of a password
  --kms MODE                how UEs come to their key of the KMS: static-psk (default), gba-aka or gba-digest
  --dir DIR                 where the UE configuration files go (default: a temporary folder, removed at the end)
  --state DIR               keeps users, keys, ports and waiting messages there: a lab that is started again with the same
                            folder is the same network, however it ended. The configuration files go there too
  --edges 1|2               how many edges stand before the registrar (default: 1)
  --copies                  a user's other devices get a copy of each MESSAGE that one of them sends
  --record-to DIR           puts everything that passes the edges and the KMS there, one file for each stream
  --sip-tls-port N          ports on 127.0.0.1 (default: free ones)
  --sip-tcp-port N
  --kms-port N
  --bsf-port N
  --verbose                 log lines on standard error
Stop it with Ctrl-C.`;

const portOptions = ['sip-tls-port', 'sip-tcp-port', 'kms-port', 'bsf-port'] as const;

function readLabOptions() {
  return readOptions(
    usage,
    {
      users: { type: 'string', default: 'alice,bob,carol' },
      sim: { type: 'string', default: '' },
      kms: { type: 'string', default: 'static-psk' },
      dir: { type: 'string' },
      state: { type: 'string' },
      edges: { type: 'string', default: '1' },
      copies: { type: 'boolean', default: false },
      'record-to': { type: 'string' },
      'sip-tls-port': { type: 'string', default: '0' },
      'sip-tcp-port': { type: 'string', default: '0' },
      'kms-port': { type: 'string', default: '0' },
      'bsf-port': { type: 'string', default: '0' },
      verbose: { type: 'boolean', default: false },
    },
    (given) => {
      if (credentialModeNamed(given.kms) === undefined) return `--kms is one of ${labCredentialModes.join(', ')}`;
      if (given.edges !== '1' && given.edges !== '2') return '--edges is 1 or 2';
      const wrong = portOptions.find((option) => !/^\d{1,5}$/.test(given[option]) || Number(given[option]) > 65_535);
      return wrong === undefined ? undefined : `--${wrong} is no port: ${given[wrong]}`;
    },
  );
}

const values = readLabOptions();
if (values !== undefined) {
  run(values).catch((error: unknown) => {
    console.error(`The lab could not start: ${describeError(error)}`);
    process.exitCode = 1;
  });
}

async function run(values: NonNullable<ReturnType<typeof readLabOptions>>): Promise<void> {
  const lab = await startLab({
    users: namesIn(values.users),
    authentication: Object.fromEntries(namesIn(values.sim).map((name) => [name, 'aka'])),
    ports: {
      sipTls: Number(values['sip-tls-port']),
      sipTcp: Number(values['sip-tcp-port']),
      kms: Number(values['kms-port']),
      bsf: Number(values['bsf-port']),
    },
    edges: values.edges === '2' ? 2 : 1,
    copySentMessages: values.copies,
    ...(values.state === undefined ? {} : { stateDirectory: values.state }),
    ...(values['record-to'] === undefined ? {} : { recordDirectory: values['record-to'] }),
    ...(values.verbose ? { log: createJsonLogger((line) => process.stderr.write(line), 'debug') } : {}),
  });
  const chosen = values.dir ?? values.state;
  const temporary = chosen === undefined ? await mkdtemp(join(tmpdir(), 'tessera-lab-')) : undefined;
  const stop = async (): Promise<void> => {
    await lab.stop();
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  };
  let isStopping = false;
  const end = (): void => {
    // npm hands on the signal that the terminal has sent already.
    if (isStopping) return;
    isStopping = true;
    void stop().then(() => console.log('Stopped.'));
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  try {
    console.log(
      describe(
        lab,
        await writeUeConfigs(lab, chosen ?? temporary ?? '.', credentialModeNamed(values.kms) ?? 'static-psk'),
        values.state,
      ),
    );
  } catch (error) {
    await stop();
    throw error;
  }
}

function namesIn(list: string): string[] {
  return list === '' ? [] : list.split(',').map((name) => name.trim());
}

/** The files hold passwords and keys: only the owner may read them. */
async function writeUeConfigs(lab: Lab, folder: string, kms: LabCredentialMode): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: string[] = [];
  for (const { name } of lab.users) {
    const file = join(folder, `${name}.json`);
    await writeFile(file, `${JSON.stringify(lab.ueConfig(name, { kms }), undefined, 2)}\n`, { mode: 0o600 });
    // The mode above counts for new files only.
    await chmod(file, 0o600);
    files.push(file);
  }
  return files;
}

function describe(lab: Lab, files: readonly string[], state: string | undefined): string {
  return [
    `The lab runs, domain ${lab.domain}.`,
    ...lab.edges.flatMap(describeEdge),
    `  KMS           ${lab.kms.url}  (${lab.kms.identity})`,
    ...(lab.bsf === undefined ? [] : [`  BSF           ${lab.bsf.url}  (${lab.bsf.name})`]),
    '',
    'Start a UE with',
    ...files.map((file) => `  npm run ue -- --config ${file}`),
    '',
    state === undefined
      ? 'Ctrl-C stops the lab; the configuration files are of no use afterwards.'
      : `Ctrl-C stops the lab; npm run lab -- --state ${state} starts the same one again.`,
  ].join('\n');
}

function describeEdge({ tls, tcp, udp, wss, ws }: Lab['sip'], index: number): string[] {
  const name = index === 0 ? 'SIP ' : `Edge ${index + 1}: SIP `;
  const at = ({ host, port }: { readonly host: string; readonly port: number }): string => `${host}:${port}`;
  return [
    `  ${name}over TLS  ${at(tls)}`,
    `  ${name}over TCP  ${at(tcp)}`,
    `  ${name}over UDP  ${at(udp)}`,
    `  ${name}over WSS  ${at(wss)}`,
    `  ${name}over WS   ${at(ws)}`,
  ];
}
