export { formatByteRange, parseByteRange, type ByteRange } from './byte-range.ts';
export { decodeFrames, encodeFrame, type MsrpFrame } from './codec.ts';
export { defaultMsrpFramerLimits, MsrpFramer, type MsrpFramerEvent, type MsrpFramerLimits } from './framer.ts';
export type {
  ContinuationFlag,
  FailureReport,
  MsrpHead,
  MsrpHeader,
  MsrpHeaders,
  MsrpRequestHead,
  MsrpResponseHead,
  ReportStatus,
} from './head.ts';
export { isMsrpIdent } from './head-parser.ts';
export type { IncomingDecision, IncomingDescription } from './incoming.ts';
export { MsrpLink, type MsrpDelivery, type MsrpLinkOptions, type MsrpOutput, type MsrpParty } from './link.ts';
export { isAcceptable } from './media-type-list.ts';
export { formatNickname, parseNickname, prepareNickname, sameNickname } from './nickname.ts';
export { bytesSource, type MessageSource, type OutgoingRequest } from './outgoing.ts';
export { headerValues } from './relay-answer.ts';
export { RelayAuth, type RelayAuthAction, type RelayAuthEvent, type RelayAuthOptions } from './relay-auth.ts';
export type { RelayUser } from './relay-credentials.ts';
export { transactionMilliseconds } from './sender.ts';
export { MsrpSession } from './session.ts';
export type {
  MsrpFailure,
  MsrpOutcome,
  MsrpSessionAction,
  MsrpSessionEvent,
  MsrpSessionOptions,
  ReceivedMessage,
} from './session-types.ts';
export { formatMsrpUri, parseMsrpUri, sameMsrpSession, sameMsrpUri, type MsrpUri } from './uri.ts';
