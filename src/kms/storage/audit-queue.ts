import type { AuditEntry, AuditHead, AuditLine } from '../audit-chain.ts';

interface Waiting {
  readonly entry: AuditEntry;
  readonly resolve: (head: AuditHead) => void;
  readonly reject: (error: unknown) => void;
}

const maxTogether = 1000;

/**
 * Group commit: what comes while a write is under way, or within one turn of the event loop, is written in one transaction.
 * Entries keep their order.
 */
export class AuditQueue {
  readonly #write: (entries: readonly AuditEntry[]) => Promise<readonly AuditLine[]>;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  /** @param write makes lines of entries and resolves when all of them are durable. */
  constructor(write: (entries: readonly AuditEntry[]) => Promise<readonly AuditLine[]>) {
    this.#write = write;
  }

  append(entry: AuditEntry): Promise<AuditHead> {
    const appended = new Promise<AuditHead>((resolve, reject) => this.#waiting.push({ entry, resolve, reject }));
    this.#writing ??= this.#drain();
    return appended;
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #drain(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0, maxTogether);
      try {
        const lines = await this.#write(together.map(({ entry }) => entry));
        together.forEach(({ resolve, reject }, index) => {
          const line = lines[index];
          if (line === undefined) reject(new Error('the storage wrote fewer lines than it was given'));
          else resolve(line);
        });
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    // In the same breath as the last look: whatever comes afterwards starts anew.
    this.#writing = undefined;
  }
}
