import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { startLab } from '../../src/lab/lab.ts';
import type { LabUeConfig } from '../../src/lab/ue-config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { requestTicket, resolveTicket } from './support/kms-users.ts';
import { ScriptedUe, type ReachableLab } from './support/scripted-ue.ts';

const program = fileURLToPath(new URL('../../src/cli/lab.ts', import.meta.url));
const text = (body: string): { type: string; text: string } => ({ type: 'text/plain', text: body });

const children: ChildProcess[] = [];
const ues: ScriptedUe[] = [];

afterEach(() => {
  for (const ue of ues.splice(0)) ue.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface LabProcess extends ReachableLab {
  readonly configs: Readonly<Record<string, LabUeConfig>>;
  kill(): Promise<void>;
}

/** The lab in a process of its own, once it says that it runs. Rejects with what it said when it ends before. */
async function startProcess(folder: string, record: string): Promise<LabProcess> {
  const child = spawn(process.execPath, [program, '--state', folder, '--users', 'alice,bob', '--record-to', record]);
  children.push(child);
  const exited = once(child, 'exit');
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  let runs = false;
  for await (const line of createInterface({ input: child.stdout })) if ((runs = line.startsWith('Ctrl-C'))) break;
  if (!runs) throw new Error(`the lab ended before it ran: ${errors}`);
  const read = async (name: string): Promise<LabUeConfig> =>
    JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')) as LabUeConfig;
  const configs = { alice: await read('alice'), bob: await read('bob') };
  const { host, port } = configs.alice.server as { host: string; port: number };
  return {
    configs,
    domain: 'lab.test',
    caPem: configs.alice.ca ?? '',
    edges: [{ tls: { host, port } }] as unknown as ReachableLab['edges'],
    ueConfig: (name) => configs[name as 'alice' | 'bob'],
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function registered(lab: ReachableLab, name: string): Promise<ScriptedUe> {
  const ue = await ScriptedUe.connect(lab, name);
  ues.push(ue);
  expect((await ue.register()).status).toBe(200);
  return ue;
}

describe('a lab with a state folder', () => {
  test('is the same network after it was killed, and still has what it acknowledged', { timeout: 90_000 }, async () => {
    const [folder, record] = [join(temporaryFolder('lab-state'), 'network'), temporaryFolder('lab-record')];
    const first = await startProcess(folder, record);
    const alice = await registered(first, 'alice');
    for (const body of ['one', 'two']) {
      expect((await alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text(body)))).status).toBe(202);
    }
    await first.kill();
    const second = await startProcess(folder, record);
    expect(second.configs).toEqual(first.configs);
    const bob = await registered(second, 'bob');
    const taken = await bob.incoming('MESSAGE');
    expect(fromUtf8(taken.body)).toBe('one');
    bob.reply(taken, 200);
    // Answered by nobody: it is there a third time.
    expect(fromUtf8((await bob.incoming('MESSAGE')).body)).toBe('two');
    expect((await bob.ask(bob.request('OPTIONS', 'sip:lab.test'))).status).toBe(200);
    await second.kill();
    const third = await startProcess(folder, record);
    const again = await registered(third, 'bob');
    const left = await again.incoming('MESSAGE');
    again.reply(left, 200);
    expect(fromUtf8(left.body)).toBe('two');
    expect((await again.ask(again.request('OPTIONS', 'sip:lab.test'))).status).toBe(200);
    expect(again.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(1);
  });

  test('has the same KMS: a ticket of the first run is resolved in the second', async () => {
    const stateDirectory = temporaryFolder('lab-kms-state');
    const options = { users: ['alice', 'bob'], bsf: false, stateDirectory };
    const first = await startLab(options);
    const ticket = await requestTicket(first, 'alice', 'bob').finally(() => first.stop());
    const second = await startLab(options);
    try {
      expect(second.edges).toEqual(first.edges);
      expect(second.kms).toEqual(first.kms);
      expect(await resolveTicket(second, ticket, 'bob')).toBe(true);
    } finally {
      await second.stop();
    }
  });

  test('its file is for its owner alone, and nothing but a lab’s is taken', async () => {
    const stateDirectory = temporaryFolder('lab-file');
    const lab = await startLab({ users: ['alice'], bsf: false, stateDirectory });
    await lab.stop();
    const file = join(stateDirectory, 'lab.json');
    expect((await stat(file)).mode & 0o077).toBe(0);
    await chmod(file, 0o644);
    await expect(startLab({ stateDirectory })).rejects.toThrow('others can read');
    await chmod(file, 0o600);
    await writeFile(file, '{"version": 2}');
    await expect(startLab({ stateDirectory })).rejects.toThrow('not a lab');
  });
});

describe('the KMS of the lab', () => {
  test('is away and comes back at its port with its keys', async () => {
    const lab = await startLab({ users: ['alice', 'bob'], bsf: false });
    try {
      const ticket = await requestTicket(lab, 'alice', 'bob');
      await lab.stopKms();
      await expect(requestTicket(lab, 'alice', 'bob')).rejects.toThrow();
      await lab.startKms();
      expect(await resolveTicket(lab, ticket, 'bob')).toBe(true);
    } finally {
      await lab.stop();
    }
  });
});
