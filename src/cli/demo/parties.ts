import type { Policy } from '../../base/protection-level.ts';
import { secureRandom } from '../../crypto/random.ts';
import { randomId } from '../../base/random.ts';
import type { Account } from '../../engine/account.ts';
import type { ChatMessage, SendOutcome } from '../../engine/chat-message.ts';
import { Engine } from '../../engine/engine.ts';
import type { EnginePorts } from '../../engine/ports.ts';
import type { Lab } from '../../lab/lab.ts';
import { accountFromUeConfig, checkUeConfig } from '../ue-config.ts';

/** A registered UE of the demonstration. */
export interface Party {
  readonly name: string;
  readonly account: Account;
  readonly engine: Engine;
  stop(): Promise<void>;
}

/** How long a delivery may take before it counts as not delivered, in milliseconds. */
const deliveryTimeout = 15_000;
/** How long to watch that nothing more comes, in milliseconds. */
export const quietTime = 1_500;

/** A text that occurs nowhere by chance and has no character that any encoding on the way would escape. */
export function newMarker(): string {
  return `tessera${randomId(secureRandom, 16)}`;
}

/** Starts an engine of its own for `user` and registers it. @throws Error when the lab does not take the registration */
export async function startParty(
  lab: Lab,
  ports: EnginePorts,
  user: string,
  overrides: Parameters<Lab['ueConfig']>[1] = {},
): Promise<Party> {
  const engine = new Engine(ports);
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(user, overrides)));
  const account = engine.addAccount(config, secrets);
  const registration = await account.register();
  if (registration.state !== 'registered') {
    await engine.stop();
    throw new Error(`${user} could not register: ${registration.state}`);
  }
  return { name: user, account, engine, stop: () => engine.stop() };
}

export interface DemoMessage {
  readonly text: string;
  readonly way: 'message' | 'msrp';
  readonly policy: Policy;
}

/** Sends and waits until the text has come out on the other side, or the time is over. */
export async function exchange(
  sender: Party,
  receiver: Party,
  message: DemoMessage,
): Promise<{ outcome: SendOutcome; received: ChatMessage | undefined }> {
  const arrival = watch(receiver, (arrived) => arrived.text === message.text);
  const outcome = await sender.account.sendMessage({ to: receiver.account.config.identity, ...message });
  const received = outcome.outcome === 'sent' ? await arrival.first(deliveryTimeout) : undefined;
  arrival.stop();
  return { outcome, received };
}

/** Collects the messages that reach `party` from now on and match. */
export function watch(
  party: Party,
  matches: (message: ChatMessage) => boolean,
): {
  readonly seen: readonly ChatMessage[];
  first(timeoutMilliseconds: number): Promise<ChatMessage | undefined>;
  stop(): void;
} {
  const seen: ChatMessage[] = [];
  let wake = (): void => undefined;
  const stop = party.account.events.on('messageReceived', (message) => {
    if (!matches(message)) return;
    seen.push(message);
    wake();
  });
  return {
    seen,
    stop,
    async first(timeoutMilliseconds) {
      if (seen.length === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMilliseconds);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return seen[0];
    },
  };
}

/** Collects the codes with which `party` turns down what reaches it from now on. */
export function watchRefusals(party: Party): { readonly seen: readonly string[]; stop(): void } {
  const seen: string[] = [];
  const stop = party.account.events.on('incomingRefused', ({ refusal }) => seen.push(refusal.code));
  return { seen, stop };
}

/** An open session would carry the next message, and its setting up would not be shown. */
export async function closeSessions(...parties: readonly Party[]): Promise<void> {
  for (const { account } of parties) {
    for (const session of account.status().sessions) await account.closeSession(session.id);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
