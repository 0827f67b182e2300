import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import type { Account } from '../../src/engine/account.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { FileView } from '../../src/engine/files/file-view.ts';
import type { AccountPresence, PresenceState } from '../../src/engine/presence/index.ts';
import type { Store } from '../../src/engine/store/index.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { openStore } from '../../src/node/store/open-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const patient = { timeout: 60_000 };

interface Seat {
  readonly engine: Engine;
  readonly account: Account;
  readonly presence: AccountPresence;
  readonly store: Store;
}

let lab: Lab;
let folder: string;
let seats: Seat[];

async function seat(name: string): Promise<Seat> {
  const { store } = await openStore({ folder: join(folder, name), key: new SecretBytes(new Uint8Array(32).fill(7)) });
  const receivedFolder = join(folder, `${name}-received`);
  const engine = new Engine(await createEnginePorts({ log: silentLogger, store, receivedFolder, keepFiles: 'sealed' }));
  const { config, secrets } = accountFromUeConfig(
    checkUeConfig(lab.ueConfig(name, { files: { autoAccept: 'contacts' } })),
  );
  const account = engine.addAccount(config, secrets);
  const taken = { engine, account, presence: engine.people.presence(config.id)!, store };
  seats.push(taken);
  return taken;
}

async function leave({ engine, store }: Seat): Promise<void> {
  await engine.stop();
  await store.close();
}

beforeEach(async () => {
  lab = await startLab();
  folder = temporaryFolder('people');
  seats = [];
}, 60_000);

afterEach(async () => {
  await Promise.all(seats.map(leave));
  await lab.stop();
}, 60_000);

describe('people in a network', () => {
  test('see each other’s presence while they are there, over a restart too', patient, async () => {
    const [alice, bob] = [await seat('alice'), await seat('bob')];
    for (const { account } of [alice, bob]) expect(await account.register()).toMatchObject({ state: 'registered' });
    const peer = bob.account.config.identity;
    const seen = (state: PresenceState | 'unknown'): Promise<void> =>
      expect.poll(() => seats[0]!.presence.views()[0]?.state, patient).toBe(state);
    alice.presence.configure({ watches: true });
    expect(alice.presence.watch(peer)).toBe('watched');
    await seen('offline');
    bob.presence.configure({ publishes: true, state: 'busy', note: 'in a call' });
    await seen('busy');
    expect(alice.presence.views()[0]).toMatchObject({ peer, note: 'in a call', watch: 'active', vouchedBy: 'network' });
    bob.presence.configure({ state: 'away', note: '' });
    await seen('away');
    await leave(alice);
    seats.shift();
    const again = await seat('alice');
    seats.unshift(seats.pop()!);
    await again.account.register();
    await seen('away');
    bob.presence.configure({ state: 'offline' });
    await seen('offline');
  });

  test('contacts, trust and sealed files are there after a restart', patient, async () => {
    const [alice, bob] = [await seat('alice'), await seat('bob')];
    for (const { account } of [alice, bob]) await account.register();
    const [from, to] = [alice.account.config.identity, bob.account.config.identity];
    const { contacts, trust } = bob.engine.people;
    contacts.put({ name: 'Alice', addresses: [from] });
    expect(await alice.account.sendMessage({ to, text: 'hello', way: 'message' })).toMatchObject({ outcome: 'sent' });
    await expect.poll(() => trust.of(from)[0]?.levels[0]?.value, patient).toBe('e2e');

    // Without a question, as it comes from a contact.
    const file = await new Promise<FileView>((resolve) => {
      bob.account.events.on('file', (view) => {
        if (view.state === 'done') resolve(view);
      });
      void alice.account.sendFile({ to, path: new URL(import.meta.url).pathname });
    });
    expect(file).toMatchObject({ name: 'people.test.ts', isSealed: true, hashChecked: true, level: 'e2e' });
    expect(readdirSync(join(folder, 'bob-received')).filter((name) => name.includes('people'))).toEqual([]);

    const { id } = contacts.find(from)!;
    contacts.put({ id, name: 'Alice', addresses: [from], policy: 'require-e2e' });
    await leave(bob);
    seats.pop();
    const again = await seat('bob');
    expect(again.engine.people.contacts.list()).toMatchObject([{ name: 'Alice', addresses: [from] }]);
    expect(again.account.contactPolicy(from)).toBe('require-e2e');
    expect(again.engine.people.trust.of(from)).toMatchObject([{ kms: [{ way: 'in' }] }]);
    const source = await again.engine.files!.openSource(file.path!);
    expect(source).toMatchObject({ name: 'people.test.ts', size: file.size });
    let octets = 0;
    for await (const piece of source.read(0)) octets += piece.length;
    expect(octets).toBe(file.size);
  });
});
