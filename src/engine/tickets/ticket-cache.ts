import { profile } from '../../protocol/profile.ts';
import { limits } from '../limits.ts';

/** `session` tickets key PSK-TLS (profile 3.6), `message` tickets key PSK-MIME (profile 5.1); they differ in flags and keys. */
export type TicketKind = 'session' | 'message';

/** The part of a granted ticket that decides whether it may be used again. */
export interface CachableTicket {
  readonly flags: { readonly J: boolean };
  readonly issuedAt: number;
  readonly validUntil?: number;
}

/** Tickets by recipient and kind. A ticket is given out again only while flag J allows it and its end is not near. */
export class TicketCache<Ticket extends CachableTicket> {
  readonly #tickets = new Map<string, Ticket>();

  get(recipient: string, kind: TicketKind, now: number): Ticket | undefined {
    const key = cacheKey(recipient, kind);
    const ticket = this.#tickets.get(key);
    if (ticket === undefined) return undefined;
    if (isReusable(ticket, now)) return ticket;
    this.#tickets.delete(key);
    return undefined;
  }

  put(recipient: string, kind: TicketKind, ticket: Ticket, now: number): void {
    if (!isReusable(ticket, now)) return;
    this.#tickets.set(cacheKey(recipient, kind), ticket);
    if (this.#tickets.size > limits.cachedTickets) {
      const [oldest] = this.#tickets.keys();
      if (oldest !== undefined) this.#tickets.delete(oldest);
    }
  }

  drop(recipient: string, kind: TicketKind): void {
    this.#tickets.delete(cacheKey(recipient, kind));
  }

  clear(): void {
    this.#tickets.clear();
  }
}

/** Profile 5.5: while J=1 and now < TRe - margin, the margin being a tenth of the life and at most an hour. */
export function isReusable(ticket: CachableTicket, now: number): boolean {
  if (!ticket.flags.J || ticket.validUntil === undefined) return false;
  const life = ticket.validUntil - ticket.issuedAt;
  const margin = Math.min(life * profile.ticket.renewalMarginShare, profile.ticket.renewalMarginMaxSeconds * 1000);
  return now < ticket.validUntil - margin;
}

function cacheKey(recipient: string, kind: TicketKind): string {
  return `${kind} ${recipient}`;
}
