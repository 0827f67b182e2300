import type { CancelTimer } from '../../base/clock.ts';
import { equalBytes } from '../../base/bytes.ts';
import { describeError } from '../../base/errors.ts';
import { limits } from '../limits.ts';
import type { EnginePorts, TicketStorage } from '../ports.ts';
import {
  maxSealedOctets,
  openTickets,
  saltOf,
  sealingKey,
  sealTickets,
  type SealingKey,
  type TicketBundle,
} from './sealed-tickets.ts';

/** Where tickets are kept, for the user. */
export interface TicketKeeping {
  readonly kept: 'sealed' | 'memory';
  readonly explanation: string;
}

export interface TicketArchiveOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'random' | 'log'>;
  readonly storage: TicketStorage;
  /** Account and credential to which the tickets belong. */
  readonly binding: Uint8Array;
}

type Content = Omit<TicketBundle, 'binding'>;

const sealedWords = 'Key tickets are kept on this device, encrypted, until they end or the account signs out.';
const memoryWords = 'Key tickets are kept in memory only and asked for again after a restart.';

/** The tickets of an account at rest: loads them once, writes changes together, never in clear and never half. */
export class TicketArchive {
  readonly #options: TicketArchiveOptions;
  #problem: string | undefined;
  #key: SealingKey | undefined;
  #cancelTimer: CancelTimer | undefined;
  #content: (() => Content) | undefined;
  /** One thing after the other: a late write must not bring back what was erased. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: TicketArchiveOptions) {
    this.#options = options;
    const { storage } = options;
    if (storage.kept === 'memory') this.#problem = storage.reason;
  }

  get keeping(): TicketKeeping {
    if (this.#problem === undefined) return { kept: 'sealed', explanation: sealedWords };
    return { kept: 'memory', explanation: `${this.#problem}. ${memoryWords}` };
  }

  /** Undefined when there is nothing that belongs to this account and can be trusted. Never rejects. */
  async load(now: number): Promise<Content | undefined> {
    const { ports, storage, binding } = this.#options;
    if (storage.kept === 'memory') {
      ports.log.log('info', 'tickets.in-memory', { reason: storage.reason });
      return undefined;
    }
    let sealed: Uint8Array | undefined;
    try {
      sealed = await storage.store.read(maxSealedOctets);
      if (sealed === undefined) return undefined;
      this.#key = await sealingKey(storage.key, ports.random, saltOf(sealed));
      const bundle = openTickets(sealed, this.#key, now);
      if (equalBytes(bundle.binding, binding)) return bundle;
      ports.log.log('info', 'tickets.dropped', { reason: 'the account or its credential has changed' });
      await this.erase();
    } catch (error) {
      // Damaged, foreign or made with another key: it says nothing that could be believed.
      ports.log.log('warn', 'tickets.set-aside', { reason: describeError(error) });
      this.#key = undefined;
      await storage.store.setAside().catch((failure: unknown) => this.#failed('tickets.not-set-aside', failure));
    }
    return undefined;
  }

  /** @param content asked for when it is written, some time later. */
  changed(content: () => Content): void {
    if (this.#options.storage.kept === 'memory') return;
    this.#content = content;
    this.#cancelTimer ??= this.#options.ports.clock.after(limits.ticketSaveMilliseconds, () => void this.flush());
  }

  /** Writes what has changed since. Never rejects. */
  flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const content = this.#content;
    this.#content = undefined;
    // What is to be written is taken now: a moment later its keys may be gone.
    const taken = content?.();
    if (taken !== undefined) this.#work = this.#work.then(() => this.#write(taken));
    return this.#work;
  }

  /** Removes what is there, and forgets what was about to be written. Never rejects. */
  erase(): Promise<void> {
    const { storage } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#content = undefined;
    if (storage.kept === 'memory') return Promise.resolve();
    this.#work = this.#work.then(() =>
      storage.store.remove().catch((error: unknown) => this.#failed('tickets.not-removed', error)),
    );
    return this.#work;
  }

  async #write(content: Content): Promise<void> {
    const { ports, storage, binding } = this.#options;
    if (storage.kept === 'memory') return;
    try {
      this.#key ??= await sealingKey(storage.key, ports.random);
      await storage.store.write(sealTickets({ ...content, binding }, this.#key, ports.random));
      this.#problem = undefined;
    } catch (error) {
      this.#failed('tickets.not-written', error);
    }
  }

  #failed(event: string, error: unknown): void {
    const reason = describeError(error);
    this.#problem = `The file of key tickets cannot be used (${reason})`;
    this.#options.ports.log.log('warn', event, { reason });
  }
}
