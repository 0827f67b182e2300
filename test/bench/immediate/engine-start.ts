/** Starts an engine on the store of a folder, as a program does, and prints `StartFigures` as one line of JSON. Arguments: folder, account. */
import { performance } from 'node:perf_hooks';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import type { StartFigures } from './figures.ts';

const [folder = '', identity = ''] = process.argv.slice(2);
const domain = identity.split('@')[1] ?? '';
const firstPage = 100;
const { store } = await openStore({ folder, key: benchKey() });
const ports = await createEnginePorts({ log: silentLogger, store });
const before = performance.now();
const engine = new Engine(ports);
const account = engine.addAccount(
  {
    id: identity,
    identity,
    privateIdentity: identity.replace(/^sip:/, ''),
    domain,
    server: { host: domain },
    policy: 'prefer-e2e',
  },
  { password: benchKey() },
);
const conversations = account.history.conversations();
account.history.page(conversations[0]?.peer ?? '', firstPage);
const now = performance.now();
// The clock of `performance` starts with the process.
const figures: StartFigures = { process: now, engine: now - before, conversations: conversations.length };
process.stdout.write(`${JSON.stringify(figures)}\n`);
await engine.stop();
await store.close();

/** Of the benchmark's stores: it opens nothing else. */
function benchKey(): SecretBytes {
  return new SecretBytes(new Uint8Array(32).fill(1));
}
