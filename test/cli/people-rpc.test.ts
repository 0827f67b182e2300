import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { PeopleParts } from '../../src/cli/people-rpc.ts';
import { UeRpc } from '../../src/cli/ue-rpc.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import type { ChatMessage } from '../../src/engine/chat-message.ts';
import { ContactBook, TrustHistory } from '../../src/engine/contacts/index.ts';
import type { FileView } from '../../src/engine/files/file-view.ts';
import { AccountPresence } from '../../src/engine/presence/index.ts';
import { createMemoryStore, type Store } from '../../src/engine/store/index.ts';
import { createSealedStorage } from '../../src/node/attachments/index.ts';
import { createFileStorage } from '../../src/node/files/file-storage.ts';
import { World, type User } from '../engine/support/world.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Answer {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string; readonly data: { readonly code: string; readonly field?: string } };
}

const bob = 'sip:bob@lab.test';
let world: World;
let alice: User;
let store: Store;
let parts: PeopleParts;
let rpc: UeRpc;
let lines: Answer[];
let folder: string;
let files: FileView[];

function start(people: PeopleParts | undefined): void {
  lines = [];
  rpc = new UeRpc({
    account: alice.account,
    people,
    log: silentLogger,
    write: (line) => lines.push(JSON.parse(line) as Answer),
    onShutdown: () => undefined,
  });
}

async function call(method: string, params: object = {}): Promise<Answer> {
  rpc.handleLine({ text: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
  await rpc.settled();
  return lines.findLast((line) => 'id' in line)!;
}

const told = (method: string): unknown[] => lines.filter((line) => line.method === method).map(({ params }) => params);

beforeEach(async () => {
  world = new World();
  alice = await world.user('alice');
  store = createMemoryStore({ reason: 'test' });
  const { clock } = world;
  const contacts = new ContactBook({ notes: store.notes, clock, random: secureRandom, log: silentLogger });
  const trust = new TrustHistory({ notes: store.notes, book: contacts, clock, log: silentLogger });
  trust.attach(alice.account);
  folder = temporaryFolder('people-rpc');
  files = [];
  parts = {
    people: { contacts, trust },
    presence: new AccountPresence({
      ports: { clock, random: secureRandom, log: silentLogger },
      userAgent: alice.userAgent,
      self: 'sip:alice@lab.test',
      notes: store.account('a').notes,
    }),
    accountId: alice.account.config.id,
    identity: 'sip:alice@lab.test',
    store: store.account('a'),
    clock,
    files: () => files,
    storage: createFileStorage(folder),
  };
  start(parts);
});

afterEach(async () => {
  rpc.close();
  await alice.account.stop();
});

describe('contacts', () => {
  test('are put, found, changed, merged and removed, and every change is told', async () => {
    const { result } = await call('contacts.put', {
      name: 'Bob',
      addresses: ['sip:Bob@lab.test:5060'],
      policy: 'require-e2e',
    });
    expect(result).toMatchObject({ name: 'Bob', addresses: ['sip:Bob@lab.test'], policy: 'require-e2e' });
    const id = result!['id'];
    expect(await call('contacts.get', { id })).toMatchObject({ result: { id } });
    expect(await call('contacts.find', { address: 'sips:Bob@LAB.test' })).toMatchObject({
      result: { contact: { id } },
    });
    expect(await call('contacts.find', { address: bob })).toMatchObject({ result: { contact: null } });
    const other = await call('contacts.put', { name: 'bob', addresses: [bob] });
    expect(await call('contacts.duplicates')).toMatchObject({ result: { groups: [{ by: 'name' }] } });
    expect(await call('contacts.merge', { ids: [id, other.result!['id']] })).toMatchObject({
      result: { id, addresses: ['sip:Bob@lab.test', bob] },
    });
    expect(await call('contacts.list')).toMatchObject({ result: { contacts: [{ id }] } });
    expect(await call('contacts.remove', { id })).toMatchObject({ result: { id } });
    expect(await call('contacts.remove', { id })).toMatchObject({ error: { data: { code: 'no-such-contact' } } });
    expect(told('contact').map((change) => (change as { change: string }).change)).toEqual([
      'put',
      'put',
      'removed',
      'put',
      'removed',
    ]);
  });

  test('what is wrong names its field', async () => {
    expect(await call('contacts.put', { name: 'B', addresses: ['123'] })).toMatchObject({
      error: { data: { code: 'invalid-params', field: 'addresses' } },
    });
    expect(await call('contacts.put', { name: 'B', addresses: [bob], photo: '%%' })).toMatchObject({
      error: { data: { code: 'invalid-params', field: 'photo' } },
    });
    expect(await call('contacts.get', { id: 'none' })).toMatchObject({ error: { data: { code: 'no-such-contact' } } });
  });

  test('leave as vCards and come back', async () => {
    await call('contacts.put', { name: 'Bob', addresses: [bob] });
    const path = join(folder, 'book.vcf');
    expect(await call('contacts.export', { path })).toMatchObject({ result: { path, contacts: 1 } });
    expect(readFileSync(path, 'utf8')).toContain('IMPP;PREF=1:sip:bob@lab.test');
    expect(await call('contacts.export', { path })).toMatchObject({
      error: { data: { code: 'file-unusable', field: 'path' } },
    });
    expect(await call('contacts.import', { path })).toMatchObject({ result: { cards: [{ outcome: 'unchanged' }] } });
    expect(await call('contacts.import', { path: join(folder, 'none') })).toMatchObject({
      error: { message: 'The file cannot be used: ENOENT.', data: { code: 'file-unusable' } },
    });
    writeFileSync(join(folder, 'x'), 'hello');
    expect(await call('contacts.import', { path: join(folder, 'x') })).toMatchObject({
      error: { data: { code: 'file-unusable' } },
    });
  });

  test('who vouched for them is listed, and forgotten by the user', async () => {
    const other = await world.user('bob');
    await other.account.sendMessage({ to: 'sip:alice@lab.test', text: 'hello', way: 'message' });
    await expect.poll(() => parts.people.trust.of(bob).length, { timeout: 30_000 }).toBe(1);
    expect(await call('contacts.trust', { address: bob })).toMatchObject({
      result: { records: [{ peer: bob, kms: [{ value: world.kms.identity, way: 'in' }] }] },
    });
    expect(await call('contacts.forgetTrust', { address: bob })).toMatchObject({ result: { removed: 1 } });
    expect(await call('contacts.trust', { address: bob })).toMatchObject({ result: { records: [] } });
    await other.account.stop();
  });
});

describe('presence', () => {
  test('is off at first; what is set is told, and watched contacts are listed', async () => {
    expect(await call('presence.list')).toMatchObject({
      result: { own: { state: 'available', watches: false, publication: 'off' }, contacts: [] },
    });
    expect(await call('presence.watch', { address: bob })).toMatchObject({ result: {} });
    expect(await call('presence.watch', { address: 'x' })).toMatchObject({
      error: { data: { code: 'invalid-params' } },
    });
    expect(await call('presence.set', { state: 'busy', note: 'in a call' })).toMatchObject({
      result: { state: 'busy', note: 'in a call' },
    });
    expect(told('presence.own')).toMatchObject([{ state: 'busy' }]);
    expect(await call('presence.list')).toMatchObject({
      result: { contacts: [{ peer: bob, state: 'unknown', watch: 'off', vouchedBy: 'network' }] },
    });
    expect(await call('presence.unwatch', { address: bob })).toMatchObject({ result: {} });
    expect(await call('presence.unwatch', { address: bob })).toMatchObject({
      error: { data: { code: 'no-such-contact' } },
    });
  });
});

describe('history', () => {
  const message: ChatMessage = {
    id: 'm1',
    conversation: bob,
    direction: 'in',
    from: bob,
    to: 'sip:alice@lab.test',
    text: 'hello',
    at: 1,
    way: 'message',
    level: 'none',
    state: 'received',
  };

  test('leaves as JSON and as a page, with its files, and comes back once', async () => {
    store.account('a').messages.add(message);
    writeFileSync(join(folder, 'a.txt'), 'a');
    files = [
      {
        id: 'f',
        peer: bob,
        direction: 'in',
        name: 'a.txt',
        type: 'text/plain',
        size: 1,
        state: 'done',
        transferred: 1,
        at: 1,
        path: join(folder, 'a.txt'),
      },
      {
        id: 'g',
        peer: bob,
        direction: 'in',
        name: 'b.txt',
        type: 'text/plain',
        size: 1,
        state: 'offered',
        transferred: 0,
        at: 1,
      },
    ];
    const [json, page] = [join(folder, 'all.json'), join(folder, 'talk.html')];
    expect(await call('history.export', { path: json, format: 'json' })).toMatchObject({
      result: { files: 1, notCopied: [] },
    });
    expect(existsSync(join(folder, 'all-files'))).toBe(false);
    const asked = { path: page, format: 'html', peer: bob, files: 'copy' };
    expect(await call('history.export', asked)).toMatchObject({ result: { files: 1, notCopied: [] } });
    expect(readFileSync(join(folder, 'talk-files', 'a.txt'), 'utf8')).toBe('a');
    expect(readFileSync(page, 'utf8')).toContain('hello');
    expect(await call('history.export', asked)).toMatchObject({ error: { data: { code: 'file-unusable' } } });
    expect(await call('history.import', { path: json })).toMatchObject({ result: { taken: 0, known: 1, leftOut: {} } });
    store.account('a').messages.remove('m1');
    expect(await call('history.import', { path: json })).toMatchObject({ result: { taken: 1, known: 0 } });
    expect(store.account('a').messages.get('m1')).toMatchObject({ text: 'hello', imported: { level: 'none' } });
    expect(await call('history.import', { path: page })).toMatchObject({
      error: { data: { code: 'file-unusable', field: 'path' } },
    });
  });
});

describe('received files', () => {
  test('are saved as a copy by the user, and sealed ones removed', async () => {
    const sealing = createSealedStorage(join(folder, 'sealed'), new SecretBytes(new Uint8Array(32)));
    rpc.close();
    start({ ...parts, storage: sealing });
    const target = await sealing.openTarget({
      key: 'k',
      continues: false,
      name: 'a.txt',
      type: 'text/plain',
      size: 5,
      maxOctets: 5,
      hashes: [],
    });
    await target.write(0, utf8('hello'));
    const { path } = await target.finish();
    const to = join(folder, 'copy.txt');
    expect(await call('attachment.save', { path, to })).toMatchObject({
      result: { path: to, name: 'a.txt', type: 'text/plain', size: 5 },
    });
    expect(readFileSync(to, 'utf8')).toBe('hello');
    expect(await call('attachment.save', { path, to })).toMatchObject({
      error: { data: { code: 'file-unusable', field: 'to' } },
    });
    expect(await call('attachment.remove', { path: to })).toMatchObject({ error: { data: { code: 'file-unusable' } } });
    expect(await call('attachment.remove', { path })).toMatchObject({ result: {} });
    expect(await call('attachment.save', { path, to: join(folder, 'b') })).toMatchObject({
      error: { data: { code: 'file-unusable', field: 'path' } },
    });
    expect(existsSync(join(folder, 'b'))).toBe(false);
  });

  test('that are plain are copied too, and not removed here', async () => {
    writeFileSync(join(folder, 'a.txt'), 'a');
    const [path, to] = [join(folder, 'a.txt'), join(folder, 'b.txt')];
    expect(await call('attachment.save', { path, to })).toMatchObject({ result: { size: 1 } });
    expect(await call('attachment.remove', { path })).toMatchObject({ error: { data: { code: 'no-such-file' } } });
    expect(existsSync(path)).toBe(true);
  });
});

test('without them the methods are unknown', async () => {
  rpc.close();
  start(undefined);
  for (const method of ['contacts.list', 'presence.list', 'history.import']) {
    expect(await call(method, { path: 'x' })).toMatchObject({ error: { data: { code: 'unknown-method' } } });
  }
});
