import { join } from 'node:path';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import { describeStore } from '../../engine/store/store-contract.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const root = temporaryFolder('store-contract');
let stores = 0;

describeStore('A store in an encrypted file', async () => {
  const folder = join(root, String(++stores));
  const { store } = await openStore({ folder, key: new SecretBytes(new Uint8Array(32).fill(7)) });
  return store;
});
