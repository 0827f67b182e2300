import { fromHex } from '../../../src/base/bytes.ts';
import { silentLogger, type Logger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { accountFromUeConfig, checkUeConfig } from '../../../src/cli/ue-config.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';
import { cpimText } from '../../../src/engine/text-content.ts';
import { sealMessage, type SealedMessage } from '../../../src/engine/psk-mime/index.ts';
import { SessionKeys, type OfferedKey } from '../../../src/engine/sessions/session-keys.ts';
import { createKmsCredential } from '../../../src/engine/tickets/kms-credential.ts';
import { TicketService } from '../../../src/engine/tickets/ticket-service.ts';
import { startLab, type Lab } from '../../../src/lab/lab.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import { HostileEdge } from './hostile-edge.ts';
import { startParty, until, type Party } from './parties.ts';

/** What must never stand in a log line. */
export const secretText = 'the-text-that-nobody-may-log';

/** A lab, alice behind a hostile edge, an honest bob, and somebody who holds bob's keys and means no good. */
export class HostileStage {
  readonly lab: Lab;
  readonly edge: HostileEdge;
  readonly alice: Party;
  readonly bob: Party;
  readonly ports: EnginePorts;
  readonly logLines: string[];
  readonly #tickets: TicketService;
  readonly #keys: SessionKeys;
  #sent = 0;

  static async start(overrides: Parameters<Lab['ueConfig']>[1] = {}): Promise<HostileStage> {
    const lab = await startLab({ record: false });
    const edge = await HostileEdge.start(lab);
    const logLines: string[] = [];
    const log: Logger = {
      log: (level, event, fields) => logLines.push(JSON.stringify({ level, event, ...fields })),
    };
    const ports = await createEnginePorts({ log: silentLogger });
    const [alice, bob] = await Promise.all([
      startParty(lab, 'alice', { policy: 'any', ...edge.configFor(lab), ...overrides }, log),
      startParty(lab, 'bob', { policy: 'any' }),
    ]);
    return new HostileStage(lab, edge, alice, bob, ports, logLines);
  }

  private constructor(lab: Lab, edge: HostileEdge, alice: Party, bob: Party, ports: EnginePorts, logLines: string[]) {
    this.lab = lab;
    this.edge = edge;
    this.alice = alice;
    this.bob = bob;
    this.ports = ports;
    this.logLines = logLines;
    const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig('bob')));
    const { kms, identity: self } = config;
    const credential = kms === undefined ? undefined : createKmsCredential(kms, secrets);
    this.#tickets = new TicketService({ ports, self, kms, credential });
    this.#keys = new SessionKeys(ports, this.#tickets);
  }

  /** A TRANSFER_INIT of bob's with what its sender knows. */
  offerKey(recipient = 'sip:alice@lab.test'): Promise<OfferedKey> {
    return this.#keys.offer(recipient);
  }

  async sealed(text = secretText): Promise<SealedMessage> {
    const parties = { from: 'sip:bob@lab.test', to: 'sip:alice@lab.test' };
    const messageId = `m${this.#sent++}`;
    return sealMessage({
      ticket: await this.#tickets.ticketFor(parties.to, 'message'),
      self: parties.from,
      recipient: parties.to,
      content: cpimText({ ...parties, at: Date.now(), messageId, text }),
      messageId,
      now: Date.now(),
      random: secureRandom,
    });
  }

  /** The lines that were written while `action` ran. */
  async logOf(action: () => Promise<unknown>): Promise<string> {
    const before = this.logLines.length;
    await action();
    return this.logLines.slice(before).join('\n');
  }

  /** Alice is registered, honest messages come through, and nothing secret was written. */
  async allIsWell(): Promise<void> {
    await until(() => this.alice.account.status().registration.state === 'registered', 'alice is registered', 8_000);
    for (const policy of ['require-e2e', 'require-e2ae'] as const) {
      const text = `${secretText} ${policy} ${this.#sent++}`;
      const sent = await this.bob.account.sendMessage({ to: this.alice.uri, text, way: 'message', policy });
      if (sent.outcome !== 'sent') throw new Error(`honest message: ${JSON.stringify(sent)}`);
      await until(() => this.alice.received.some((message) => message.text === text), `${policy} arrives`);
    }
    const { password = '', kms } = this.lab.ueConfig('alice');
    const log = this.logLines.join('\n');
    for (const secret of [secretText, password, kms?.psk ?? '', 'PRIVATE KEY']) {
      if (secret !== '' && log.includes(secret)) throw new Error('a secret is in the log');
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.alice.stop(), this.bob.stop()]);
    await this.edge.stop();
    await this.lab.stop();
  }
}

export function wrongKey(): SecretBytes {
  return new SecretBytes(fromHex('5a'.repeat(32)));
}
