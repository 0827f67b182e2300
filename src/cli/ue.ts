import { dirname, join } from 'node:path';
import { describeError } from '../base/errors.ts';
import { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store/index.ts';
import { createEnginePorts } from '../node/create-engine-ports.ts';
import { localAddressTowards } from '../node/local-address.ts';
import { createJsonLogger } from '../node/json-logger.ts';
import { createServerPinFile } from '../node/sip/server-pins.ts';
import { BoundedLines } from './bounded-lines.ts';
import { readOptions } from './command-line.ts';
import { openConfiguredStore } from './storage-config.ts';
import {
  accountFromUeConfig,
  pinFileFromUeConfig,
  readUeConfig,
  ticketStorageFromUeConfig,
  UeConfigError,
} from './ue-config.ts';
import { peopleParts } from './people-rpc.ts';
import { UeRpc } from './ue-rpc.ts';

const maxLineOctets = 1024 * 1024;
const logLevels = ['debug', 'info', 'warn', 'error'] as const;
const usage = `usage: npm run ue -- --config FILE [--log ${logLevels.join('|')}]

A scriptable UE: JSON-RPC 2.0 on stdin and stdout, one object a line; log lines on stderr. docs/ue-rpc.md tells the
methods and what FILE holds; "npm run lab" writes such files.
`;

/** Closed however the program ends: its timers would keep the process. */
let store: Store | undefined;

/** Scriptable UE: JSON-RPC 2.0 on stdin and stdout, log lines on stderr (docs/ue-rpc.md). */
async function main(): Promise<void> {
  const options = readOptions(
    usage,
    { config: { type: 'string' }, log: { type: 'string', default: 'info' } },
    (given) => {
      if (given.config === undefined) return '--config FILE is missing';
      return levelNamed(given.log) === undefined ? `--log is one of ${logLevels.join(', ')}` : undefined;
    },
  );
  if (options?.config === undefined) return;
  // Without a reader the log is lost, not the UE.
  process.stderr.on('error', () => undefined);
  const log = createJsonLogger((line) => process.stderr.write(line), levelNamed(options.log));
  const given = await readUeConfig(options.config);
  const { config, secrets } = accountFromUeConfig(given);
  const host = await localAddressTowards(config.server.host);
  const simDirectory = join(dirname(options.config), 'sim-state');
  store = await openConfiguredStore(given.storage, log);
  const pinFile = pinFileFromUeConfig(given);
  const engine = new Engine(
    await createEnginePorts({
      log,
      host,
      media: config.media ?? {},
      simDirectory,
      store,
      ...(pinFile === undefined ? {} : { serverPins: createServerPinFile(pinFile) }),
      ...(given.receivedFolder === undefined ? {} : { receivedFolder: given.receivedFolder }),
      ...(given.files?.keep === undefined ? {} : { keepFiles: given.files.keep }),
    }),
  );
  const account = engine.addAccount(config, secrets, ticketStorageFromUeConfig(given));

  await new Promise<void>((resolve) => {
    const rpc = new UeRpc({
      account,
      people: peopleParts(engine, account),
      log,
      write: (line) => process.stdout.write(`${line}\n`),
      onShutdown: resolve,
      acceptServer: (sha256) => engine.acceptServerCertificate(config.id, sha256),
    });
    const lines = new BoundedLines(maxLineOctets);
    process.stdin.on('data', (chunk: Buffer) => lines.push(chunk).forEach((line) => rpc.handleLine(line)));
    process.stdin.on('end', () => {
      lines.end().forEach((line) => rpc.handleLine(line));
      void rpc.settled().then(resolve);
    });
    process.stdin.on('error', () => resolve());
    // The reader of our answers is gone: nothing that we say is heard any more.
    process.stdout.on('error', () => resolve());
    process.on('SIGTERM', () => resolve());
    process.on('SIGINT', () => resolve());
  });
  await engine.stop();
}

function levelNamed(text: string): (typeof logLevels)[number] | undefined {
  return logLevels.find((name) => name === text);
}

try {
  await main();
} catch (error) {
  const problem = error instanceof UeConfigError ? `configuration: ${error.message}` : describeError(error);
  process.stderr.write(`${JSON.stringify({ level: 'error', event: 'ue.cannot-start', reason: problem })}\n`);
  process.exitCode = 1;
} finally {
  await store?.close();
  // stdin may still be open after `shutdown` or a signal; it must not keep the process.
  process.stdin.destroy();
}
