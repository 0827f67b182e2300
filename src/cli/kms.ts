import { describeError } from '../base/errors.ts';
import { secureRandom } from '../crypto/random.ts';
import { readKmsConfig } from '../kms/http/config-file.ts';
import { startKms } from '../kms/http/start-kms.ts';
import { loadTpkFile } from '../kms/storage/tpk-file.ts';
import { createJsonLogger } from '../node/json-logger.ts';
import { systemClock } from '../node/system-clock.ts';
import { profile } from '../protocol/profile.ts';
import { readOptions } from './command-line.ts';

const usage = `usage: npm run kms -- --config FILE [--quiet]

Runs a key management server for MIKEY-TICKET over HTTPS until it gets SIGINT or SIGTERM.
It prints one line when it listens; each exchange is one JSON line on stderr, unless --quiet is given.

FILE is JSON (paths are relative to it):
  identity              the KMS's own identity, for example "sip:kms.example.com"
  listen                { "host": "127.0.0.1", "port": 8443 }
  tls                   { "certificateFile": PEM file, "privateKeyFile": PEM file }
  tpkFile               where ticket protection keys are kept; made with mode 0600 when absent
  tpkRenewAfterSeconds  age at which a start makes a new ticket protection key (30 days)
  users                 [ { "identities": ["sip:alice@example.com", aliases...],
                            "pskId": name of the key, "psk": 64 hexadecimal digits,
                            "mayRequest": true, "allowedResponders": [URIs],
                            "certificate": true or [SHA-256 fingerprints] } ]
  publicKey             { "certificateFiles": [PEM files], "privateKeyFiles": [PEM files],
                          "trustAnchorsFile": PEM file, "domains": [host names] }
                        for users with certificates (docs/kms-public-key.md)
  rules                 { "startsBeforeIssueSeconds": 300, "sessionLifetimeSeconds": 86400,
                          "messageLifetimeSeconds": 604800 }
`;

async function main(): Promise<void> {
  const options = readOptions(
    usage,
    { config: { type: 'string' }, quiet: { type: 'boolean', default: false } },
    (given) => (given.config === undefined ? '--config FILE is missing' : undefined),
  );
  if (options?.config === undefined) return;
  const config = await readKmsConfig(options.config);
  const rules = { ...profile.ticket, ...config.kms.rules };
  const rotation = {
    renewAfterSeconds: config.tpkRenewAfterSeconds,
    keepSeconds: Math.max(rules.sessionLifetimeSeconds, rules.messageLifetimeSeconds),
  };
  const server = await startKms({
    config: config.kms,
    tls: { certificatePem: config.certificatePem, privateKeyPem: config.privateKeyPem },
    ...config.listen,
    clock: systemClock,
    log: createJsonLogger((line) => process.stderr.write(line), options.quiet ? 'error' : 'info'),
    tpks: await loadTpkFile(config.tpkFile, rotation, secureRandom, systemClock.now()),
  });
  process.stdout.write(`${config.kms.identity} listens on ${server.url}\n`);
  await new Promise<void>((resolve) => {
    process.on('SIGINT', () => resolve());
    process.on('SIGTERM', () => resolve());
  });
  await server.stop();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`The key management server could not start: ${describeError(error)}\n`);
  process.exitCode = 1;
}
