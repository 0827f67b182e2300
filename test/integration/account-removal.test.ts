import { afterEach, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import { Engine } from '../../src/engine/engine.ts';
import { createMemoryStore } from '../../src/engine/store/index.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';

let lab: Lab | undefined;
let engine: Engine | undefined;
afterEach(async () => {
  await engine?.stop();
  await lab?.stop();
});

it('an account that is removed leaves nothing of its messages behind', { timeout: 60_000 }, async () => {
  lab = await startLab();
  const store = createMemoryStore({ reason: 'a test' });
  engine = new Engine({ ...(await createEnginePorts({ log: silentLogger })), store });
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig('alice')));
  const account = engine.addAccount(config, secrets);
  await account.register();
  await account.sendMessage({ to: 'sip:bob@lab.test', text: 'for the store', way: 'message', policy: 'require-e2e' });
  expect(store.account(config.id).messages.count()).toBe(1);

  await engine.removeAccount(config.id);

  expect(engine.accounts).toEqual([]);
  const { messages, outbox } = store.account(config.id);
  expect([messages.count(), outbox.count()]).toEqual([0, 0]);
  expect(store.search({ text: 'store', limit: 10 }).hits).toEqual([]);
});
