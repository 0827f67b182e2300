import { utf8 } from '../../base/bytes.ts';
import { Events } from '../../base/events.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { calls, type CallName, type PassphraseOutcome, type StorageView } from '../../contract/index.ts';
import { StoreError } from '../../engine/store/index.ts';
import type { OpenedStore } from '../store/open-store.ts';
import { BridgeFault, type BridgeHost, type HostEvent } from './host.ts';

export interface StorageGateParts {
  /** Opens what is kept. The passphrase is the caller's to dispose. @throws StoreError; nothing was changed then */
  readonly open: (passphrase?: SecretBytes) => Promise<OpenedStore>;
  /** A store for this run only. */
  readonly memory: (reason: string) => OpenedStore;
  /** Begins everything that works with the store; its storage is as `view` tells. */
  readonly start: (opened: OpenedStore, view: () => StorageView) => Promise<BridgeHost>;
  /** @throws StoreError `wrong-key` for a wrong old one */
  readonly changePassphrase: (old: SecretBytes, fresh: SecretBytes) => Promise<void>;
  /** Whether a passphrase protects what is there. @throws StoreError */
  readonly hasPassphrase: () => boolean;
  /** Whether the keychain can keep a key: then no passphrase is asked for. */
  readonly hasKeychain: () => Promise<boolean>;
}

export interface StorageGate {
  readonly host: BridgeHost;
  /** Opens what opens without the user, and says to the screens what does not. */
  begin(): Promise<void>;
}

/** Stands before the host until the messages are open: the user gives a passphrase, or decides to go without. */
export function createStorageGate(parts: StorageGateParts): StorageGate {
  const gate = new Gate(parts);
  return { host: gate.host, begin: () => gate.begin() };
}

class Gate {
  readonly host: BridgeHost;
  readonly #parts: StorageGateParts;
  readonly #events = new Events<{ readonly host: HostEvent }>();
  #view: StorageView = { state: 'locked' };
  #inner: BridgeHost | undefined;
  /** One attempt at a time: deriving a key takes long, and two stores on one file are none. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(parts: StorageGateParts) {
    this.#parts = parts;
    this.host = this.#makeHost();
  }

  begin(): Promise<void> {
    return this.#oneAtATime(async () => {
      try {
        const opened = await this.#parts.open();
        const isInMemory = opened.store.keeping.kept === 'memory';
        if (isInMemory && !(await this.#parts.hasKeychain())) {
          await opened.store.close();
          this.#show({ state: 'undecided', reason: 'The keychain of this system cannot be used' });
        } else await this.#start(opened);
      } catch (error) {
        this.#show(this.#locked(error));
      }
    });
  }

  async #start(opened: OpenedStore, passphrase = false): Promise<void> {
    const { keeping } = opened.store;
    const damaged = opened.notice === undefined ? {} : { damagedFile: opened.notice.path };
    this.#view =
      keeping.kept === 'encrypted'
        ? { state: 'encrypted', octets: keeping.octets, passphrase, ...damaged }
        : { state: 'memory', reason: keeping.reason, ...damaged };
    const inner = await this.#parts.start(opened, () => this.#view);
    inner.subscribe((event) => this.#events.emit('host', event));
    this.#inner = inner;
    this.#events.emit('host', { event: 'storage', storage: this.#view });
  }

  /** @throws what is no failure of the storage */
  #locked(error: unknown): StorageView {
    if (!(error instanceof StoreError)) throw error;
    const isAsked = (error.code === 'key-missing' || error.code === 'wrong-key') && this.#parts.hasPassphrase();
    return isAsked ? { state: 'locked' } : { state: 'unusable', reason: sentenceOf(error) };
  }

  #show(view: StorageView): void {
    this.#view = view;
    this.#events.emit('host', { event: 'storage', storage: view });
  }

  #open(text: string, from: StorageView['state']): Promise<PassphraseOutcome> {
    return this.#oneAtATime(async () => {
      if (this.#view.state !== from) throw notWanted();
      const passphrase = new SecretBytes(utf8(text));
      try {
        await this.#start(await this.#parts.open(passphrase), true);
        return { outcome: 'done' };
      } catch (error) {
        return failure(error);
      } finally {
        passphrase.dispose();
      }
    });
  }

  #skip(): Promise<Record<string, never>> {
    return this.#oneAtATime(async () => {
      const { state, reason } = this.#view;
      if (state !== 'undecided' && state !== 'unusable' && state !== 'locked') throw notWanted();
      await this.#start(this.#parts.memory(reason ?? 'They were not unlocked'));
      return {};
    });
  }

  #change(old: string, fresh: string): Promise<PassphraseOutcome> {
    return this.#oneAtATime(async () => {
      if (this.#view.passphrase !== true) throw notWanted();
      const [before, after] = [new SecretBytes(utf8(old)), new SecretBytes(utf8(fresh))];
      try {
        await this.#parts.changePassphrase(before, after);
        return { outcome: 'done' };
      } catch (error) {
        return failure(error);
      } finally {
        before.dispose();
        after.dispose();
      }
    });
  }

  #oneAtATime<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#busy.then(work);
    this.#busy = result.catch(() => undefined);
    return result;
  }

  #makeHost(): BridgeHost {
    const names = (Object.keys(calls) as CallName[]).filter((name) => name !== 'getSnapshot');
    const passed = names.map((name) => {
      const handler = (input: unknown): unknown => {
        if (this.#inner === undefined) throw new BridgeFault('unavailable', 'The messages are not open yet.');
        // Each input was checked for the handler of the same name.
        return (this.#inner[name].bind(this.#inner) as (checked: unknown) => unknown)(input);
      };
      return [name, handler] as const;
    });
    const own: Partial<BridgeHost> = {
      unlockStorage: ({ passphrase }) => this.#open(passphrase, 'locked'),
      setStoragePassphrase: ({ passphrase }) => this.#open(passphrase, 'undecided'),
      skipStorage: () => this.#skip(),
      changeStoragePassphrase: ({ old, fresh }) => this.#change(old, fresh),
      snapshot: () =>
        this.#inner?.snapshot() ?? {
          accounts: [],
          files: { choose: 'none', show: false },
          storage: this.#view,
          contacts: [],
          presence: [],
          conversations: [],
        },
      subscribe: (listener) => this.#events.on('host', listener),
    };
    return { ...(Object.fromEntries(passed) as Partial<BridgeHost>), ...own } as BridgeHost;
  }
}

function failure(error: unknown): PassphraseOutcome {
  if (!(error instanceof StoreError)) throw error;
  if (error.code === 'wrong-key') return { outcome: 'wrong-passphrase' };
  return { outcome: 'failed', explanation: sentenceOf(error) };
}

function sentenceOf({ message }: StoreError): string {
  return `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`;
}

function notWanted(): BridgeFault {
  return new BridgeFault('unavailable', 'No passphrase is wanted here.');
}
