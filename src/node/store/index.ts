export { openStore, type OpenedStore, type StoreNotice, type StoreOptions } from './open-store.ts';
export { changeStorePassphrase, type StoreKeySources } from './store-key.ts';
