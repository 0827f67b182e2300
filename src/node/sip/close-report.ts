/** Tells once that a connection is over: why, unless it was closed on request. */
export class CloseReport {
  #listener: ((error?: Error) => void) | undefined;
  #isClosing = false;
  #isClosed = false;
  #error: Error | undefined;

  /** Nothing can be sent any more. */
  get isOver(): boolean {
    return this.#isClosing || this.#isClosed;
  }

  /** Only the last listener is told; at once when it was over before. */
  onClose(listener: (error?: Error) => void): void {
    this.#listener = listener;
    if (this.#isClosed) this.#tell();
  }

  /** True for the first one that asks while the connection stands. */
  beginClosing(): boolean {
    if (this.isOver) return false;
    this.#isClosing = true;
    return true;
  }

  /** @param error why, for a connection that nobody asked to close. */
  closed(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    this.#tell();
  }

  #tell(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    if (this.#isClosing) listener?.();
    else listener?.(this.#error);
  }
}
