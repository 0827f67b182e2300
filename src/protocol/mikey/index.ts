export type { TicketProtectionKey } from './base-ticket.ts';
export { dataTypeName, mikeyError, mikeyErrorText } from './code-points.ts';
export { answerWithError, encodeErrorMessage, errorNumberOf, readErrorMessage } from './error-message.ts';
export type { ErrorAnswer, ErrorMessageOptions } from './error-message.ts';
export { messageTicketFlags, msrpTicketFlags, type TicketFlags } from './flags.ts';
export { bytesIdentity, identityText, sameIdentity, uriIdentity, type MikeyIdentity } from './identity.ts';
export type { GrantRules } from './kms-grant.ts';
export { KmsMachine } from './kms-machine.ts';
export type {
  KmsDirectory,
  KmsExchangeSubject,
  KmsMachineOptions,
  KmsOutcome,
  KmsSubscriber,
  Later,
  ReplayMemory,
  TpkRing,
} from './kms-types.ts';
export { decodeMessage, encodeMessage } from './message.ts';
export type { CryptoSession, DecodedMessage, MikeyHeader, MikeyMessage } from './message.ts';
export type * from './payloads.ts';
export { receiveTransfer } from './receive-transfer.ts';
export { ReplayCache } from './replay-cache.ts';
export { createTransfer } from './transfer.ts';
export { createTicketRequest } from './ticket-request.ts';
export type * from './types.ts';
