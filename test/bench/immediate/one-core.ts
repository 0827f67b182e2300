/**
 * A whole network in one process, for one core: lab with edge, proxy and key management server, and two devices with an account for
 * each conversation, every device on an encrypted store of its own. Prints one line of JSON: `OneCoreFigures`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { silentLogger } from '../../../src/base/log.ts';
import type { Policy } from '../../../src/base/protection-level.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { accountFromUeConfig, checkUeConfig } from '../../../src/cli/ue-config.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { Account } from '../../../src/engine/account.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { Store } from '../../../src/engine/store/index.ts';
import { startLab, type Lab } from '../../../src/lab/lab.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import { serialiseSipMessage } from '../../../src/protocol/sip/message.ts';
import type { MessageFigures, OneCoreFigures } from './figures.ts';

const text =
  'A message as people write them, of about one line and a half: shall we meet at seven, before it starts to rain?';
const protections = { e2e: 'require-e2e', e2ae: 'require-e2ae' } as const satisfies Record<string, Policy>;
const warmUpPart = 0.1;

interface Device {
  readonly engine: Engine;
  readonly store: Store;
  readonly accounts: readonly Account[];
}

async function startDevice(lab: Lab, folder: string, users: readonly string[]): Promise<Device> {
  const { store } = await openStore({ folder, key: new SecretBytes(secureRandom.bytes(32)) });
  const engine = new Engine(await createEnginePorts({ log: silentLogger, store }));
  const accounts: Account[] = [];
  for (const user of users) {
    const given = lab.ueConfig(user, { receipts: noReceipts });
    const { config, secrets } = accountFromUeConfig(checkUeConfig(given));
    const account = engine.addAccount(config, secrets);
    const { state } = await account.register();
    if (state !== 'registered') throw new Error(`${user} could not register: ${state}`);
    accounts.push(account);
  }
  return { engine, store, accounts };
}

/** Receipts are paced (docs/immediate-messages.md): they would measure their pace. */
const noReceipts = { delivery: false, display: false, askDelivery: false, askDisplay: false };

/**
 * Sends `count` messages; in each conversation the next one leaves when the one before has been read on the other side, as protected
 * as demanded: what a receiver may have waiting is bounded.
 */
async function run(from: Device, to: Device, level: keyof typeof protections, count: number): Promise<MessageFigures> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let left = count;
  await Promise.all(
    from.accounts.map(async (account, index) => {
      const peer = to.accounts[index];
      if (peer === undefined) throw new Error('a sender without recipient');
      while (left > 0) {
        left--;
        const arrived = nextArrival(peer, level);
        const order = { to: peer.config.identity, text, way: 'message', policy: protections[level] } as const;
        const { outcome } = await account.sendMessage(order);
        if (outcome !== 'sent') throw new Error(`a message of ${account.config.identity} is ${outcome}`);
        await arrived;
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMilliseconds: (user + system) / 1000 / count };
}

function nextArrival({ events }: Account, level: keyof typeof protections): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = events.on('messageReceived', (message) => {
      stop();
      if (message.level === level && message.text === text) resolve();
      else reject(new Error(`received as ${message.level}: ${message.problem?.explanation ?? message.text}`));
    });
  });
}

function octetsOf({ captured }: Lab): number {
  const messages = captured.filter(({ method }) => method === 'MESSAGE').map((one) => serialiseSipMessage(one).length);
  return Math.round(messages.reduce((sum, octets) => sum + octets, 0) / messages.length);
}

async function measure(folder: string, conversations: number, count: number): Promise<OneCoreFigures> {
  const names = (letter: string): string[] => Array.from({ length: conversations }, (_, index) => `${letter}${index}`);
  const lab = await startLab({ users: [...names('a'), ...names('b')], record: false, bsf: false });
  const devices: Device[] = [];
  try {
    for (const letter of ['a', 'b']) devices.push(await startDevice(lab, join(folder, letter), names(letter)));
    const [from, to] = devices;
    if (from === undefined || to === undefined) throw new Error('no devices');
    const figures: Partial<Record<keyof typeof protections, MessageFigures & { readonly octets: number }>> = {};
    for (const level of ['e2e', 'e2ae'] as const) {
      await run(from, to, level, Math.ceil(count * warmUpPart));
      figures[level] = { ...(await run(from, to, level, count)), octets: octetsOf(lab) };
    }
    return figures as OneCoreFigures;
  } finally {
    for (const { engine, store } of devices) {
      await engine.stop();
      await store.close();
    }
    await lab.stop();
  }
}

const [conversations = '1', count = '1000'] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'bench-immediate-'));
try {
  process.stdout.write(`${JSON.stringify(await measure(folder, Number(conversations), Number(count)))}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
