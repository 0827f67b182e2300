/** A protected message that could not be read yet, octet for octet as it came. */
export interface SealedMessage {
  /** Id of the message in the message store. */
  readonly id: string;
  readonly contentType: string;
  /** At most 64 KiB. */
  readonly body: Uint8Array;
  /** Who the network says it is from. */
  readonly asserted: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  /** After it no key server gives the key any more; absent when not known. */
  readonly validUntil?: number;
}

/** What waits for its key, over restarts. */
export interface SealedStore {
  put(message: SealedMessage): void;
  get(id: string): SealedMessage | undefined;
  remove(id: string): void;
  /** Oldest first. */
  list(): readonly SealedMessage[];
}
