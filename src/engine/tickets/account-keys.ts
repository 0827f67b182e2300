import type { Policy } from '../../base/protection-level.ts';
import type { AccountConfig, AccountSecrets } from '../account-config.ts';
import type { AkaCard } from '../bootstrapping/bootstrap-method.ts';
import type { EnginePorts, TicketStorage } from '../ports.ts';
import { credentialBinding } from './credential-binding.ts';
import { createKmsCredential, type KmsCredential } from './kms-credential.ts';
import { TicketArchive, type TicketKeeping } from './ticket-archive.ts';
import { TicketPrefetch } from './ticket-prefetch.ts';
import { TicketService } from './ticket-service.ts';

export interface AccountKeysOptions {
  readonly ports: EnginePorts;
  readonly config: AccountConfig;
  readonly secrets: AccountSecrets;
  /** KMS user identity of the account. */
  readonly self: string;
  readonly sim: AkaCard | undefined;
  /** Key tickets live in memory only when undefined. */
  readonly ticketStorage: TicketStorage | undefined;
}

/** All that an account has to do with its key management server: how it proves itself, its tickets, and where they are kept. */
export class AccountKeys {
  readonly tickets: TicketService;
  readonly #credential: KmsCredential | undefined;
  readonly #archive: TicketArchive;
  readonly #prefetch: TicketPrefetch;

  constructor({ ports, config, secrets, self, sim, ticketStorage }: AccountKeysOptions) {
    const { kms, privateIdentity, domain } = config;
    this.#credential =
      kms === undefined ? undefined : createKmsCredential(kms, secrets, { ports, privateIdentity, domain, sim });
    const storage = ticketStorage ?? { kept: 'memory', reason: 'No place for key tickets is configured' };
    this.#archive = new TicketArchive({ ports, storage, binding: credentialBinding(config, secrets) });
    this.tickets = new TicketService({
      ports,
      self,
      kms,
      credential: this.#credential,
      archive: this.#archive,
      isForOwnDevices: config.messages?.syncSent ?? false,
    });
    this.#prefetch = new TicketPrefetch(ports, this.tickets);
  }

  /** Where tickets are kept. */
  get keeping(): TicketKeeping {
    return this.#archive.keeping;
  }

  /** A ticket for a contact that is written to end to end or not at all is kept ready. */
  follow(contact: string, policy: Policy | undefined): void {
    if (policy === 'require-e2e') this.#prefetch.want(contact);
    else this.#prefetch.unwant(contact);
  }

  /** The account is registered. */
  start(): void {
    this.#prefetch.start();
  }

  /** No key ticket stays, neither in memory nor at rest. */
  signOut(): Promise<void> {
    this.#prefetch.stop();
    return this.tickets.signOut();
  }

  async stop(): Promise<void> {
    this.#prefetch.stop();
    await this.tickets.stop();
  }

  /** The key that the account shares with its KMS is forgotten. */
  dispose(): void {
    this.#credential?.dispose();
  }
}
