export { openStore } from './open-store.ts';
export { changeStorePassphrase, type StoreKeySources } from './store-key.ts';
