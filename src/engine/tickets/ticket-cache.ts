import type { GrantedTicket } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import { limits } from '../limits.ts';

/** `session` tickets key PSK-TLS (profile 3.6), `message` tickets key PSK-MIME (profile 5.1); they differ in flags and keys. */
export type TicketKind = 'session' | 'message';

/** The part of a granted ticket that decides whether it may be used again. */
export interface CachableTicket {
  readonly flags: { readonly J: boolean };
  readonly issuedAt: number;
  readonly validUntil?: number;
  /** From then on another ticket is needed (TRr), milliseconds since 1970. */
  readonly rekeyBy?: number;
}

export interface CacheEntry<Ticket extends CachableTicket> {
  readonly recipient: string;
  readonly kind: TicketKind;
  readonly ticket: Ticket;
}

/**
 * Tickets by recipient and kind. A ticket is given out again only while flag J allows it and its end is not near.
 * When there are too many, those go that were not used for longest.
 */
export class TicketCache<Ticket extends CachableTicket = GrantedTicket> {
  readonly #entries = new Map<string, CacheEntry<Ticket>>();
  readonly #sizes = new Map<string, number>();
  readonly #sizeOf: (ticket: Ticket) => number;
  #octets = 0;

  /** @param sizeOf octets of a ticket at rest. */
  constructor(sizeOf: (ticket: Ticket) => number = () => 0) {
    this.#sizeOf = sizeOf;
  }

  get(recipient: string, kind: TicketKind, now: number): Ticket | undefined {
    const key = cacheKey(recipient, kind);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (!isReusable(entry.ticket, now)) {
      this.#delete(key);
      return undefined;
    }
    // Map order is the order of last use.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.ticket;
  }

  /** @returns false when the ticket may not be used again, and is not kept. */
  put(recipient: string, kind: TicketKind, ticket: Ticket, now: number): boolean {
    if (!isReusable(ticket, now)) return false;
    const key = cacheKey(recipient, kind);
    this.#delete(key);
    const size = this.#sizeOf(ticket);
    this.#entries.set(key, { recipient, kind, ticket });
    this.#sizes.set(key, size);
    this.#octets += size;
    while (this.#entries.size > limits.cachedTickets || this.#octets > limits.cachedTicketOctets) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) break;
      this.#delete(oldest);
    }
    return this.#entries.has(key);
  }

  drop(recipient: string, kind: TicketKind): void {
    this.#delete(cacheKey(recipient, kind));
  }

  clear(): void {
    this.#entries.clear();
    this.#sizes.clear();
    this.#octets = 0;
  }

  /** The longest unused first. */
  entries(): readonly CacheEntry<Ticket>[] {
    return [...this.#entries.values()];
  }

  #delete(key: string): void {
    if (!this.#entries.delete(key)) return;
    this.#octets -= this.#sizes.get(key) ?? 0;
    this.#sizes.delete(key);
  }
}

/** Profile 5.5: while J=1 and now < TRe - margin, the margin being a tenth of the life and at most an hour; TRr asks for less. */
export function isReusable(ticket: CachableTicket, now: number): boolean {
  const until = reusableUntil(ticket);
  return until !== undefined && now < until;
}

/** Undefined for a ticket that may be used once. */
export function reusableUntil({ flags, validUntil, issuedAt, rekeyBy }: CachableTicket): number | undefined {
  if (!flags.J || validUntil === undefined) return undefined;
  const life = validUntil - issuedAt;
  const margin = Math.min(life * profile.ticket.renewalMarginShare, profile.ticket.renewalMarginMaxSeconds * 1000);
  return Math.min(validUntil - margin, rekeyBy ?? Infinity);
}

function cacheKey(recipient: string, kind: TicketKind): string {
  return `${kind} ${recipient}`;
}
