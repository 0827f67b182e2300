import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { createMemoryStore, type AccountStore } from '../../../src/engine/store/index.ts';
import { createSealedStorage } from '../../../src/node/attachments/index.ts';
import { readHistory, writeHistory, type AttachedFile } from '../../../src/node/history/history-files.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [me, bob] = ['sip:me@lab.test', 'sip:bob@lab.test'];
let folder: string;
let store: AccountStore;

function message(id: string): ChatMessage {
  return {
    id,
    conversation: bob,
    direction: 'in',
    from: bob,
    to: me,
    text: `ü ${id}`,
    at: 1,
    way: 'message',
    level: 'none',
    state: 'received',
  };
}

const scope = () => ({ accounts: [{ id: 'a', identity: me, messages: store.messages }], at: 5 });

beforeEach(() => {
  folder = temporaryFolder('history');
  store = createMemoryStore({ reason: 'test' }).account('a');
});

describe('an export to a file', () => {
  test('is written whole, replaces nothing, and is read again', async () => {
    // More than a piece of reading and writing.
    for (let n = 0; n < 2000; n++) store.messages.add(message(`m${n}`));
    const path = join(folder, 'all.json');
    expect(await writeHistory({ scope: scope(), format: 'json', path })).toEqual({ path, files: [], notCopied: [] });
    await expect(writeHistory({ scope: scope(), format: 'json', path })).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readdirSync(folder)).toEqual(['all.json']);
    const other = createMemoryStore({ reason: 'test' }).account('a');
    const target = { id: 'a', identity: me, store: other };
    expect(await readHistory(path, [target], 9)).toEqual({ taken: 2000, known: 0, leftOut: {} });
    expect(other.messages.get('m7')).toMatchObject({ text: 'ü m7', imported: { at: 9, level: 'none' } });
    writeFileSync(path, Uint8Array.of(0x7b, 0xff));
    await expect(readHistory(path, [target], 9)).rejects.toMatchObject({ kind: 'malformed' });
  });

  test('has copies of the files beside it, also of sealed ones, each under a safe name of its own', async () => {
    const storage = createSealedStorage(join(folder, 'received'), new SecretBytes(new Uint8Array(32)));
    const content = utf8('octets of the file');
    const target = await storage.openTarget({
      key: 'k',
      continues: false,
      name: 'x',
      size: content.length,
      maxOctets: 100,
      hashes: [],
    });
    await target.write(0, content);
    const { path: sealed } = await target.finish();
    const plain = join(folder, 'plain.txt');
    writeFileSync(plain, 'plain');
    const file = { accountId: 'a', peer: bob, direction: 'in', type: 'text/plain', at: 1 } as const;
    const attachments: AttachedFile[] = [
      { ...file, name: '../../evil.txt', path: sealed },
      { ...file, name: '../../evil.txt', path: plain },
      { ...file, name: 'gone.txt', path: join(folder, 'gone.txt') },
    ];
    store.messages.add(message('m'));
    const path = join(folder, 'talk.html');
    const report = await writeHistory({ scope: scope(), format: 'html', path, attachments, copiesWith: storage });
    expect(report.notCopied).toEqual(['gone.txt']);
    expect(report.files.map(({ copy }) => copy)).toEqual([
      'talk-files/_.._evil.txt',
      'talk-files/_.._evil (2).txt',
      undefined,
    ]);
    expect(readFileSync(join(folder, 'talk-files', '_.._evil.txt'), 'utf8')).toBe('octets of the file');
    expect(readFileSync(join(folder, 'talk-files', '_.._evil (2).txt'), 'utf8')).toBe('plain');
    expect(readFileSync(path, 'utf8')).toContain('href="./talk-files/_.._evil%20(2).txt"');
    // Without copies they are listed only.
    const listed = join(folder, 'listed.html');
    await writeHistory({ scope: scope(), format: 'html', path: listed, attachments });
    expect(readFileSync(listed, 'utf8')).not.toContain('href');
    expect(existsSync(join(folder, 'listed-files'))).toBe(false);
  });
});
