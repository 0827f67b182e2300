import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from '../src/base/bytes.ts';
import { SecretBytes } from '../src/base/secret-bytes.ts';
import { amfField, simKeys } from '../src/cli/sim-config.ts';
import { credentialMode } from '../src/cli/kms-config.ts';
import { clientPrivateKey, storedServerSchema } from '../src/cli/server-config.ts';
import { accountFromUeConfig, checkUeConfig, ueConfigSchema, type UeConfig } from '../src/cli/ue-config.ts';
import type { AccountConfig, AccountSecrets } from '../src/engine/account-config.ts';
import type { SecretStore } from '../src/engine/ports.ts';
import { replaceFile } from '../src/node/whole-file.ts';

/** A UE configuration without its secrets, which are in the keychain under the account's identity. */
const storedAccount = ueConfigSchema
  .omit({
    password: true,
    authentication: true,
    sim: true,
    stateDirectory: true,
    statePassphrase: true,
    receivedFolder: true,
  })
  .extend({
    authentication: z
      .discriminatedUnion('mode', [
        z.strictObject({ mode: z.literal('digest') }),
        z.strictObject({ mode: z.literal('aka'), amf: amfField }),
      ])
      .optional(),
    kms: ueConfigSchema.shape.kms.unwrap().omit({ psk: true, privateKey: true }).optional(),
    server: storedServerSchema.optional(),
  });
const accountsFile = z.strictObject({ version: z.literal(1), accounts: z.array(storedAccount) });
type StoredAccount = z.infer<typeof storedAccount>;

export interface LoadedAccounts {
  readonly ready: readonly { readonly config: AccountConfig; readonly secrets: AccountSecrets }[];
  /** Identities whose secrets are not in the keychain: they have to be imported again. */
  readonly withoutSecrets: readonly string[];
}

/** The accounts of this user: a JSON file without secrets, and the keychain. */
export class Accounts {
  readonly #file: string;
  readonly #secrets: SecretStore;

  constructor(file: string, secrets: SecretStore) {
    this.#file = file;
    this.#secrets = secrets;
  }

  /** @throws Error when the file is there and cannot be understood: it is never overwritten unread. */
  async load(): Promise<LoadedAccounts> {
    const ready: { config: AccountConfig; secrets: AccountSecrets }[] = [];
    const withoutSecrets: string[] = [];
    for (const stored of await this.#read()) {
      const whole = await this.#withSecrets(stored);
      if (whole === undefined) withoutSecrets.push(stored.identity);
      else ready.push(accountFromUeConfig(whole));
    }
    return { ready, withoutSecrets };
  }

  /** Adds an account or replaces the one of the same identity. Secrets go to the keychain first, then the rest to the file. */
  async add(config: UeConfig): Promise<void> {
    const { password, authentication, sim: ownSim, kms, server, ...rest } = checkUeConfig(config);
    const { identity } = config;
    // The desktop has folders and a keychain of its own for what it keeps.
    delete rest.stateDirectory;
    delete rest.statePassphrase;
    delete rest.receivedFolder;
    let stored: StoredAccount = rest;
    await this.#setOrDelete(
      passwordName(identity),
      password === undefined ? undefined : new SecretBytes(utf8(password)),
    );
    // OP is not kept: OPc does the same for this subscriber, and for no other.
    const card = authentication?.mode === 'aka' ? authentication : ownSim;
    const sim = card && simKeys(card);
    await this.#setOrDelete(simKeyName(identity), sim?.k);
    await this.#setOrDelete(simOpcName(identity), sim?.opc);
    if (authentication?.mode === 'aka') {
      const { amf } = authentication;
      stored = { ...stored, authentication: { mode: 'aka', ...(amf === undefined ? {} : { amf }) } };
    } else if (authentication !== undefined) {
      stored = { ...stored, authentication };
    }
    const psk = kms?.psk === undefined ? undefined : new SecretBytes(fromHex(kms.psk));
    await this.#setOrDelete(kmsKeyName(identity), psk);
    const privateKey = kms?.privateKey === undefined ? undefined : new SecretBytes(fromBase64(kms.privateKey));
    await this.#setOrDelete(kmsPrivateKeyName(identity), privateKey);
    await this.#setOrDelete(clientKeyName(identity), server && clientPrivateKey(server));
    if (server !== undefined) stored = { ...stored, server: withoutClientKey(server) };
    if (kms !== undefined) stored = { ...stored, kms: storedAccount.shape.kms.unwrap().strip().parse(kms) };
    const others = (await this.#read()).filter((other) => other.identity !== identity);
    await this.#write([...others, stored]);
  }

  /** What an account that was replaced needed, and the new one does not, goes. */
  #setOrDelete(name: string, secret: SecretBytes | undefined): Promise<void> {
    return secret === undefined ? this.#secrets.delete(name) : this.#secrets.set(name, secret);
  }

  /** Undefined when one of the secrets that the account needs is not there. */
  async #withSecrets({ kms, authentication, server, ...rest }: StoredAccount): Promise<UeConfig | undefined> {
    const { identity } = rest;
    const credential = credentialMode(kms);
    const hasSim = authentication?.mode === 'aka' || credential === 'gba-aka';
    const hasPassword = authentication?.mode !== 'aka' || credential === 'gba-digest';
    const sim = hasSim ? await this.#sim(identity) : undefined;
    const password = hasPassword ? await this.#secrets.get(passwordName(identity)) : undefined;
    const psk = credential === 'static-psk' ? await this.#secrets.get(kmsKeyName(identity)) : undefined;
    const privateKey = credential === 'certificate' ? await this.#secrets.get(kmsPrivateKeyName(identity)) : undefined;
    const hasClientKey = server?.clientCertificate !== undefined;
    const clientKey = hasClientKey ? await this.#secrets.get(clientKeyName(identity)) : undefined;
    const isComplete =
      hasClientKey === (clientKey !== undefined) &&
      hasSim === (sim !== undefined) &&
      hasPassword === (password !== undefined) &&
      (credential === 'static-psk') === (psk !== undefined) &&
      (credential === 'certificate') === (privateKey !== undefined);
    if (!isComplete) return undefined;
    return {
      ...rest,
      ...(password === undefined ? {} : { password: password.use((bytes) => fromUtf8(bytes)) }),
      ...(kms === undefined
        ? {}
        : {
            kms: {
              ...kms,
              ...(psk === undefined ? {} : { psk: psk.use(toHex) }),
              ...(privateKey === undefined ? {} : { privateKey: privateKey.use(toBase64) }),
            },
          }),
      ...(server === undefined ? {} : { server: withClientKey(server, clientKey) }),
      ...withSim(authentication, sim),
    };
  }

  async #sim(identity: string): Promise<Sim | undefined> {
    const k = await this.#secrets.get(simKeyName(identity));
    const opc = await this.#secrets.get(simOpcName(identity));
    return k === undefined || opc === undefined ? undefined : { k: k.use(toHex), opc: opc.use(toHex) };
  }

  async #read(): Promise<StoredAccount[]> {
    const text = await readFile(this.#file, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return [];
    const parsed = accountsFile.safeParse(parseJson(text));
    if (!parsed.success) throw new Error(`${this.#file} is not a list of accounts that this version understands`);
    return parsed.data.accounts;
  }

  /** Whole or not at all: a crash leaves the old file. */
  async #write(accounts: readonly StoredAccount[]): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true });
    await replaceFile(this.#file, `${JSON.stringify({ version: 1, accounts }, undefined, 2)}\n`);
  }
}

interface Sim {
  readonly k: string;
  readonly opc: string;
}

/** An account's SIM stands where it registers with it, else beside. */
function withSim(
  authentication: StoredAccount['authentication'],
  sim: Sim | undefined,
): Pick<UeConfig, 'authentication' | 'sim'> {
  if (authentication?.mode === 'aka') return sim === undefined ? {} : { authentication: { ...authentication, ...sim } };
  return { ...(authentication === undefined ? {} : { authentication }), ...(sim === undefined ? {} : { sim }) };
}

type Server = NonNullable<UeConfig['server']>;
type StoredServer = NonNullable<StoredAccount['server']>;

function withoutClientKey({ clientCertificate, ...server }: Server): StoredServer {
  if (clientCertificate === undefined) return server;
  return { ...server, clientCertificate: { certificates: clientCertificate.certificates } };
}

function withClientKey({ clientCertificate, ...server }: StoredServer, key: SecretBytes | undefined): Server {
  if (clientCertificate === undefined || key === undefined) return server;
  return { ...server, clientCertificate: { ...clientCertificate, privateKey: key.use(toBase64) } };
}

function passwordName(identity: string): string {
  return `${identity} password`;
}

function simKeyName(identity: string): string {
  return `${identity} sim-k`;
}

function simOpcName(identity: string): string {
  return `${identity} sim-opc`;
}

function kmsKeyName(identity: string): string {
  return `${identity} kms-key`;
}

function kmsPrivateKeyName(identity: string): string {
  return `${identity} kms-private-key`;
}

function clientKeyName(identity: string): string {
  return `${identity} client-private-key`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
