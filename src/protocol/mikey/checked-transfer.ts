import type { MikeyIdentity } from './identity.ts';
import type { DecodedMessage } from './message.ts';
import type { TicketPayload, TimestampPayload, VerificationPayload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import type { NegotiatedSession } from './session-negotiation.ts';
import type { PolicyContent } from './ticket-policy.ts';
import type { PeerRules } from './key-types.ts';

/** What the checks without keys found in a TRANSFER_INIT. */
export interface CheckedTransfer {
  readonly message: DecodedMessage;
  readonly suite: SuiteParameters;
  /** At least one, with the policy that our answer chooses for each. */
  readonly sessions: readonly [NegotiatedSession, ...NegotiatedSession[]];
  readonly ticket: TicketPayload;
  readonly policy: PolicyContent;
  readonly verification: VerificationPayload;
  readonly rand: Uint8Array;
  readonly timestamp: TimestampPayload;
  readonly ticketIssuedAt: number;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  readonly rules: PeerRules;
}
