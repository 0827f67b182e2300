import { describeError } from '../../base/errors.ts';
import { auditCommands } from './audit-commands.ts';
import { readArguments, UsageError, type Command, type Output } from './command.ts';
import { keyCommands } from './key-commands.ts';
import { serve } from './serve.ts';
import { userCommands } from './user-commands.ts';

const commands: Readonly<Record<string, Command>> = { serve, ...userCommands, ...keyCommands, ...auditCommands };

const usage = `usage: npm run kms -- [COMMAND] --config FILE

Runs a key management server for MIKEY-TICKET over HTTPS, or looks after one; commands work while servers run.
Without a command it serves: one line on standard output tells when it listens, each exchange is one JSON line on
standard error, unless --quiet is given.

${Object.entries(commands)
  .map(([name, { synopsis, explanation }]) => `  ${`${name} ${synopsis}`.trimEnd()}\n      ${explanation}`)
  .join('\n')}

FILE is JSON (paths are relative to it; docs/kms.md tells all):
  identity              the KMS's own identity, for example "sip:kms.example.com"
  listen                { "host": "127.0.0.1", "port": 8443 }
  tls                   { "certificateFile": PEM file, "privateKeyFile": PEM file }
  limits                how much one user and one address may ask
  management            { "host": "127.0.0.1", "port": 9464 }: health and metrics, nowhere unless given
  trustedProxies        [addresses or networks of load balancers], "proxyProtocol": true for the PROXY protocol
  shutdown              { "drainSeconds": 0, "graceSeconds": 10 }
  peers                 other KMSs whose users and ours send to each other
  gba                   the network whose subscribers have their keys by bootstrapping (docs/gba.md)
  storage               { "sqlite": FILE } (kms.db), or { "postgres": { "url": "postgres://..." } }
  keyEncryptionKey      { "file": FILE } (kms.kek), { "environment": NAME } or { "keychain": NAME }
  auditHeadFile         where the head of the audit is kept aside (kms.audit-head)
  tpkRenewAfterSeconds  age at which a ticket protection key gets a successor (30 days)
  users                 added at start unless the storage knows them:
                        [ { "identities": ["sip:alice@example.com", aliases...],
                            "pskId": name of the key, "psk": 64 hexadecimal digits,
                            "mayRequest": true, "allowedResponders": [URIs],
                            "certificate": true or [SHA-256 fingerprints] } ]
  publicKey             { "certificateFiles": [PEM files], "privateKeyFiles": [PEM files],
                          "trustAnchorsFile": PEM file, "domains": [host names] }
                        for users with certificates (docs/kms-public-key.md)
  rules                 { "startsBeforeIssueSeconds": 300, "sessionLifetimeSeconds": 86400,
                          "messageLifetimeSeconds": 604800 }
`;

/** The command and what follows its name; the words of options are never taken for a name. */
function findCommand(words: readonly string[]): readonly [Command, readonly string[]] {
  const end = words.findIndex((word) => word.startsWith('-'));
  const names = (end < 0 ? words : words.slice(0, end)).slice(0, 2);
  for (const length of [2, 1]) {
    const command = commands[names.slice(0, length).join(' ')];
    if (names.length >= length && command !== undefined) return [command, words.slice(length)];
  }
  if (names.length === 0) return [serve, words];
  throw new UsageError(`Unknown command '${names.slice(0, 2).join(' ')}'`);
}

/**
 * Runs what `npm run kms` was given.
 * @returns the exit status: 2 for a wrong command line, 1 for what could not be done.
 */
export async function runKms(words: readonly string[], output: Output): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    output.print(usage.trimEnd());
    return 0;
  }
  try {
    const [command, rest] = findCommand(words);
    return await command.run(readArguments(command, rest, output));
  } catch (error) {
    if (error instanceof UsageError) {
      output.printError(`${error.message}. --help tells what may be given.`);
      return 2;
    }
    output.printError(`The key management server could not do it: ${describeError(error)}`);
    return 1;
  }
}
