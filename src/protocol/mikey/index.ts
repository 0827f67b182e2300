export { dataTypeName, mikeyError, mikeyErrorText } from './code-points.ts';
export type { KmsKeyPair } from './envelope.ts';
export { answerWithError, encodeErrorMessage, errorNumberOf, readErrorMessage } from './error-message.ts';
export type { ErrorAnswer, ErrorMessageOptions } from './error-message.ts';
export { CounterMemory } from './counter-memory.ts';
export type * from './bundle-types.ts';
export { messageTicketFlags, msrpTicketFlags, type TicketFlags } from './flags.ts';
export { bytesIdentity, identityText, sameIdentity, uriIdentity, type MikeyIdentity } from './identity.ts';
export { acceptsStricter, neverGranted, type GrantDifference, type GrantJudge } from './grant-judge.ts';
export { InitiatorMachine, type InitiatorEvent, type InitiatorMachineOptions } from './initiator-machine.ts';
export type { GrantRules } from './kms-grant.ts';
export { KmsMachine } from './kms-machine.ts';
export { forwardResolve } from './kms-forward.ts';
export type {
  ForeignTicket,
  ForwardAnswer,
  ForwardCredential,
  ForwardedResolve,
  IssuedKeys,
  IssuerAnswer,
} from './kms-forward.ts';
export type {
  Admission,
  KmsCounters,
  KmsDirectory,
  KmsExchangeSubject,
  KmsMachineOptions,
  KmsOutcome,
  KmsSubscriber,
  KmsPublicKey,
  KmsUser,
  Later,
  ReplayMemory,
  TicketIssuers,
  TicketMaker,
  TpkRing,
} from './kms-types.ts';
export type * from './machine-types.ts';
export { decodeMessage, encodeMessage } from './message.ts';
export type { CryptoSession, DecodedMessage, MikeyHeader, MikeyMessage } from './message.ts';
export type * from './payloads.ts';
export { makeTicket } from './make-ticket.ts';
export { receiveTransfer } from './receive-transfer.ts';
export { ReplayCache } from './replay-cache.ts';
export { ResponderMachine, type ResponderEvent, type ResponderMachineOptions } from './responder-machine.ts';
export { decodeGrantedTicket, encodeGrantedTicket } from './stored-ticket.ts';
export { createTransfer } from './transfer.ts';
export { createTicketRequest } from './ticket-request.ts';
export { createTicketRequestPk } from './ticket-request-pk.ts';
export type { MessageTime, TimestampChoice } from './timestamp.ts';
export type * from './types.ts';
