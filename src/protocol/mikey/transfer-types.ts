import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import type { MikeyIdentity } from './identity.ts';
import type { AnswerRules, MikeySuite, SessionOffer, TicketKey } from './key-types.ts';
import type { SecurityPolicyPayload } from './payloads.ts';
import type { GrantedTicket } from './ticket-types.ts';
import type { TimestampChoice } from './timestamp.ts';

/** A General Extension payload (RFC 3830 6.15). */
export interface MikeyExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** One crypto session of a protocol that negotiates everything itself, or any number with their policies. */
export type OfferedSessions =
  | {
      /** GENERIC-ID Prot type of the one crypto session. */
      readonly protType: number;
      readonly csId: number;
      readonly sessions?: undefined;
    }
  | {
      readonly sessions: readonly SessionOffer[];
      readonly policies: readonly SecurityPolicyPayload[];
      readonly protType?: undefined;
      readonly csId?: undefined;
    };

export type TransferOptions = OfferedSessions & {
  readonly ticket: GrantedTicket;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  /** Keys of our own, where flag L allows them. Everybody who can resolve the ticket can read them. */
  readonly keys?: readonly TicketKey[];
  /** Algorithms of the message; the ticket's when absent, never weaker. */
  readonly suite?: MikeySuite;
  readonly timestamp?: TimestampChoice;
  readonly answers?: AnswerRules;
  /** The key management protocols that the SDP offers, for example `mikey` (RFC 4567 4.1.4). */
  readonly sdpIds?: string;
  /**
   * General Extensions besides SDP IDs. As a function: for contents that depend on the key of this very crypto session, such
   * as a proof of origin over a message sealed under it; called once, before the message is written and its MAC computed.
   */
  readonly extensions?: readonly MikeyExtension[] | ((session: TransferSession) => readonly MikeyExtension[]);
  readonly now: number;
  readonly random: Random;
};

/** The first crypto session that a TRANSFER_INIT sets up. */
export type TransferSession = Pick<Transfer, 'csbId' | 'csId' | 'spi' | 'sessionKey'>;

/** What one answer gave: keys and state of its own for each endpoint that answers. */
export interface AcceptedTransfer {
  /** TEK of the first crypto session. */
  readonly tek: SecretBytes;
  readonly responder: MikeyIdentity;
  readonly bundle: CryptoSessionBundle;
}

export interface Transfer {
  /** TRANSFER_INIT. */
  readonly message: Uint8Array;
  readonly csbId: number;
  readonly csId: number;
  readonly spi: Uint8Array;
  /** T of the message, milliseconds since 1970; of COUNTER, when the message was made. */
  readonly timestamp: number;
  /**
   * The crypto session's TEK when no answer will come (F=0).
   * @throws ProtocolError `local` when the ticket wants an answer.
   */
  sessionKey(): SecretBytes;
  /**
   * The crypto session bundle when no answer will come (F=0).
   * @throws ProtocolError `local` when the ticket wants an answer.
   */
  bundle(): CryptoSessionBundle;
  /**
   * Takes one TRANSFER_RESP; may be called again for each endpoint that answers a forked INVITE.
   * @throws ProtocolError when it is not authentic, not fresh, an Error message or from somebody the ticket does not name.
   */
  accept(transferResponse: Uint8Array, now: number): AcceptedTransfer;
  /**
   * The Error message that tells why an answer was not accepted, with V where the answer itself was authentic.
   * @returns `undefined` where none is due: an Error is never answered with an Error.
   */
  errorFor(transferResponse: Uint8Array, error: unknown, now: number): Uint8Array | undefined;
}
