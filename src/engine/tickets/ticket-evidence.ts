import type { TicketEvidence } from '../evidence.ts';
import type { KmsCredentialMode } from './kms-credential-mode.ts';

/** @param credential of the account whose evidence it is */
export function ticketEvidence(
  ticket: { readonly issuedAt: number; readonly validUntil?: number | undefined },
  credential: KmsCredentialMode,
): TicketEvidence {
  const { issuedAt, validUntil } = ticket;
  return { issuedAt, ...(validUntil === undefined ? {} : { validUntil }), credential };
}
