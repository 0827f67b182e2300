import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import type { MikeyIdentity } from './identity.ts';
import type { MikeySuite } from './key-types.ts';

/** How a machine reaches its KMS. */
export interface KmsAccess {
  readonly identity: MikeyIdentity;
  readonly suite: MikeySuite;
  /** Asked anew for each exchange: the key may be replaced meanwhile. */
  credential(now: number): { readonly psk: SecretBytes; readonly pskId?: MikeyIdentity };
}

/** Every exchange with the KMS has a number, by which its answer is told. */
export type KmsEvent =
  | { readonly type: 'kms-answer'; readonly question: number; readonly message: Uint8Array }
  | { readonly type: 'kms-failed'; readonly question: number };

/** A CSB update and the end of a dialog; `dialog` is whatever tells two answers of one invitation apart, such as the remote tag. */
export type DialogEvent =
  | { readonly type: 'update'; readonly dialog: string; readonly message: Uint8Array }
  | { readonly type: 'dialog-ended'; readonly dialog: string };

export type MachineAction =
  /** Ticket Request or Ticket Resolve, for the KMS. */
  | { readonly type: 'ask-kms'; readonly question: number; readonly message: Uint8Array }
  /** TRANSFER_INIT, TRANSFER_RESP or Error, for the other end. */
  | { readonly type: 'send'; readonly dialog: string; readonly message: Uint8Array }
  /** The dialog has keys; they are its own. */
  | {
      readonly type: 'established';
      readonly dialog: string;
      readonly bundle: CryptoSessionBundle;
      readonly peer: MikeyIdentity;
      /** The KMS vouches that this very message came from the ticket's initiator; of an initiator's own call always true. */
      readonly originProven: boolean;
    }
  | { readonly type: 'updated'; readonly dialog: string }
  /** Nothing came of a message, and nothing else has changed. */
  | { readonly type: 'refused'; readonly dialog: string; readonly error: Error };
