/** Stops a timer; harmless when it has already run. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Runs `action` once, not before `milliseconds` have passed. */
  after(milliseconds: number, action: () => void): CancelTimer;
}

/** A clock that moves only when told to. Timers fire in order of their due time. */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ readonly due: number; readonly action: () => void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, action: () => void): CancelTimer {
    const timer = { due: this.#now + milliseconds, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers wait: after everything has stopped there should be none. */
  get waiting(): number {
    return this.#timers.size;
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.action();
    }
    this.#now = end;
  }
}
