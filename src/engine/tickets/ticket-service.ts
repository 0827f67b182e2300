import { utf8 } from '../../base/bytes.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import {
  bytesIdentity,
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
import type { EnginePorts } from '../ports.ts';
import { refuse } from '../refusal.ts';
import { exchangeWithKms } from './kms-exchange.ts';
import { TicketCache, type TicketKind } from './ticket-cache.ts';

export interface TicketServiceOptions {
  readonly ports: EnginePorts;
  /** KMS user identity of this account (profile 6.4). */
  readonly self: string;
  readonly kms: KmsConfig | undefined;
  readonly psk: SecretBytes | undefined;
}

/** Tickets of one account: asks the KMS for new ones, keeps those that may be used again, resolves those of others. */
export class TicketService {
  readonly #ports: EnginePorts;
  readonly #self: MikeyIdentity;
  readonly #access: { readonly kms: KmsConfig; readonly psk: SecretBytes } | undefined;
  readonly #cache = new TicketCache<GrantedTicket>();
  readonly #pending = new Map<string, Promise<GrantedTicket>>();

  constructor({ ports, self, kms, psk }: TicketServiceOptions) {
    this.#ports = ports;
    this.#self = uriIdentity(self);
    this.#access = kms === undefined || psk === undefined ? undefined : { kms, psk };
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
    const { kms, psk } = this.#require();
    const resolve = received.createResolve({
      psk,
      pskId: pskIdentity(kms),
      // The sender chose the ticket's suite; it must not choose a weaker one for us and our KMS.
      suite: kms.suite === '256' ? kms.suite : received.suite,
      self: this.#self,
      kms: uriIdentity(kms.identity),
      now: this.#ports.clock.now(),
      random: this.#ports.random,
    });
    return exchangeWithKms(this.#ports, kms.address, 'ticketresolve', resolve.message, (response, now) =>
      resolve.accept(response, now),
    );
  }

  clear(): void {
    this.#cache.clear();
  }

  async #request(recipient: string, kind: TicketKind): Promise<GrantedTicket> {
    const { kms, psk } = this.#require();
    const now = this.#ports.clock.now();
    const life = kind === 'session' ? profile.ticket.sessionLifetimeSeconds : profile.ticket.messageLifetimeSeconds;
    const request = createTicketRequest({
      suite: kms.suite,
      psk,
      pskId: pskIdentity(kms),
      initiator: this.#self,
      kms: uriIdentity(kms.identity),
      responders: [uriIdentity(recipient)],
      flags: kind === 'session' ? msrpTicketFlags : messageTicketFlags,
      keyKind: kind === 'session' ? 'TGK' : 'GTGK',
      validFrom: now - profile.ticket.startsBeforeIssueSeconds * 1000,
      validUntil: now + life * 1000,
      now,
      random: this.#ports.random,
    });
    const ticket = await exchangeWithKms(
      this.#ports,
      kms.address,
      'ticketrequest',
      request.message,
      (response, receivedAt) => request.accept(response, receivedAt),
    );
    this.#cache.put(recipient, kind, ticket, this.#ports.clock.now());
    this.#ports.log.log('info', 'ticket.granted', { kind, validUntil: ticket.validUntil });
    return ticket;
  }

  #require(): { readonly kms: KmsConfig; readonly psk: SecretBytes } {
    if (this.#access === undefined) throw refuse('no-kms');
    return this.#access;
  }
}

function pskIdentity(kms: KmsConfig): MikeyIdentity {
  return bytesIdentity(utf8(kms.pskId));
}
