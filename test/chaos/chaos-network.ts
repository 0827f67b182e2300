import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../src/base/bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { listenOnLastingPort, closeServer } from '../../src/lab/loopback.ts';
import type { LabUeConfig } from '../../src/lab/ue-config.ts';
import { createServer } from 'node:net';
import { Link } from './link.ts';
import { linkNames, partyNames, type LinkName, type PartyName } from './plan.ts';
import { SupervisedProcess } from './supervised-process.ts';

const program = (name: string): string => fileURLToPath(new URL(`../../src/cli/${name}.ts`, import.meta.url));

/** What is read of the file in which the lab keeps itself. */
interface LabFile {
  readonly certificates: { readonly kms: { readonly certificatePem: string; readonly privateKeyPem: string } };
  readonly edges: readonly { readonly tls: number }[];
}

/** The lab with two edges and a KMS, each in a process of its own, and a piece of network from each UE to each of them. */
export class ChaosNetwork {
  /** Of the run, with a log of each process. */
  readonly folder: string;
  readonly lab: SupervisedProcess;
  readonly kms: SupervisedProcess;
  readonly links: Readonly<Record<LinkName, Link>>;
  /** Configuration files of the UEs. */
  readonly configFiles: Readonly<Record<PartyName, string>>;
  /** What passed the edges, one file for each stream. */
  readonly recordFolder: string;

  static async start(folder: string): Promise<ChaosNetwork> {
    const [state, recordFolder] = [join(folder, 'lab'), join(folder, 'record')];
    const lab = new SupervisedProcess({
      name: 'lab',
      logFile: join(folder, 'lab.log'),
      args: [
        program('lab'),
        '--state',
        state,
        '--users',
        partyNames.join(','),
        '--edges',
        '2',
        '--record-to',
        recordFolder,
      ],
    });
    await lab.startUntil((line) => line.startsWith('Ctrl-C'));
    const file = JSON.parse(await readFile(join(state, 'lab.json'), 'utf8')) as LabFile;
    const configs = Object.fromEntries(
      await Promise.all(partyNames.map(async (name) => [name, await readConfig(join(state, `${name}.json`))] as const)),
    ) as Record<PartyName, LabUeConfig>;
    const { kms, port } = await startKms(join(folder, 'kms'), file, configs);
    const links = await openLinks(file.edges, port);
    const configFiles = await writeConfigs(folder, configs, links);
    return new ChaosNetwork({ folder, lab, kms, links, configFiles, recordFolder });
  }

  private constructor(parts: Pick<ChaosNetwork, 'folder' | 'lab' | 'kms' | 'links' | 'configFiles' | 'recordFolder'>) {
    this.folder = parts.folder;
    this.lab = parts.lab;
    this.kms = parts.kms;
    this.links = parts.links;
    this.configFiles = parts.configFiles;
    this.recordFolder = parts.recordFolder;
  }

  leaveInPeace(): void {
    for (const link of Object.values(this.links)) link.leaveInPeace();
  }

  async stop(): Promise<void> {
    await Promise.all([this.lab.kill(), this.kms.kill(), ...Object.values(this.links).map((link) => link.close())]);
  }
}

async function readConfig(file: string): Promise<LabUeConfig> {
  return JSON.parse(await readFile(file, 'utf8')) as LabUeConfig;
}

/** A KMS that knows the lab's users by their keys and shows the certificate that the lab's CA made for its name. */
async function startKms(
  folder: string,
  { certificates }: LabFile,
  configs: Readonly<Record<PartyName, LabUeConfig>>,
): Promise<{ kms: SupervisedProcess; port: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { certificatePem, privateKeyPem } = certificates.kms;
  await writeFile(join(folder, 'kms.pem'), certificatePem, { mode: 0o600 });
  await writeFile(join(folder, 'kms.key'), privateKeyPem, { mode: 0o600 });
  const port = await freeLastingPort();
  const config = {
    identity: configs.alice.kms?.identity,
    listen: { host: '127.0.0.1', port },
    tls: { certificateFile: 'kms.pem', privateKeyFile: 'kms.key' },
    users: Object.values(configs).map(({ identity, kms }) => ({
      identities: [identity],
      pskId: kms?.pskId,
      psk: kms?.psk,
    })),
  };
  const file = join(folder, 'kms.json');
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  const kms = new SupervisedProcess({
    name: 'kms',
    args: [program('kms'), '--config', file],
    logFile: join(folder, '..', 'kms.log'),
  });
  await kms.startUntil((line) => line.includes('listens on'));
  return { kms, port };
}

async function openLinks(
  edges: readonly { readonly tls: number }[],
  kmsPort: number,
): Promise<Readonly<Record<LinkName, Link>>> {
  const ports = { edge: edges[0]?.tls ?? 0, 'second-edge': edges[1]?.tls ?? 0, kms: kmsPort };
  const opened = linkNames.map(async (name) => {
    const port = ports[name.slice(name.indexOf('-') + 1) as keyof typeof ports];
    return [name, await Link.open(() => ({ host: '127.0.0.1', port }))] as const;
  });
  return Object.fromEntries(await Promise.all(opened)) as Record<LinkName, Link>;
}

async function writeConfigs(
  folder: string,
  configs: Readonly<Record<PartyName, LabUeConfig>>,
  links: Readonly<Record<LinkName, Link>>,
): Promise<Readonly<Record<PartyName, string>>> {
  const files = partyNames.map(async (name) => {
    const config = configs[name];
    const place = join(folder, name);
    await mkdir(place, { recursive: true, mode: 0o700 });
    const server = { ...config.server, port: links[`${name}-edge`].port };
    const changed = {
      ...config,
      server,
      secondServer: { ...server, port: links[`${name}-second-edge`].port },
      kms: { ...config.kms, url: `https://127.0.0.1:${links[`${name}-kms`].port}`, serverName: 'kms.lab.test' },
      storage: { folder: 'messages', keyFile: 'messages.key' },
      stateDirectory: 'state',
      statePassphrase: 'only for this run of the test',
      // RFC 5626 waits half a minute: too long where something fails every few seconds.
      flowRecovery: { allFailed: 500, someFailed: 1000, longest: 5000 },
    };
    await writeFile(join(place, 'messages.key'), toHex(secureRandom.bytes(32)), { mode: 0o600 });
    const file = join(place, 'ue.json');
    await writeFile(file, JSON.stringify(changed), { mode: 0o600 });
    return [name, file] as const;
  });
  return Object.fromEntries(await Promise.all(files)) as Record<PartyName, string>;
}

async function freeLastingPort(): Promise<number> {
  const server = createServer();
  const { port } = await listenOnLastingPort(server);
  await closeServer(server);
  return port;
}
