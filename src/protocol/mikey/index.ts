export { bytesIdentity, identityText, sameIdentity, uriIdentity, type MikeyIdentity } from './identity.ts';
export { messageTicketFlags, msrpTicketFlags, type TicketFlags } from './flags.ts';
export type * from './payloads.ts';
export type * from './types.ts';
