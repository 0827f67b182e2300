import type { SipMessage } from '../../../protocol/sip/message.ts';
import type { EnginePorts, SipConnection, SipHop } from '../../ports.ts';

/** One connection that carries whole SIP messages: framing, keep-alive and, where the transport is not reliable, repetition. */
export interface SipLink {
  readonly connection: SipConnection;
  /** Rejects when the message did not leave. */
  send(message: SipMessage): Promise<void>;
  /** An answer of ours to what could not be read, as it was: not repeated, not remembered. */
  sendOnce(bytes: Uint8Array): void;
  /** Whether this server answers keep-alives is being found out. */
  readonly isUndecided: boolean;
  /** Asks the server at once whether it is there. */
  check(): void;
  /** The server waits so long for a keep-alive (Flow-Timer, RFC 5626 clause 4.4). */
  useFlowTimer(seconds: number): void;
  /** No timer runs any more; the connection stays as it is. */
  stop(): void;
}

export interface SipLinkListener {
  /** One whole message, not read yet. */
  readonly onMessage: (bytes: Uint8Array) => void;
  /** The connection is of no use any more. */
  readonly onLost: (error: Error) => void;
  /** Requests with these branches left over another connection, which broke: nobody will answer them. */
  readonly onUnanswerable: (branches: ReadonlySet<string>) => void;
}

export interface SipLinkContext {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'random' | 'sip'>;
  readonly hop: SipHop;
  readonly connection: SipConnection;
  readonly listener: SipLinkListener;
}
