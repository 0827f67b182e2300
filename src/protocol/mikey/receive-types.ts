import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import type { TicketFlags } from './flags.ts';
import type { MikeyIdentity } from './identity.ts';
import type { MikeySuite, PeerRules, SessionOffer, TicketKey } from './key-types.ts';
import type { CryptoSession } from './message.ts';
import type { SecurityPolicyPayload } from './payloads.ts';
import type { PublicKeyCredential } from './public-key-types.ts';
import type { MessageTime, TimestampChoice } from './timestamp.ts';
import type { MikeyExtension } from './transfer-types.ts';

export interface ReceiveOptions {
  readonly now: number;
  /** Every identity that may be addressed here; the first is assumed when the message names none. */
  readonly self: readonly MikeyIdentity[];
  /** GENERIC-ID Prot types that fit where the message was found. */
  readonly protTypes: readonly number[];
  /** `window`: T must be of now. `ticket`: T must lie in the ticket's life (stored and forwarded messages, profile 5.5). */
  readonly checkFreshness: 'window' | 'ticket';
  /** Most crypto sessions of one message; one when absent (profile 3.4). */
  readonly maxSessions?: number;
  readonly peer?: PeerRules;
  /**
   * Where COUNTER is taken for T: judges a count of a sender whose message is not authentic yet (reading [A29]). The caller
   * advances its memory when the message has proved authentic. Absent: COUNTER is refused.
   */
  readonly isCounterFresh?: (sender: MikeyIdentity, count: number) => boolean;
  /** Groups that we belong to: a message may be addressed to one of them (RFC 6043 12.2). */
  readonly groups?: readonly MikeyIdentity[];
  /**
   * Takes what is addressed to somebody else too when the ticket names one of `self` among those who may resolve it: a message to
   * a list, or one that another device of ours has sent (profile 5.1, 5.5).
   */
  readonly acceptNamedByTicket?: boolean;
  /** Reads also what its ticket has outlived, to be shown as that: no KMS gives its key any more. */
  readonly acceptEnded?: boolean;
}

/** How a responder opens a ticket without the KMS (modes 2 and 4). */
export interface OpenOptions {
  /** Finds a key that we share with the KMS (D=1) or, by its name, with this initiator (D=0). */
  findTpk(id: MikeyIdentity | undefined, ticket: { readonly madeByKms: boolean }): SharedTpk | undefined;
  /** Our own identity; the ticket must name it or one of our groups. */
  readonly self: MikeyIdentity;
  readonly groups?: readonly MikeyIdentity[];
  readonly now: number;
}

/** A ticket protection key that a responder knows. */
export interface SharedTpk {
  readonly key: SecretBytes;
  /** Who else holds it: only tickets of this initiator may be protected with it. Absent for a key shared with the KMS. */
  readonly initiator?: MikeyIdentity;
}

export interface ResolveOptions {
  /** Shared by responder and KMS; 32 octets in this profile. */
  readonly psk: SecretBytes;
  readonly pskId?: MikeyIdentity;
  /** The ticket's when absent; never weaker than it. */
  readonly suite?: MikeySuite;
  readonly self: MikeyIdentity;
  readonly kms: MikeyIdentity;
  readonly timestamp?: TimestampChoice;
  readonly now: number;
  readonly random: Random;
}

export type ResolvePkOptions = Omit<ResolveOptions, 'psk' | 'pskId'> & { readonly credential: PublicKeyCredential };

export interface TicketResolve {
  /** RESOLVE_INIT_PSK or RESOLVE_INIT_PK. */
  readonly message: Uint8Array;
  /**
   * Takes the KMS's answer and proves with its keys that the TRANSFER_INIT is authentic.
   * @throws ProtocolError when either is not, or the KMS refused.
   */
  accept(resolveResponse: Uint8Array, now: number): ResolvedTransfer;
  /** As in `TicketRequest`. */
  answerTime(response: Uint8Array): number | undefined;
}

/** A TRANSFER_INIT that passed every check that needs no key. Nothing in it is authentic yet. */
export interface ReceivedTransfer {
  readonly csbId: number;
  readonly csId: number;
  readonly protType: number;
  /** SPI that the crypto session names; empty when it leaves the choice to us. */
  readonly spi: Uint8Array;
  /** Every crypto session of the message; `csId`, `protType` and `spi` are those of the first. */
  readonly sessions: readonly CryptoSession[];
  /** T of the message, milliseconds since 1970; of COUNTER, when it was received. */
  readonly timestamp: number;
  readonly messageTime: MessageTime;
  readonly suite: MikeySuite;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  /** All whom the ticket lets resolve it, in its order. */
  readonly responders: readonly MikeyIdentity[];
  /** The KMS that the ticket names. */
  readonly kms?: MikeyIdentity;
  readonly sdpIds?: string;
  /** General Extensions other than SDP IDs. */
  readonly extensions: readonly MikeyExtension[];
  readonly flags: TicketFlags;
  /** SHA-256 over the message's MAC: with initiator, CSB ID and T the key of the replay cache. */
  readonly macHash: Uint8Array;
  /** SHA-256 over the whole message: before its MAC was checked nothing else tells it from one that carries the same MAC. */
  readonly messageHash: Uint8Array;
  readonly validFrom?: number;
  readonly validUntil?: number;
  readonly ticketIssuedAt: number;
  readonly rekeyingSeconds?: number;
  readonly applications: readonly MikeyIdentity[];
  createResolve(options: ResolveOptions): TicketResolve;
  /** The same, proven by a certificate. @throws ProtocolError when the certificate of the KMS cannot be used. */
  createResolvePk(options: ResolvePkOptions): TicketResolve;
  /**
   * Opens the ticket under a key that we have (modes 2 and 4), where flag E allows it.
   * @throws ProtocolError `policy-denied` with E=1; otherwise as `TicketResolve.accept`.
   */
  openTicket(options: OpenOptions): ResolvedTransfer;
}

/** What a responder may put into its answer besides what it must. */
export interface RespondOptions {
  readonly now: number;
  readonly random: Random;
  /** Keys of our own, where flag M allows them. */
  readonly keys?: readonly TicketKey[];
  /** SPI for sessions, by CS ID, where it is not the first key or the offered one. */
  readonly spis?: ReadonlyMap<number, Uint8Array>;
  /** Session Data for sessions that the initiator left without (SRTP must have it), by CS ID. */
  readonly sessionData?: ReadonlyMap<number, Uint8Array>;
  /** Sessions that we add, each with exactly one policy and an SPI. */
  readonly moreSessions?: readonly SessionOffer[];
  /** Policies of our own: for sessions that came without, in the order of the sessions, then for `moreSessions`. */
  readonly policies?: readonly SecurityPolicyPayload[];
  /** Repeats the SDP IDs of the offer under our MAC (reading [A30]). */
  readonly echoSdpIds?: boolean;
  readonly timestamp?: TimestampChoice;
}

/** What a responder's answer gave. */
export interface AnsweredTransfer {
  /** TRANSFER_RESP. */
  readonly message: Uint8Array;
  /** TEK of the first crypto session. */
  readonly tek: SecretBytes;
  readonly bundle: CryptoSessionBundle;
}

/** A TRANSFER_INIT whose ticket the KMS resolved for us and whose MAC holds. */
export interface ResolvedTransfer {
  /** True when the KMS vouches that the ticket's initiator itself sent this very message (I=1, profile 5.4). */
  readonly originProven: boolean;
  readonly initiator: MikeyIdentity;
  /** SPI of the key that the crypto session uses. */
  readonly spi: Uint8Array;
  /**
   * The crypto session's TEK when no answer is sent (F=0).
   * @throws ProtocolError `local` when the ticket wants an answer.
   */
  sessionKey(): SecretBytes;
  /**
   * The crypto session bundle when no answer is sent (F=0).
   * @throws ProtocolError `local` when the ticket wants an answer.
   */
  bundle(): CryptoSessionBundle;
  /**
   * Answers with TRANSFER_RESP.
   * @throws ProtocolError `local` when the ticket forbids an answer (F=0), or keys of our own (M=0).
   */
  respond(options: RespondOptions): AnsweredTransfer;
  /** An Error message instead of an answer, with V: its reader knows that it is ours (RFC 6043 5.4). */
  refuse(error: unknown, now: number): Uint8Array;
}
