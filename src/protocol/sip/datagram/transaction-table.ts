/** What every transaction that is remembered has; times in milliseconds of the machine's clock. */
export interface TransactionEntry {
  /** What is retransmitted or answered with; empty while there is nothing. */
  bytes: Uint8Array;
  /** When `bytes` are sent again. */
  nextSend: number | undefined;
  /** From this time on nothing is known of it. */
  endsAt: number;
}

/** Transactions by key. The time of each is exact when it is asked for; what has ended is swept out now and then. */
export class TransactionTable<Entry extends TransactionEntry> {
  readonly #entries = new Map<string, Entry>();
  readonly #sending = new Set<Entry>();
  readonly #sweepMilliseconds: number;
  #sweepAt: number | undefined;
  #octets = 0;

  constructor(sweepMilliseconds: number) {
    this.#sweepMilliseconds = sweepMilliseconds;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Of all that is remembered to be sent. */
  get octets(): number {
    return this.#octets;
  }

  get(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now < entry.endsAt) return entry;
    this.remove(key);
    return undefined;
  }

  add(key: string, entry: Entry, now: number): void {
    this.remove(key);
    this.#entries.set(key, entry);
    this.#octets += entry.bytes.length;
    this.changed(entry);
    this.#sweepAt ??= now + this.#sweepMilliseconds;
  }

  /** To be called after each change of `nextSend`. */
  changed(entry: Entry): void {
    if (entry.nextSend === undefined) this.#sending.delete(entry);
    else this.#sending.add(entry);
  }

  replaceBytes(entry: Entry, bytes: Uint8Array): void {
    this.#octets += bytes.length - entry.bytes.length;
    entry.bytes = bytes;
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#sending.delete(entry);
    this.#octets -= entry.bytes.length;
  }

  /** Those whose time to be sent again has come, in the order of their times. */
  due(now: number): Entry[] {
    if (this.#sweepAt !== undefined && now >= this.#sweepAt) this.#sweep(now);
    for (const entry of this.#sending) if (entry.endsAt <= now) this.#sending.delete(entry);
    const due = [...this.#sending].filter((entry) => (entry.nextSend ?? Infinity) <= now);
    return due.sort((a, b) => (a.nextSend ?? 0) - (b.nextSend ?? 0));
  }

  /** When `due` should be asked again; undefined when nothing is remembered. */
  nextDue(): number | undefined {
    let next = this.#sweepAt;
    for (const { nextSend } of this.#sending) {
      if (nextSend !== undefined && (next === undefined || nextSend < next)) next = nextSend;
    }
    return next;
  }

  #sweep(now: number): void {
    for (const [key, entry] of this.#entries) if (entry.endsAt <= now) this.remove(key);
    this.#sweepAt = this.#entries.size === 0 ? undefined : now + this.#sweepMilliseconds;
  }
}
