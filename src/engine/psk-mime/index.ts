export { openMessage, type OpenedMessage } from './open.ts';
export { isProtectedMessage, readProtectedMessage, type ReceivedMessage } from './receive.ts';
export { sealMessage, type MessageToSeal, type SealedMessage } from './seal.ts';
