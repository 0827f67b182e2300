export {
  decodeStun,
  encodeStun,
  isAnswerTo,
  looksLikeStun,
  stunLimits,
  stunTransactionIdOctets,
} from './stun-message.ts';
export type { StunMessage } from './stun-message.ts';
export type { MappedAddress } from './xor-address.ts';
