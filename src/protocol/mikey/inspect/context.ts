/** What the tree needs besides the message. */
export interface MikeyTreeOptions {
  /** Milliseconds since 1970, for the distance of times. */
  readonly now: number;
  /** Shows keys that were deciphered here; keys in clear inside a message are never shown. */
  readonly showKeys: boolean;
  /** Deciphered contents of the KEMAC of the message, and of the one in its ticket. */
  readonly deciphered?: { readonly message?: Uint8Array | undefined; readonly ticket?: Uint8Array | undefined };
}

/** Where a payload stands; decides what a KEMAC holds and which payloads may follow. */
export type PayloadPlace = 'message' | 'policy' | 'ticket' | 'initiator data';

export interface PlaceContext extends MikeyTreeOptions {
  readonly place: PayloadPlace;
}
