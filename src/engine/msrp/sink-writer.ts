/** Where the octets of a long incoming message go. A rejection refuses the message. */
export interface MessageSink {
  /** `position` counts from 0; octets may come again or out of order, the later ones count. Waited for before reading goes on. */
  write(position: number, bytes: Uint8Array): void | Promise<void>;
  /** All `octets` of the message were written. */
  finish(octets: number): void | Promise<void>;
  /** Nothing more will come; what was written is worthless. */
  abort(): void;
}

export interface SinkWriterEvents {
  /** The sink works (`true`: stop reading) or has caught up. */
  readonly onBusy: (isBusy: boolean) => void;
  readonly onStored: () => void;
  readonly onFailed: (error: unknown) => void;
}

/** Feeds one sink in order and tells when it needs time. */
export class SinkWriter {
  readonly #sink: MessageSink;
  readonly #events: SinkWriterEvents;
  readonly #steps: (() => void | Promise<void>)[] = [];
  #isBusy = false;
  #hasEnded = false;

  constructor(sink: MessageSink, events: SinkWriterEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  write(position: number, bytes: Uint8Array): void {
    if (this.#isBusy) this.#step(() => this.#sink.write(position, bytes));
    else if (!this.#hasEnded) this.#try(() => this.#sink.write(position, bytes));
  }

  finish(octets: number): void {
    this.#step(async () => {
      await this.#sink.finish(octets);
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      this.#events.onStored();
    });
  }

  abort(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#steps.length = 0;
    this.#sink.abort();
  }

  #step(step: () => void | Promise<void>): void {
    if (this.#hasEnded) return;
    this.#steps.push(step);
    if (!this.#isBusy) this.#work();
  }

  #work(): void {
    while (!this.#isBusy) {
      const step = this.#steps.shift();
      if (step === undefined) return;
      this.#try(step);
    }
  }

  #try(step: () => void | Promise<void>): void {
    try {
      const result = step();
      if (result instanceof Promise) this.#wait(result);
    } catch (error) {
      this.#fail(error);
    }
  }

  #wait(result: Promise<void>): void {
    this.#isBusy = true;
    this.#events.onBusy(true);
    void result
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#isBusy = false;
        this.#work();
        if (this.#steps.length === 0) this.#events.onBusy(this.#isBusy);
      });
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    this.abort();
    this.#events.onFailed(error);
  }
}
