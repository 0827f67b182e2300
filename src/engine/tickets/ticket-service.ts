import {
  createTicketRequest,
  messageTicketFlags,
  msrpTicketFlags,
  uriIdentity,
  type GrantedTicket,
  type MikeyIdentity,
  type ReceivedTransfer,
  type ResolvedTransfer,
} from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsConfig } from '../account-config.ts';
import type { EnginePorts, KmsExchange } from '../ports.ts';
import { refuse } from '../refusal.ts';
import type { KmsCredential, KmsKey } from './kms-credential.ts';
import { exchangeWithKms, KmsKeyRejected } from './kms-exchange.ts';
import { TicketCache, type TicketKind } from './ticket-cache.ts';

export interface TicketServiceOptions {
  readonly ports: EnginePorts;
  /** KMS user identity of this account (profile 6.4). */
  readonly self: string;
  readonly kms: KmsConfig | undefined;
  /** Disposed of by whoever made it. */
  readonly credential: KmsCredential | undefined;
}

/** A question to the KMS, made with one key, and how its answer is taken. */
interface Question<Result> {
  readonly message: Uint8Array;
  accept(response: Uint8Array, now: number): Result;
}

/** Tickets of one account: asks the KMS for new ones, keeps those that may be used again, resolves those of others. */
export class TicketService {
  readonly #ports: EnginePorts;
  readonly #self: MikeyIdentity;
  readonly #access: { readonly kms: KmsConfig; readonly credential: KmsCredential } | undefined;
  readonly #cache = new TicketCache<GrantedTicket>();
  readonly #pending = new Map<string, Promise<GrantedTicket>>();

  constructor({ ports, self, kms, credential }: TicketServiceOptions) {
    this.#ports = ports;
    this.#self = uriIdentity(self);
    this.#access = kms === undefined || credential === undefined ? undefined : { kms, credential };
  }

  get configured(): boolean {
    return this.#access !== undefined;
  }

  get self(): MikeyIdentity {
    return this.#self;
  }

  /** Identity of the KMS, for evidence. */
  get kmsIdentity(): string {
    return this.#require().kms.identity;
  }

  /**
   * A ticket for `recipient` (a KMS user identity). Callers that ask for the same at the same time share one request.
   * @throws RefusalError `no-kms`, `kms-unreachable`, `kms-refused` or `kms-answer-invalid`.
   */
  async ticketFor(recipient: string, kind: TicketKind): Promise<GrantedTicket> {
    this.#require();
    const cached = this.#cache.get(recipient, kind, this.#ports.clock.now());
    if (cached !== undefined) return cached;
    const key = `${kind} ${recipient}`;
    const pending = this.#pending.get(key) ?? this.#request(recipient, kind).finally(() => this.#pending.delete(key));
    this.#pending.set(key, pending);
    return pending;
  }

  /** Forgets a ticket that proved useless, so that the next message asks for a new one. */
  drop(recipient: string, kind: TicketKind): void {
    this.#cache.drop(recipient, kind);
  }

  /** @throws RefusalError as `ticketFor`. */
  async resolve(received: ReceivedTransfer): Promise<ResolvedTransfer> {
    const { kms } = this.#require();
    return this.#ask('ticketresolve', ({ psk, pskId }, now) =>
      received.createResolve({
        psk,
        pskId,
        // The sender chose the ticket's suite; it must not choose a weaker one for us and our KMS.
        suite: kms.suite === '256' ? kms.suite : received.suite,
        self: this.#self,
        kms: uriIdentity(kms.identity),
        now,
        random: this.#ports.random,
      }),
    );
  }

  clear(): void {
    this.#cache.clear();
  }

  async #request(recipient: string, kind: TicketKind): Promise<GrantedTicket> {
    const { kms } = this.#require();
    const life = kind === 'session' ? profile.ticket.sessionLifetimeSeconds : profile.ticket.messageLifetimeSeconds;
    const ticket = await this.#ask('ticketrequest', ({ psk, pskId }, now) =>
      createTicketRequest({
        suite: kms.suite,
        psk,
        pskId,
        initiator: this.#self,
        kms: uriIdentity(kms.identity),
        responders: [uriIdentity(recipient)],
        flags: kind === 'session' ? msrpTicketFlags : messageTicketFlags,
        keyKind: kind === 'session' ? 'TGK' : 'GTGK',
        validFrom: now - profile.ticket.startsBeforeIssueSeconds * 1000,
        validUntil: now + life * 1000,
        now,
        random: this.#ports.random,
      }),
    );
    this.#cache.put(recipient, kind, ticket, this.#ports.clock.now());
    this.#ports.log.log('info', 'ticket.granted', { kind, validUntil: ticket.validUntil });
    return ticket;
  }

  /** Asks once, and once more when the KMS did not take the key and the credential has a fresh one. */
  async #ask<Result>(kind: KmsExchange, ask: (key: KmsKey, now: number) => Question<Result>): Promise<Result> {
    const { credential } = this.#require();
    try {
      return await this.#askOnce(kind, ask);
    } catch (error) {
      if (!(error instanceof KmsKeyRejected) || (await credential.rejected()) === 'give-up') throw error;
      this.#ports.log.log('info', 'kms.key-renewed', { mode: credential.mode });
      return this.#askOnce(kind, ask);
    }
  }

  async #askOnce<Result>(kind: KmsExchange, ask: (key: KmsKey, now: number) => Question<Result>): Promise<Result> {
    const { kms, credential } = this.#require();
    const key = await credential.current(this.#ports.clock.now());
    const question = ask(key, this.#ports.clock.now());
    return exchangeWithKms(this.#ports, kms.address, kind, question.message, (response, receivedAt) =>
      question.accept(response, receivedAt),
    );
  }

  #require(): { readonly kms: KmsConfig; readonly credential: KmsCredential } {
    if (this.#access === undefined) throw refuse('no-kms');
    return this.#access;
  }
}
