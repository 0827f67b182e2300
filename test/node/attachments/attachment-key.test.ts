import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { createMemoryStore, StoreError } from '../../../src/engine/store/index.ts';
import { attachmentKey } from '../../../src/node/attachments/index.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('the key of sealed files is in the encrypted store and stays the same', async () => {
  const folder = temporaryFolder('attachment-key');
  const key = new SecretBytes(new Uint8Array(32).fill(9));
  const { store } = await openStore({ folder, key });
  const first = (await attachmentKey(store))!.use(toHex);
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect((await attachmentKey(store))!.use(toHex)).toBe(first);
  const message: ChatMessage = {
    id: 'm',
    conversation: 'sip:b@x',
    direction: 'in',
    from: 'sip:b@x',
    to: 'sip:a@x',
    text: 't',
    at: 1,
    way: 'message',
    level: 'none',
    state: 'received',
    imported: { at: 2, level: 'e2e' },
  };
  store.account('a').messages.add(message);
  await store.close();
  const { store: again } = await openStore({ folder, key });
  expect((await attachmentKey(again))!.use(toHex)).toBe(first);
  expect(again.account('a').messages.get('m')).toEqual(message);
  await again.close();
});

test('nothing is sealed under a key that nobody keeps, and nothing is kept in the clear instead', async () => {
  const store = createMemoryStore({ reason: 'test' });
  expect(await attachmentKey(store)).toBeUndefined();
  const options = { log: silentLogger, receivedFolder: join(temporaryFolder('attachment-key'), 'received') };
  await expect(createEnginePorts({ ...options, keepFiles: 'sealed', store })).rejects.toMatchObject({
    code: 'key-missing',
  });
  await expect(createEnginePorts({ ...options, keepFiles: 'sealed' })).rejects.toMatchObject({ code: 'key-missing' });
});

test('nothing is sealed under a key that is not durable yet', async () => {
  const { store } = await openStore({
    folder: temporaryFolder('attachment-key'),
    key: new SecretBytes(new Uint8Array(32).fill(9)),
  });
  for (const isThere of [false, true]) {
    const lost = { ...store, durable: () => Promise.reject(new StoreError('full', 'there is no room')) };
    expect(store.notes.get('attachments', 'key') !== undefined).toBe(isThere);
    await expect(async () => attachmentKey(lost)).rejects.toMatchObject({ code: 'full' });
  }
  await store.close();
});
