import { fromBase64, toBase64 } from '../src/base/bytes.ts';
import { describeError } from '../src/base/errors.ts';
import { SecretBytes } from '../src/base/secret-bytes.ts';
import type { SecretStore, SecretStoreHealth } from '../src/engine/ports.ts';
import { loadKeytar, type Keytar } from '../src/node/keychain/load-keytar.ts';

const service = 'Tessera';
const probe = 'probe';

/**
 * Secrets in the operating system's keychain. Where that cannot be used, `health` says why and secrets live in memory for this
 * run; they are never written to a file.
 */
export class Keychain implements SecretStore {
  readonly #load: () => Promise<Keytar>;
  readonly #memory = new Map<string, SecretBytes>();
  #keytar: Promise<Keytar | undefined> | undefined;
  #problem: string | undefined;

  constructor(load: () => Promise<Keytar> = loadKeytar) {
    this.#load = load;
  }

  async get(name: string): Promise<SecretBytes | undefined> {
    const remembered = this.#memory.get(name);
    if (remembered !== undefined) return remembered.use((bytes) => new SecretBytes(bytes));
    const stored = await this.#try((keytar) => keytar.getPassword(service, name));
    return stored === undefined || stored === null ? undefined : new SecretBytes(fromBase64(stored, 'keychain'));
  }

  async set(name: string, secret: SecretBytes): Promise<void> {
    const stored = await this.#try(async (keytar) => {
      await keytar.setPassword(service, name, secret.use(toBase64));
      return true;
    });
    if (stored === undefined)
      this.#memory.set(
        name,
        secret.use((bytes) => new SecretBytes(bytes)),
      );
    else this.#forget(name);
  }

  async delete(name: string): Promise<void> {
    this.#forget(name);
    await this.#try((keytar) => keytar.deletePassword(service, name));
  }

  async list(): Promise<readonly string[]> {
    const stored = (await this.#try((keytar) => keytar.findCredentials(service))) ?? [];
    const names = [...stored.map(({ account }) => account), ...this.#memory.keys()];
    return [...new Set(names)].filter((name) => name !== probe);
  }

  async health(): Promise<SecretStoreHealth> {
    await this.#open();
    return this.#problem === undefined ? { usable: true } : { usable: false, reason: this.#problem };
  }

  /** Undefined when the keychain did not do it; the reason is then in `health`. */
  async #try<T>(action: (keytar: Keytar) => Promise<T>): Promise<T | undefined> {
    const keytar = await this.#open();
    if (keytar === undefined) return undefined;
    try {
      const result = await action(keytar);
      this.#problem = undefined;
      return result;
    } catch (error) {
      this.#problem = describeError(error);
      return undefined;
    }
  }

  #open(): Promise<Keytar | undefined> {
    this.#keytar ??= this.#probe();
    return this.#keytar;
  }

  /** Writes, reads and deletes a test entry: a binding that loads may still have no keychain behind it. */
  async #probe(): Promise<Keytar | undefined> {
    try {
      const keytar = await this.#load();
      await keytar.setPassword(service, probe, probe);
      const read = await keytar.getPassword(service, probe);
      await keytar.deletePassword(service, probe);
      if (read !== probe) throw new Error('the keychain does not keep what is put into it');
      return keytar;
    } catch (error) {
      this.#problem = describeError(error);
      return undefined;
    }
  }

  #forget(name: string): void {
    this.#memory.get(name)?.dispose();
    this.#memory.delete(name);
  }
}
