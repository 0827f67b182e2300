import { silentLogger } from '../../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig } from '../../../src/cli/ue-config.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { startLab } from '../../../src/lab/lab.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
const lab = await startLab({ record: false });
const ports = await createEnginePorts({ log: silentLogger });
async function party(name: string) {
  const engine = new Engine(ports);
  const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(name)));
  const account = engine.addAccount(config, secrets);
  const s = await account.register();
  if (s.state !== 'registered') throw new Error(JSON.stringify(s));
  return { account, uri: config.identity };
}
const alice = await party('alice');
const bob = await party('bob');
const total = Number(process.argv[2] ?? 1000);
const policy = (process.argv[3] ?? 'require-e2e') as 'require-e2e';
const text = 'x'.repeat(200);
let got = 0;
const done = new Promise<void>((r) => bob.account.events.on('messageReceived', (m) => { if (m.state !== 'received') console.log(m.state, m.problem); if (++got >= total) r(); }));
await alice.account.sendMessage({ to: bob.uri, text, way: 'message', policy });
got = 0;
const cpu = process.cpuUsage();
const t = performance.now();
let next = 0; let bad = 0;
await Promise.all(Array.from({ length: Number(process.argv[4] ?? 16) }, async () => {
  while (next < total) { next++; const o = await alice.account.sendMessage({ to: bob.uri, text, way: 'message', policy }); if (o.outcome !== 'sent' && bad++ < 1) console.log(JSON.stringify(o)); }
}));
const t2 = performance.now();
await done;
const t3 = performance.now();
const u = process.cpuUsage(cpu);
console.log({ sent: total / ((t2 - t) / 1000), received: total / ((t3 - t) / 1000), cpuMsPerMessage: (u.user + u.system) / 1000 / total });
process.exit(0);
