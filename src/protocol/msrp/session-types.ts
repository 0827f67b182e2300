import type { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { MsrpFramerEvent } from './framer.ts';
import type { IncomingDecision, IncomingDescription } from './incoming.ts';
import type { OutgoingRequest } from './outgoing.ts';

export interface MsrpSessionOptions {
  /** Our own path as we gave it in SDP; From-Path of all we send, and the To-Path we answer to. */
  readonly localPath: string;
  /** The far end's path of its SDP, sent verbatim as To-Path (profile 2.4). */
  readonly remotePath: readonly string[];
  /** The active side opened the connection and speaks first (RFC 4975 section 5.4, RFC 6135 section 4). */
  readonly role: 'active' | 'passive';
  /** True when TLS proved who is at the other end. Else the passive side sends nothing before the first request. */
  readonly isPeerAuthenticated: boolean;
  readonly random: Random;
  /** Decides at the first chunk of each message where it goes. Default: into memory. */
  readonly decide?: (incoming: IncomingDescription) => IncomingDecision;
  /** Judges each whole message that was taken into memory: 200, or the status that refuses it. Default 200 for all. */
  readonly judge?: (message: ReceivedMessage) => number;
  /** A whole message in memory is reported as arrived, where its sender asks for that, only at `stored`. Default: at once. */
  readonly holdsReports?: boolean;
  /** Answers NICKNAME requests, '' for none: 200, 403 or 425. Only a chat room has it; without it they are answered 501. */
  readonly onNickname?: (nickname: string) => number;
  /** Media types we understand: `text/plain`, `text/*` or `*`; others are answered 415. Default `*`. */
  readonly acceptTypes?: readonly string[];
  /** Largest message taken into memory, in octets. Default 1 MiB. */
  readonly maxMessageOctets?: number;
  /** Largest message taken as a stream, in octets. Default 2^40. */
  readonly maxStreamOctets?: number;
  /** Unfinished incoming messages at a time. Default 16. */
  readonly maxIncoming?: number;
  /** The far end's `a=accept-types`: nothing else is sent to it. Default `*`. */
  readonly peerAcceptTypes?: readonly string[];
  /** The far end's `a=max-size`: nothing larger is sent to it. Default no bound. */
  readonly peerMaxOctets?: number;
  /** Chunks written and not yet answered, before we wait. Default 64. */
  readonly maxUnanswered?: number;
  /** Set when the session is already bound to another connection: every request is then answered 506. */
  readonly isBoundElsewhere?: boolean;
}

export type MsrpSessionEvent =
  | { readonly type: 'connected' }
  /** Part of a frame whose To-Path is ours; a body is a view of the received octets. */
  | { readonly type: 'frame'; readonly event: MsrpFramerEvent }
  | { readonly type: 'send'; readonly request: OutgoingRequest }
  /** Asks a chat room for a nickname; '' gives it up (RFC 7701). */
  | { readonly type: 'nickname'; readonly nickname: string }
  /** Gives an outgoing message up. */
  | { readonly type: 'cancel'; readonly messageId: string }
  /** Asks for a sign of life: a SEND without content (RFC 4975 section 7.1), whose answer is waited for 30 s. */
  | { readonly type: 'keep-alive' }
  /** The taker of a message, streamed or held, is done with all of it: 200, or the status that says why it failed. */
  | { readonly type: 'stored'; readonly messageId: string; readonly status: number }
  /** Time passed; to be given at `deadline`. */
  | { readonly type: 'tick' }
  | { readonly type: 'disconnected'; readonly error?: ProtocolError }
  | { readonly type: 'close' };

export interface ReceivedMessage {
  readonly messageId: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly fromPath: readonly string[];
  readonly other: IncomingDescription['other'];
}

/** Why a message did not arrive, as far as we know; `not-accepted`: not sent, as the far end's SDP or an earlier 415 of it forbids. */
export type MsrpFailure = 'rejected' | 'not-accepted' | 'timeout' | 'cancelled' | 'connection-lost' | 'closed';

export type MsrpOutcome =
  | { readonly outcome: 'delivered'; readonly status: 200 }
  /** Given to the connection; the caller asked for no answer, so nothing more is known. */
  | { readonly outcome: 'written' }
  /** `status` is the peer's, or 408 for a time-out and 481 for a session that ended, as RFC 4975 section 10 has them. */
  | { readonly outcome: 'failed'; readonly status: number; readonly failure: MsrpFailure };

export type MsrpSessionAction =
  /** The two ends know that this connection carries this session. */
  | { readonly type: 'bound' }
  | { readonly type: 'message'; readonly message: ReceivedMessage }
  /** A message begins whose octets follow as `data`; `stored` is expected after `data-end`. */
  | { readonly type: 'data-begin'; readonly description: IncomingDescription }
  /** Octets of a streamed message; `position` counts from 0. Views of the received octets. */
  | {
      readonly type: 'data';
      readonly messageId: string;
      readonly position: number;
      readonly bytes: Uint8Array;
    }
  | { readonly type: 'data-end'; readonly messageId: string; readonly octets: number }
  | { readonly type: 'data-aborted'; readonly messageId: string }
  | { readonly type: 'outcome'; readonly messageId: string; readonly result: MsrpOutcome }
  /** A message with `Failure-Report: partial`, told as written before, was refused. */
  | { readonly type: 'late-failure'; readonly messageId: string; readonly status: number }
  /** 200, or why not: 403 none here, 424 malformed, 425 in use, 501 unknown; 408 without answer, 481 with the session. */
  | { readonly type: 'nickname-answer'; readonly nickname: string; readonly status: number }
  /** Write what `nextOutput` still gives, then close the connection. Nothing follows. */
  | { readonly type: 'closed'; readonly error?: ProtocolError };
