import { silentLogger, type Logger } from '../../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig } from '../../../src/cli/ue-config.ts';
import type { Account, IncomingRefusal } from '../../../src/engine/account.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';
import type { Lab } from '../../../src/lab/lab.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';

export interface Party {
  readonly uri: string;
  readonly account: Account;
  readonly received: ChatMessage[];
  readonly refused: IncomingRefusal[];
  stop(): Promise<void>;
}

let ports: Promise<EnginePorts> | undefined;
/** A flow that breaks is formed again within the test, also when its server answered no keep-alive yet (RFC 5626 clause 4.5). */
const flowRecovery = { allFailed: 200, someFailed: 200, longest: 1_000 };

/** An engine of its own with one registered account, over real sockets. */
export async function startParty(
  lab: Lab,
  name: string,
  overrides: Parameters<Lab['ueConfig']>[1] = {},
  log?: Logger,
): Promise<Party> {
  ports ??= createEnginePorts({ log: silentLogger });
  const engine = new Engine({ ...(await ports), ...(log === undefined ? {} : { log }) });
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(name, { flowRecovery, ...overrides })));
  const account = engine.addAccount(config, secrets);
  const party: Party = { uri: config.identity, account, received: [], refused: [], stop: () => engine.stop() };
  account.events.on('messageReceived', (message) => party.received.push(message));
  account.events.on('incomingRefused', (refused) => party.refused.push(refused));
  const state = await account.register();
  if (state.state !== 'registered') throw new Error(`${name} did not register: ${JSON.stringify(state)}`);
  return party;
}

export async function until(condition: () => boolean, what: string, milliseconds = 5_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`did not happen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
