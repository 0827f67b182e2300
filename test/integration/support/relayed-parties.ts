import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { accountFromUeConfig, checkUeConfig } from '../../../src/cli/ue-config.ts';
import type { MsrpRelayConfig } from '../../../src/engine/account-config.ts';
import type { IncomingRefusal } from '../../../src/engine/account.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { Lab } from '../../../src/lab/lab.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import type { Party } from './parties.ts';

export interface RelayedPartyOptions {
  readonly relay?: MsrpRelayConfig;
  readonly relayPassword?: string;
  /** Whom its policy lets through; `any` unless said. */
  readonly policy?: 'any' | 'prefer-e2e' | 'require-e2e' | 'require-e2ae';
  readonly receivedFolder?: string;
  /** Plain signalling: then there is nothing to protect sessions to. */
  readonly transport?: 'tls' | 'tcp';
  readonly withoutKms?: boolean;
  /** PEM certificates that it trusts beside the lab's. */
  readonly alsoTrust?: string;
}

/** A registered account with an MSRP relay, over real sockets. */
export async function startRelayedParty(lab: Lab, name: string, options: RelayedPartyOptions = {}): Promise<Party> {
  const {
    relay,
    relayPassword,
    policy = 'any',
    receivedFolder,
    transport = 'tls',
    withoutKms = false,
    alsoTrust = '',
  } = options;
  const ports = await createEnginePorts({
    log: silentLogger,
    ...(receivedFolder === undefined ? {} : { receivedFolder }),
  });
  const engine = new Engine(ports);
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(name, { policy, transport, withoutKms })));
  const account = engine.addAccount(
    {
      ...config,
      server: { ...config.server, trustedCa: `${config.server.trustedCa ?? ''}\n${alsoTrust}` },
      ...(relay === undefined ? {} : { msrpRelay: relay }),
    },
    { ...secrets, ...(relayPassword === undefined ? {} : { msrpRelayPassword: new SecretBytes(utf8(relayPassword)) }) },
  );
  const received: ChatMessage[] = [];
  const refused: IncomingRefusal[] = [];
  account.events.on('messageReceived', (message) => received.push(message));
  account.events.on('incomingRefused', (problem) => refused.push(problem));
  const state = await account.register();
  if (state.state !== 'registered') throw new Error(`${name} did not register: ${JSON.stringify(state)}`);
  return { uri: config.identity, account, received, refused, stop: () => engine.stop() };
}
