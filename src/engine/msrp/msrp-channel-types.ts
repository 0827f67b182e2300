import type { Clock } from '../../base/clock.ts';
import type { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { FailureReport, IncomingDescription, MsrpHeader, ReceivedMessage } from '../../protocol/msrp/index.ts';
import type { MsrpConnection } from '../ports.ts';
import type { MsrpCarrier } from './msrp-carrier.ts';
import type { MessageSink } from './sink-writer.ts';

export interface MsrpChannelOptions {
  /** The connection: one for this session alone, one that it shares, or its place at a relay. */
  readonly connection: MsrpConnection | MsrpCarrier;
  readonly clock: Clock;
  readonly random: Random;
  /** Our own path as given in SDP; its last URI names our end of the session. */
  readonly localPath: readonly string[];
  /** The far end's path of its SDP, used verbatim. */
  readonly remotePath: readonly string[];
  /** True when this side opened the connection, or would have; it then speaks first. */
  readonly active: boolean;
  /** Media types we understand; others are answered 415. Default all. */
  readonly acceptTypes?: readonly string[];
  /** The far end's `a=accept-types`: what else is to be sent fails with 415 and leaves nothing. Default all. */
  readonly peerAcceptTypes?: readonly string[];
  /** The far end's `a=max-size`: what is larger fails with 413 and leaves nothing. Default no bound. */
  readonly peerMaxOctets?: number | undefined;
  /** Largest message that is taken into memory, in octets; larger ones are answered 413. Default 1 MiB. */
  readonly maxMessageOctets?: number;
  /** Octets of a chunk; by the size of each message when absent. */
  readonly chunkOctets?: number;
  /** Judges each whole message that was taken into memory: 200, or the MSRP status that refuses it. Default 200. */
  readonly judge?: (message: ReceivedMessage) => number;
  /** Messages in memory are reported as arrived only when `confirm` is called for them. Default: at once. */
  readonly holdsReports?: boolean;
  /** Of a chat room: answers a NICKNAME with 200, 403 or 425. */
  readonly onNickname?: (nickname: string) => number;
  /** Decides for each incoming message: a sink for its octets, an MSRP status that refuses it, or undefined for memory. */
  readonly openSink?: (incoming: IncomingDescription) => MessageSink | number | undefined;
}

interface OutgoingCommon {
  /** 4 to 32 letters, digits, `.` `-` `+` `%` `=`; a random one by default. */
  readonly messageId?: string;
  readonly contentType: string;
  /** Header fields before Content-Type, for example Content-Disposition. */
  readonly other?: readonly MsrpHeader[];
  /** Wait for the far end's report over the whole message, not only for the answers to its chunks. Default false. */
  readonly successReport?: boolean;
  /** Default `yes`; with `partial` a refusal may still come after `written`, as event `lateFailure`. */
  readonly failureReport?: FailureReport;
}

export type OutgoingContent = OutgoingCommon &
  (
    | { readonly bytes: Uint8Array }
    /** `octets` is the length of the whole, when known. */
    | { readonly stream: AsyncIterable<Uint8Array>; readonly octets?: number }
  );

export interface MsrpChannelEvents {
  /** Both ends know that this connection carries this session. */
  bound: undefined;
  message: ReceivedMessage;
  /** A message that was told as written has been refused after all. */
  lateFailure: { readonly messageId: string; readonly status: number };
  /** Told once; without `error` one of the ends closed it in order. */
  closed: { readonly error?: ProtocolError };
}
