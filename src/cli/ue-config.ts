import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { fromHex, utf8 } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import { policies } from '../base/protection-level.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import type {
  AccountConfig,
  AccountSecrets,
  FilesConfig,
  MediaConfig,
  MsrpRelayConfig,
  SipAuthenticationConfig,
} from '../engine/account-config.ts';
import type { TicketStorage } from '../engine/ports.ts';
import type { RealmCredential } from '../engine/sip/index.ts';
import { createTicketStore } from '../node/ticket-store.ts';
import { accessConfig, accessFields, accessProblem } from './access-config.ts';
import { credentialMode, kmsConfig, kmsProblem, kmsSchema } from './kms-config.ts';
import { storageSchema, withStoragePaths } from './storage-config.ts';
import {
  clientPrivateKey,
  serverConfig,
  serverProblem,
  serverSchema,
  withClientCertificateFiles,
} from './server-config.ts';
import { receiptsSchema } from './message-rpc.ts';
import { privateKeyOf, withCertificateFiles } from './ue-certificate.ts';
import { amfField, simFields, simKeys, simProblem } from './sim-config.ts';

const policy = z.enum(policies);
const relayUri = z
  .string()
  .regex(/^msrps:\/\/[^\s/]+;tcp$/i, 'expected an address like msrps://relay.example:2855;tcp');
const relaySchema = z.strictObject({
  uri: relayUri,
  further: z.array(relayUri).max(7).optional(),
  username: z.string().min(1).optional(),
  /** The account's when absent. */
  password: z.string().optional(),
  realm: z.string().min(1).optional(),
  expires: z.int().min(1).optional(),
});
const sipUri = z.string().regex(/^sips?:[^\s@]+@[^\s@]+$/i, 'expected an address like sip:alice@example.org');

const messagesSchema = z.strictObject({
  maxOctets: z.int().min(1_000).max(60_000).optional(),
  syncSent: z.boolean().optional(),
  listService: sipUri.optional(),
  resend: z.enum(['contacts', 'never']).optional(),
});

/** The JSON file of `npm run ue -- --config FILE`; docs/ue-rpc.md describes it. */
export const ueConfigSchema = z.strictObject({
  identity: sipUri,
  privateIdentity: z.string().min(1),
  displayName: z.string().optional(),
  domain: z.string().min(1),
  /** Of authentication mode `digest` and of KMS credential mode `gba-digest`. */
  password: z.string().optional(),
  /** By password when absent. */
  authentication: z
    .discriminatedUnion('mode', [
      z.strictObject({ mode: z.literal('digest') }),
      z.strictObject({ mode: z.literal('aka'), ...simFields, amf: amfField }),
    ])
    .optional(),
  /** For KMS credential mode `gba-aka` of an account that registers with a password. */
  sim: z.strictObject(simFields).optional(),
  /** Found by the records of the domain when absent (docs/sip-access.md). */
  server: serverSchema.optional(),
  ...accessFields,
  /** PEM text, or the path of a PEM file, relative to the configuration file. */
  ca: z.string().optional(),
  kms: kmsSchema.optional(),
  msrpRelay: relaySchema.optional(),
  media: z
    .strictObject({
      address: z.union([z.ipv4(), z.ipv6()], 'expected an IP address of this machine').optional(),
      portRange: z
        .tuple([z.int().min(1024).max(65535), z.int().min(1024).max(65535)])
        .refine(([first, last]) => first <= last, 'expected the first port before the last')
        .optional(),
    })
    .optional(),
  policy: policy.optional(),
  contacts: z.record(sipUri, z.strictObject({ policy })).optional(),
  /** Folder for what outlives the program, relative to the configuration file. */
  stateDirectory: z.string().min(1).optional(),
  /** Enciphers what is kept there. */
  statePassphrase: z.string().min(12, 'expected 12 characters at least').optional(),
  /** Where messages are kept; in memory when absent. */
  storage: storageSchema.optional(),
  files: z
    .strictObject({
      maxOctets: z.int().min(1).optional(),
      refusedTypes: z
        .array(z.string().regex(/^[^\s/]+\/[^\s/]+$/, 'expected a media type like video/mp4 or video/*'))
        .max(100)
        .optional(),
      autoAccept: z.enum(['never', 'contacts']).optional(),
      /** How received files are kept; `sealed` needs an encrypted store for their key. */
      keep: z.enum(['plain', 'sealed']).optional(),
    })
    .optional(),
  /** Where received files go, relative to the configuration file; the folder `received` beside it when absent. */
  receivedFolder: z.string().min(1).optional(),
  /** What peers are told of their messages, and asked to tell of ours. */
  receipts: receiptsSchema.optional(),
  messages: messagesSchema.optional(),
  /** Whether peers are told that the user is writing. */
  composing: z.boolean().optional(),
  /** How long a message is tried before it is given up: at most 30 days, for which copies are told by others. */
  messageLifetimeHours: z.int().min(1).max(720).optional(),
  e2aeInferFromRegistration: z.boolean().optional(),
  mediasecOptionTag: z.boolean().optional(),
  digestQop: z.enum(['auth', 'auth-int']).optional(),
  registrationEvents: z.boolean().optional(),
  /** For realms other than the home network's. */
  credentials: z
    .array(z.strictObject({ realm: z.string().min(1), username: z.string().min(1), password: z.string() }))
    .max(16)
    .optional(),
});
export type UeConfig = z.infer<typeof ueConfigSchema>;

/** What one field alone does not show. */
const wholeUeConfig = ueConfigSchema.superRefine((config, context) => {
  const { authentication, password, sim, kms, msrpRelay, server } = config;
  const problem = (message: string, ...path: string[]): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  if (msrpRelay !== undefined && (msrpRelay.password ?? password) === undefined) {
    problem('expected the password for the relay', 'msrpRelay', 'password');
  }
  const serverWrong = server && serverProblem(server);
  if (serverWrong !== undefined) problem(serverWrong[1], 'server', serverWrong[0]);
  const accessWrong = accessProblem(config);
  if (accessWrong !== undefined) problem(accessWrong[1], 'secondServer', accessWrong[0]);
  const kmsWrong = kms && kmsProblem(kms);
  if (kmsWrong !== undefined) problem(kmsWrong[1], 'kms', kmsWrong[0]);
  const credential = credentialMode(kms);
  const needsPassword = authentication?.mode !== 'aka' || credential === 'gba-digest';
  if (needsPassword && password === undefined) problem('expected a text', 'password');
  if (!needsPassword && password !== undefined) problem('an account with a SIM has none', 'password');
  if (authentication?.mode === 'aka') {
    const simWrong = simProblem(authentication);
    if (simWrong !== undefined) problem(simWrong, 'authentication');
    if (sim !== undefined) problem('an account has one SIM, which stands in authentication', 'sim');
    return;
  }
  const simWrong = sim && simProblem(sim);
  if (simWrong !== undefined) problem(simWrong, 'sim');
  if (credential === 'gba-aka' && sim === undefined) problem('expected the SIM for the key of the KMS', 'sim');
  if (credential !== 'gba-aka' && sim !== undefined) problem('nothing here uses a SIM', 'sim');
});

/** A configuration that cannot be used; the message names the field. */
export class UeConfigError extends Error {
  override readonly name = 'UeConfigError';
}

/** Reads the file and the CA and certificate files that it names. @throws UeConfigError */
export async function readUeConfig(file: string): Promise<UeConfig> {
  const checked = checkUeConfig(await inlined(parseJson(await readText(file)), dirname(file)));
  const { stateDirectory, storage, receivedFolder = 'received' } = checked;
  const beside = (path: string): string => resolve(dirname(file), path);
  const config = {
    ...checked,
    ...(stateDirectory === undefined ? {} : { stateDirectory: beside(stateDirectory) }),
    ...(storage === undefined ? {} : { storage: withStoragePaths(storage, beside) }),
    receivedFolder: beside(receivedFolder),
  };
  if (config.ca === undefined || isPem(config.ca)) return config;
  return { ...config, ca: await readText(resolve(dirname(file), config.ca)) };
}

/** @throws UeConfigError naming the first wrong field, never its value. */
export function checkUeConfig(value: unknown): UeConfig {
  const checked = wholeUeConfig.safeParse(value);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw new UeConfigError(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
}

/** `config` is a checked one, and its `ca` PEM text. */
export function accountFromUeConfig(config: UeConfig): { config: AccountConfig; secrets: AccountSecrets } {
  const { server = {}, kms, ca, authentication } = config;
  const trusted = ca === undefined ? {} : { trustedCa: ca };
  const ownServer = serverConfig(server, config.domain, trusted);
  const account: AccountConfig = {
    id: config.identity,
    identity: config.identity,
    privateIdentity: config.privateIdentity,
    ...(config.displayName === undefined ? {} : { displayName: config.displayName }),
    domain: config.domain,
    ...(authentication === undefined ? {} : { authentication: sipAuthentication(authentication) }),
    server: ownServer,
    ...accessConfig(config, config.domain, trusted, ownServer),
    ...(kms === undefined ? {} : { kms: kmsConfig(kms, trusted) }),
    ...(config.msrpRelay === undefined ? {} : { msrpRelay: relayConfig(config.msrpRelay, trusted) }),
    ...(config.media === undefined ? {} : { media: mediaConfig(config.media) }),
    policy: config.policy ?? 'prefer-e2e',
    contactPolicies: Object.fromEntries(
      Object.entries(config.contacts ?? {}).map(([contact, { policy: demanded }]) => [contact, demanded]),
    ),
    ...(config.files === undefined ? {} : { files: filesConfig(config.files) }),
    ...(config.receipts === undefined ? {} : { receipts: given(config.receipts) }),
    ...(config.messages === undefined ? {} : { messages: given(config.messages) }),
    ...(config.composing === undefined ? {} : { composing: config.composing }),
    ...(config.messageLifetimeHours === undefined ? {} : { messageLifetimeHours: config.messageLifetimeHours }),
    ...(config.e2aeInferFromRegistration === undefined
      ? {}
      : { e2aeInferFromRegistration: config.e2aeInferFromRegistration }),
    ...(config.mediasecOptionTag === undefined ? {} : { mediasecOptionTag: config.mediasecOptionTag }),
    ...(config.digestQop === undefined ? {} : { digestQop: config.digestQop }),
    ...(config.registrationEvents === undefined ? {} : { registrationEvents: config.registrationEvents }),
  };
  const sim = authentication?.mode === 'aka' ? authentication : config.sim;
  const relayPassword = config.msrpRelay?.password;
  const clientKey = clientPrivateKey(server);
  const secrets: AccountSecrets = {
    ...(config.password === undefined ? {} : { password: new SecretBytes(utf8(config.password)) }),
    ...(config.credentials === undefined ? {} : { credentials: config.credentials.map(realmCredential) }),
    ...(relayPassword === undefined ? {} : { msrpRelayPassword: new SecretBytes(utf8(relayPassword)) }),
    ...(clientKey === undefined ? {} : { clientPrivateKey: clientKey }),
    ...(sim === undefined ? {} : { sim: simKeys(sim) }),
    ...(kms?.psk === undefined ? {} : { kmsPsk: new SecretBytes(fromHex(kms.psk)) }),
    ...(kms?.privateKey === undefined ? {} : { kmsPrivateKey: privateKeyOf(kms.privateKey) }),
  };
  return { config: account, secrets };
}

function realmCredential({ realm, username, password }: NonNullable<UeConfig['credentials']>[number]): RealmCredential {
  return { realm, username, password: new SecretBytes(utf8(password)) };
}

function filesConfig({ maxOctets, refusedTypes, autoAccept }: NonNullable<UeConfig['files']>): FilesConfig {
  return {
    ...(maxOctets === undefined ? {} : { maxOctets }),
    ...(refusedTypes === undefined ? {} : { refusedTypes }),
    ...(autoAccept === undefined ? {} : { autoAccept }),
  };
}

type Given<Settings> = { [Name in keyof Settings]?: Exclude<Settings[Name], undefined> };

/** What is not said is left out, and not said to be undefined. */
function given<Settings extends object>(settings: Settings): Given<Settings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Given<Settings>;
}

function relayConfig(
  relay: NonNullable<UeConfig['msrpRelay']>,
  trusted: { readonly trustedCa?: string },
): MsrpRelayConfig {
  const { uri, further, username, realm, expires } = relay;
  return {
    uri,
    ...trusted,
    ...(further === undefined ? {} : { further }),
    ...(username === undefined ? {} : { username }),
    ...(realm === undefined ? {} : { realm }),
    ...(expires === undefined ? {} : { expires }),
  };
}

function mediaConfig({ address, portRange }: NonNullable<UeConfig['media']>): MediaConfig {
  return { ...(address === undefined ? {} : { address }), ...(portRange === undefined ? {} : { portRange }) };
}

function sipAuthentication(authentication: NonNullable<UeConfig['authentication']>): SipAuthenticationConfig {
  if (authentication.mode === 'digest') return { mode: 'digest' };
  const { amf } = authentication;
  return { mode: 'aka', ...(amf === undefined ? {} : { amf: fromHex(amf) }) };
}

async function inlined(config: unknown, folder: string): Promise<unknown> {
  try {
    return await withClientCertificateFiles(await withCertificateFiles(config, folder), folder);
  } catch (error) {
    throw new UeConfigError(describeError(error));
  }
}

/** Where the headless UE keeps its key tickets: never in a file without a passphrase to encipher it. */
export function ticketStorageFromUeConfig({ identity, stateDirectory, statePassphrase }: UeConfig): TicketStorage {
  if (stateDirectory === undefined) return { kept: 'memory', reason: 'The configuration names no stateDirectory' };
  if (statePassphrase === undefined) return { kept: 'memory', reason: 'The configuration has no statePassphrase' };
  const passphrase = new SecretBytes(utf8(statePassphrase));
  return {
    kept: 'sealed',
    store: createTicketStore(stateDirectory, identity),
    key: { kind: 'passphrase', passphrase },
  };
}

/**
 * Where the headless UE remembers the certificates of servers; undefined for an account that trusts authorities alone.
 * @throws UeConfigError when it has to remember them and names no place.
 */
export function pinFileFromUeConfig({ server, stateDirectory }: UeConfig): string | undefined {
  if (server?.trust !== 'pin-on-first-use') return undefined;
  if (stateDirectory === undefined) {
    throw new UeConfigError('stateDirectory: expected a folder in which the certificate of the server is remembered');
  }
  return join(stateDirectory, 'servers.json');
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new UeConfigError(`cannot read ${file}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UeConfigError('the configuration is not JSON');
  }
}

function isPem(text: string): boolean {
  return text.trimStart().startsWith('-----BEGIN');
}
