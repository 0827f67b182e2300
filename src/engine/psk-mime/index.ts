export { openMessage, type OpenedMessage } from './open.ts';
export { readProtectedMessage, type ReceivedMessage } from './receive.ts';
export { sealMessage, type MessageToSeal, type SealedMessage } from './seal.ts';
