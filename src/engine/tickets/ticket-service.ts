import { toHex } from '../../base/bytes.ts';
import { Events } from '../../base/events.ts';
import {
  encodeGrantedTicket,
  identityText,
  messageTicketFlags,
  msrpTicketFlags,
  sameIdentity,
  uriIdentity,
  type GrantedTicket,
  type MikeyIdentity,
  type ReceivedTransfer,
  type ResolvedTransfer,
} from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsConfig } from '../account-config.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { refuse, RefusalError } from '../refusal.ts';
import type { KmsCredential, KmsCredentialMode } from './kms-credential.ts';
import { requestTicket, resolveTicket } from './kms-questions.ts';
import { KmsLink, type KmsLinkEvents } from './kms-link.ts';
import { explainKmsState, type KmsState } from './kms-state.ts';
import { makeOwnTicket } from './own-ticket.ts';
import type { TicketArchive } from './ticket-archive.ts';
import { reusableUntil, TicketCache, type TicketKind } from './ticket-cache.ts';

export interface TicketServiceOptions {
  readonly ports: EnginePorts;
  /** KMS user identity of this account (profile 6.4). */
  readonly self: string;
  readonly kms: KmsConfig | undefined;
  /** Disposed of by whoever made it. */
  readonly credential: KmsCredential | undefined;
  /** Where tickets outlive the program; in memory only when absent. */
  readonly archive?: TicketArchive;
  /** The tickets of messages name this account too, so that its other devices can read what it sends (profile 5.5). */
  readonly isForOwnDevices?: boolean;
}

interface Access {
  readonly kms: KmsConfig;
  readonly link: KmsLink;
  readonly credential: KmsCredential;
}

/** Tickets of one account: asks the KMS for new ones, keeps those that may be used again, resolves those of others. */
export class TicketService {
  readonly events: Events<KmsLinkEvents>;
  readonly #ports: EnginePorts;
  readonly #self: MikeyIdentity;
  readonly #access: Access | undefined;
  readonly #withoutKms: KmsState;
  readonly #isForOwnDevices: boolean;
  readonly #cache = new TicketCache<GrantedTicket>(octetsOf);
  readonly #archive: TicketArchive | undefined;
  #loading: Promise<void> | undefined;
  readonly #requests = new Map<string, Promise<GrantedTicket>>();
  readonly #resolves = new Map<string, Promise<ResolvedTransfer>>();
  /** What the KMS left unanswered: the oldest of these is what it is asked first when it may be back. */
  readonly #open = new Map<string, () => Promise<unknown>>();

  constructor({ ports, self, kms, credential, archive, isForOwnDevices = false }: TicketServiceOptions) {
    this.#ports = ports;
    this.#isForOwnDevices = isForOwnDevices;
    this.#self = uriIdentity(self);
    this.events = new Events((error) => ports.log.log('error', 'kms.listener-failed', { reason: String(error) }));
    this.#withoutKms = {
      state: 'not-configured',
      since: ports.clock.now(),
      explanation: explainKmsState('not-configured', 'This account has no key management server'),
    };
    if (kms === undefined || credential === undefined) return;
    const link = new KmsLink({ ports, kms, credential, probe: () => this.#askOpenQuestion() });
    link.events.on('state', (state) => this.events.emit('state', state));
    link.events.on('available', () => this.events.emit('available', undefined));
    this.#access = { kms, link, credential };
    this.#archive = archive;
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

  /** How this account comes to its key of the KMS, for evidence. */
  get credentialMode(): KmsCredentialMode {
    return this.#require().kms.credential.mode;
  }

  get state(): KmsState {
    return this.#access?.link.state ?? this.#withoutKms;
  }

  /** The time by which tickets are made and judged, milliseconds since 1970: see `KmsClock`. */
  now(): number {
    return this.#access?.link.clock.now() ?? this.#ports.clock.now();
  }

  /**
   * A ticket for `recipient` (a KMS user identity), or for several who may each resolve it, in any order. Callers that ask for the same at the same time share one request.
   * @param renew asks for a new one although there is one that may still be used.
   * @throws RefusalError `no-kms`, `kms-unreachable`, `kms-refused` or `kms-answer-invalid`.
   */
  async ticketFor(recipients: string | readonly string[], kind: TicketKind, renew = false): Promise<GrantedTicket> {
    this.#require();
    const recipient = this.#nameOf(recipients, kind);
    await this.#load();
    const cached = renew ? undefined : this.#cache.get(recipient, kind, this.now());
    if (cached !== undefined) return cached;
    const key = `${kind} ${recipient}`;
    return this.#shared(
      this.#requests,
      key,
      () =>
        this.#require().kms.ticketsMadeHere === true ? this.#make(recipient, kind) : this.#request(recipient, kind),
      () => this.ticketFor(namesOf(recipient), kind),
    );
  }

  /** Forgets a ticket that proved useless, so that the next message asks for a new one. */
  drop(recipients: string | readonly string[], kind: TicketKind): void {
    this.#cache.drop(this.#nameOf(recipients, kind), kind);
    this.#keep();
  }

  /** From its issue until when the ticket that is kept may be used again, milliseconds since 1970; undefined when there is none. */
  async reusableSpan(
    recipient: string,
    kind: TicketKind,
  ): Promise<{ readonly from: number; readonly until: number } | undefined> {
    await this.#load();
    const ticket = this.#cache.get(this.#nameOf(recipient, kind), kind, this.now());
    const until = ticket === undefined ? undefined : reusableUntil(ticket);
    return ticket === undefined || until === undefined ? undefined : { from: ticket.issuedAt, until };
  }

  /** Copies of one message that come in together are resolved together. @throws RefusalError as `ticketFor`. */
  async resolve(received: ReceivedTransfer): Promise<ResolvedTransfer> {
    this.#require();
    const key = `resolve ${toHex(received.messageHash)}`;
    return this.#shared(
      this.#resolves,
      key,
      () => this.#resolve(received),
      // What has ended meanwhile is of no use to anybody.
      () => (this.now() > (received.validUntil ?? Infinity) ? Promise.resolve() : this.resolve(received)),
    );
  }

  /** Asks a KMS that was away or refused, without waiting for the next attempt; resolves with what came of it. */
  async retry(): Promise<KmsState> {
    if (this.#open.size === 0 && this.state.state !== 'ready') {
      // Any question serves to learn whether the KMS is there.
      this.#open.set('self', () => this.#request(identityText(this.#self), 'message', false));
    }
    await this.#access?.link.tryNow();
    return this.state;
  }

  /** No ticket stays, neither in memory nor at rest, and nothing is asked by itself. */
  async signOut(): Promise<void> {
    await this.#loading;
    this.#open.clear();
    this.#forget();
    await this.#archive?.erase();
  }

  /** Nothing is asked by itself any more, and no key stays in memory. What is at rest stays. */
  async stop(): Promise<void> {
    this.#access?.link.stop();
    this.#open.clear();
    await this.#loading;
    await this.#archive?.flush();
    this.#forget();
  }

  async #make(recipient: string, kind: TicketKind): Promise<GrantedTicket> {
    const { kms, credential } = this.#require();
    const now = this.now();
    const key = await credential.current(now);
    const ticket = makeOwnTicket(kms, key, {
      self: this.#self,
      recipients: namesOf(recipient),
      kind,
      now,
      random: this.#ports.random,
    });
    if (this.#cache.put(recipient, kind, ticket, now)) this.#keep();
    this.#ports.log.log('info', 'ticket.made', { kind, validUntil: ticket.validUntil });
    return ticket;
  }

  #request(recipient: string, kind: TicketKind, keep = true): Promise<GrantedTicket> {
    const { kms, link } = this.#require();
    const life = kind === 'session' ? profile.ticket.sessionLifetimeSeconds : profile.ticket.messageLifetimeSeconds;
    return link
      .exchange('request', (key, now) =>
        requestTicket(key, {
          suite: kms.suite,
          initiator: this.#self,
          kms: uriIdentity(kms.identity),
          responders: namesOf(recipient).map(uriIdentity),
          flags: kind === 'session' ? msrpTicketFlags : messageTicketFlags,
          keyKind: kind === 'session' ? 'TGK' : 'GTGK',
          validFrom: now - profile.ticket.startsBeforeIssueSeconds * 1000,
          validUntil: now + life * 1000,
          now,
          random: this.#ports.random,
        }),
      )
      .then((ticket) => {
        if (keep && this.#cache.put(recipient, kind, ticket, this.now())) this.#keep();
        this.#ports.log.log('info', 'ticket.granted', { kind, validUntil: ticket.validUntil });
        return ticket;
      });
  }

  #resolve(received: ReceivedTransfer): Promise<ResolvedTransfer> {
    const { kms, link } = this.#require();
    const ours = uriIdentity(kms.identity);
    const isForeign = received.kms !== undefined && !sameIdentity(received.kms, ours);
    return link.exchange(isForeign ? 'resolve-foreign' : 'resolve', (key, now) =>
      resolveTicket(key, received, {
        // The sender chose the ticket's suite; it must not choose a weaker one for us and our KMS.
        suite: kms.suite === '256' ? kms.suite : received.suite,
        self: this.#self,
        kms: ours,
        now,
        random: this.#ports.random,
      }),
    );
  }

  /** One exchange for all who want the same; remembered as an open question while the KMS does not answer it. */
  #shared<Result>(
    running: Map<string, Promise<Result>>,
    key: string,
    start: () => Promise<Result>,
    again: () => Promise<unknown>,
  ): Promise<Result> {
    const shared = running.get(key);
    if (shared !== undefined) return shared;
    const started = start().then(
      (result) => {
        this.#open.delete(key);
        return result;
      },
      (error: unknown) => {
        this.#open.delete(key);
        const { state } = this.state;
        const isUnanswered = error instanceof RefusalError && (error.code === 'kms-unreachable' || state === 'refused');
        if (isUnanswered) this.#remember(key, again);
        throw error;
      },
    );
    const settled = started.finally(() => running.delete(key));
    running.set(key, settled);
    return settled;
  }

  #remember(key: string, again: () => Promise<unknown>): void {
    this.#open.set(key, again);
    if (this.#open.size <= limits.kmsOpenQuestions) return;
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#open.delete(oldest);
  }

  #askOpenQuestion(): Promise<void> {
    const [next] = this.#open;
    if (next === undefined) return Promise.resolve();
    const [key, again] = next;
    // It comes back at the end of the row when it stays open.
    this.#open.delete(key);
    return again().then(
      () => undefined,
      // The link has told what came of it.
      () => undefined,
    );
  }

  /** Once: what an earlier run of the program had kept. */
  #load(): Promise<void> {
    this.#loading ??= this.#readArchive();
    return this.#loading;
  }

  async #readArchive(): Promise<void> {
    const content = await this.#archive?.load(this.now());
    if (content === undefined) return;
    // However this device's clock was set meanwhile: what had ended then has ended.
    if (content.kmsTime > 0) this.#access?.link.clock.startFrom(content.kmsTime);
    for (const { recipient, kind, ticket } of content.entries) this.#cache.put(recipient, kind, ticket, this.now());
    this.#ports.log.log('info', 'tickets.loaded', { count: this.#cache.entries().length });
  }

  #keep(): void {
    const kmsTime = () => this.#access?.link.clock.floor ?? 0;
    this.#archive?.changed(() => ({ kmsTime: kmsTime(), entries: this.#cache.entries() }));
  }

  #forget(): void {
    for (const { ticket } of this.#cache.entries()) {
      for (const secret of [ticket.mpki, ticket.mpkr, ...ticket.keys.map(({ key }) => key)]) secret?.dispose();
    }
    this.#cache.clear();
  }

  /** Under which a ticket is kept: an address, or several with a blank between them, which none of them can have. */
  #nameOf(recipients: string | readonly string[], kind: TicketKind): string {
    const own = kind === 'message' && this.#isForOwnDevices ? [identityText(this.#self)] : [];
    return [...new Set([recipients, own].flat())].sort().join(' ');
  }

  #require(): Access {
    if (this.#access === undefined) throw refuse('no-kms');
    return this.#access;
  }
}

function namesOf(ticketName: string): readonly string[] {
  return ticketName.split(' ');
}

function octetsOf(ticket: GrantedTicket): number {
  const encoded = encodeGrantedTicket(ticket);
  encoded.fill(0);
  return encoded.length;
}
