import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { fromHex, fromUtf8, toHex, utf8 } from '../src/base/bytes.ts';
import { SecretBytes } from '../src/base/secret-bytes.ts';
import { accountFromUeConfig, checkUeConfig, ueConfigSchema, type UeConfig } from '../src/cli/ue-config.ts';
import type { AccountConfig, AccountSecrets } from '../src/engine/account-config.ts';
import type { SecretStore } from '../src/engine/ports.ts';

/** A UE configuration without its secrets, which are in the keychain under the account's identity. */
const storedAccount = ueConfigSchema.omit({ password: true, stateDirectory: true, statePassphrase: true }).extend({
  kms: ueConfigSchema.shape.kms.unwrap().omit({ psk: true }).optional(),
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
    const { password, kms, ...rest } = checkUeConfig(config);
    // The desktop has a folder and a keychain of its own for its state.
    delete rest.stateDirectory;
    delete rest.statePassphrase;
    await this.#secrets.set(passwordName(config.identity), new SecretBytes(utf8(password)));
    let stored: StoredAccount = rest;
    if (kms !== undefined) {
      const { psk, ...publicPart } = kms;
      await this.#secrets.set(kmsKeyName(config.identity), new SecretBytes(fromHex(psk)));
      stored = { ...rest, kms: publicPart };
    }
    const others = (await this.#read()).filter(({ identity }) => identity !== config.identity);
    await this.#write([...others, stored]);
  }

  async #withSecrets({ kms, ...rest }: StoredAccount): Promise<UeConfig | undefined> {
    const password = await this.#secrets.get(passwordName(rest.identity));
    if (password === undefined) return undefined;
    const base = { ...rest, password: password.use((bytes) => fromUtf8(bytes)) };
    if (kms === undefined) return base;
    const psk = await this.#secrets.get(kmsKeyName(rest.identity));
    return psk === undefined ? undefined : { ...base, kms: { ...kms, psk: psk.use(toHex) } };
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
    const draft = `${this.#file}.new`;
    await writeFile(draft, `${JSON.stringify({ version: 1, accounts }, undefined, 2)}\n`, { mode: 0o600 });
    await rename(draft, this.#file);
  }
}

function passwordName(identity: string): string {
  return `${identity} password`;
}

function kmsKeyName(identity: string): string {
  return `${identity} kms-key`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
