import type { TicketEvidence } from '../evidence.ts';

export function ticketEvidence(ticket: {
  readonly issuedAt: number;
  readonly validUntil?: number | undefined;
}): TicketEvidence {
  const { issuedAt, validUntil } = ticket;
  return validUntil === undefined ? { issuedAt } : { issuedAt, validUntil };
}
