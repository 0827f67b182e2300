export { attachmentKey } from './attachment-key.ts';
export { createSealedStorage, type SealedStorage } from './sealed-storage.ts';
export { writeCopy } from './write-copy.ts';
