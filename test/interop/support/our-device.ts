import { silentLogger } from '../../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig } from '../../../src/cli/ue-config.ts';
import type { Account } from '../../../src/engine/account.ts';
import type { ChatMessage, MessageState } from '../../../src/engine/chat-message.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { RegistrationState } from '../../../src/engine/sip/index.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import { until } from '../../integration/support/parties.ts';

/** How long something that has to happen may take on a busy machine. */
export const patience = 45_000;

/** An engine of its own with one account, over real sockets, and what its account has told. */
export interface OurDevice {
  readonly account: Account;
  readonly received: ChatMessage[];
  readonly registrations: RegistrationState[];
  /** Every state that a message of ours was in, in order, each once. */
  statesOf(id: string): readonly MessageState[];
  stop(): Promise<void>;
}

/** @param config of a UE (docs/ue-rpc.md). */
export async function createDevice(config: object): Promise<OurDevice> {
  const { config: account, secrets } = accountFromUeConfig(checkUeConfig(config));
  const engine = new Engine(await createEnginePorts({ log: silentLogger }));
  const own = engine.addAccount(account, secrets);
  const received: ChatMessage[] = [];
  const registrations: RegistrationState[] = [];
  const states = new Map<string, MessageState[]>();
  own.events.on('messageReceived', (message) => received.push(message));
  own.events.on('registration', (state) => registrations.push(state));
  own.events.on('messageState', ({ id, state }) => {
    const known = states.get(id) ?? [];
    if (known.at(-1) !== state) states.set(id, [...known, state]);
  });
  return { account: own, received, registrations, statesOf: (id) => states.get(id) ?? [], stop: () => engine.stop() };
}

/** Alice at a server of SIPp, which knows no more than what its scenario says. */
export function createSippDevice(port: number, transport: 'udp' | 'tcp'): Promise<OurDevice> {
  return createDevice({
    identity: 'sip:alice@sipp.test',
    privateIdentity: 'alice',
    domain: 'sipp.test',
    password: 'alicesword',
    server: { host: '127.0.0.1', port, transport },
    policy: 'any',
    registrationEvents: false,
  });
}

/** A MESSAGE of ours; resolves once the network took it, with the message as it then was. */
export async function sendTaken(from: OurDevice, to: string, text: string): Promise<ChatMessage> {
  const outcome = await from.account.sendMessage({ to, text, way: 'message' });
  if (outcome.outcome === 'sent') return outcome.message;
  const why = JSON.stringify(outcome);
  throw new Error(`the message was not taken (${outcome.outcome}): ${why}`);
}

export async function receives({ received }: OurDevice, text: string): Promise<ChatMessage> {
  const find = (): ChatMessage | undefined => received.find((message) => message.text === text);
  await until(() => find() !== undefined, `"${text.slice(0, 40)}" is received`, patience);
  return find()!;
}
