import type { MikeyIdentity } from './identity.ts';
import type { CryptoSession, DecodedMessage } from './message.ts';
import type { SecurityPolicyPayload, TicketPayload, VerificationPayload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import type { PolicyContent } from './ticket-policy.ts';

/** What the checks without keys found in a TRANSFER_INIT. */
export interface CheckedTransfer {
  readonly message: DecodedMessage;
  readonly suite: SuiteParameters;
  readonly session: CryptoSession;
  /** The policy that our answer chooses; `undefined` when the message leaves it to us (RFC 6043 6.1.1, #P = 0). */
  readonly chosenPolicy: SecurityPolicyPayload | undefined;
  readonly ticket: TicketPayload;
  readonly policy: PolicyContent;
  readonly verification: VerificationPayload;
  readonly rand: Uint8Array;
  readonly timestamp: number;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
}
