import { ProtocolError } from '../../base/errors.ts';
import { checkMandatoryHeaders } from '../../protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, type SipMessage } from '../../protocol/sip/message.ts';
import type { LoopbackAddress } from '../loopback.ts';
import type { SocketTracks } from '../recorded-socket.ts';
import type { LabUser } from '../users.ts';
import type { RecordedStream } from '../wire-recorder.ts';
import { malformedReply } from './replies.ts';
import type { SecurityAgreement } from './security-agreement.ts';
import type { LabTransport } from './transports.ts';

/** What carries the messages of a flow: a TCP or TLS stream, a WebSocket, or the datagrams of one remote address. */
export interface FlowWire {
  /** Octets that wait to be sent. */
  readonly queuedOctets: number;
  /** One whole message. */
  send(bytes: Uint8Array, message: SipMessage): void;
  /** Lets what was queued out, then closes. */
  end(): void;
  destroy(): void;
}

export interface FlowOptions {
  readonly id: string;
  readonly transport: LabTransport;
  /** Where the edge listens, and from where the UE comes. */
  readonly local: LoopbackAddress;
  readonly remote: { readonly host: string; readonly port: number };
  /** Number of the edge, from 0. */
  readonly edge: number;
  /** The octets on the access leg. */
  readonly tracks: SocketTracks;
  /** The messages as the edge handles them, both ways. */
  readonly inside: RecordedStream;
  readonly handlers: FlowHandlers;
  /** Milliseconds that the link takes for each message right now. */
  readonly latency: () => number;
  /** Runs `action` once after that time; the returned function cancels it. */
  after(milliseconds: number, action: () => void): () => void;
}

export interface FlowHandlers {
  message(flow: Flow, message: SipMessage): void;
  malformed(flow: Flow, error: ProtocolError): void;
  closed(flow: Flow): void;
}

/** A UE that does not read is cut off when this much waits for it. */
const maxQueuedOctets = 4 * 1024 * 1024;
/** What a keep-alive may be late (RFC 5626 5.4). */
const graceMilliseconds = 15_000;

/** One connection of a UE to the edge, over which all its signalling goes both ways (RFC 5626). */
export class Flow {
  readonly id: string;
  readonly transport: LabTransport;
  readonly local: LoopbackAddress;
  readonly remote: { readonly host: string; readonly port: number };
  readonly edge: number;
  readonly tracks: SocketTracks;
  /** Whoever registered here; a flow serves one user. */
  user: LabUser | undefined;
  /** The device behind it, by its `+sip.instance`. */
  instance: string | undefined;
  agreement: SecurityAgreement | undefined;
  readonly #options: FlowOptions;
  #wire: FlowWire | undefined;
  #open = true;
  #lastSign = Date.now();
  #stopWaiting = (): void => undefined;
  /** Messages that a slow link holds back; they keep their order. */
  readonly #held: (() => void)[] = [];

  constructor(options: FlowOptions) {
    this.#options = options;
    this.id = options.id;
    this.transport = options.transport;
    this.local = options.local;
    this.remote = options.remote;
    this.edge = options.edge;
    this.tracks = options.tracks;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Called once, before anything is sent or received. */
  attach(wire: FlowWire): this {
    this.#wire = wire;
    return this;
  }

  /** Sends unless the flow is closed. */
  send(message: SipMessage): void {
    if (!this.#open || this.#wire === undefined) return;
    if (this.#wire.queuedOctets > maxQueuedOctets) {
      this.close();
      return;
    }
    const bytes = serialiseSipMessage(message);
    this.#options.inside.record(bytes);
    this.#delayed(() => this.#wire?.send(bytes, message));
  }

  /** Lets what was queued out, then closes. */
  end(): void {
    this.#wire?.end();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stopWaiting();
    this.#wire?.destroy();
    this.#options.handlers.closed(this);
  }

  /** The UE was heard, with a message or a keep-alive. */
  touch(): void {
    this.#lastSign = Date.now();
  }

  /** RFC 5626 5.4: the flow counts as failed when nothing comes for longer than the UE was told. */
  expectSignsOfLife(seconds: number): void {
    this.#stopWaiting();
    const limit = seconds * 1000 + graceMilliseconds;
    const wait = Math.max(this.#lastSign + limit - Date.now(), 1);
    this.#stopWaiting = this.#options.after(wait, () => {
      if (Date.now() - this.#lastSign >= limit) this.close();
      else this.expectSignsOfLife(seconds);
    });
  }

  /** The octets of one message that came. `accept` may still take it out of the way, for example as a retransmission. */
  receive(bytes: Uint8Array, accept: (message: SipMessage) => boolean = () => true): void {
    this.#delayed(() => this.#receiveNow(bytes, accept));
  }

  /** What came cannot be cut into messages any further. */
  broken(error: ProtocolError, head: Uint8Array | undefined): void {
    if (head !== undefined) this.#refuse(head, error);
    this.#options.handlers.malformed(this, error);
    this.end();
  }

  #receiveNow(bytes: Uint8Array, accept: (message: SipMessage) => boolean): void {
    this.#options.inside.record(bytes);
    try {
      const message = parseSipMessage(bytes);
      checkMandatoryHeaders(message);
      if (accept(message)) this.#options.handlers.message(this, message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(bytes, error);
      this.#options.handlers.malformed(this, error);
    }
  }

  #refuse(bytes: Uint8Array, error: ProtocolError): void {
    const reply = malformedReply(bytes, error);
    if (reply !== undefined) this.send(reply);
  }

  #delayed(action: () => void): void {
    const latency = this.#options.latency();
    if (latency === 0 && this.#held.length === 0) {
      action();
      return;
    }
    this.#held.push(action);
    void this.#options.after(latency, () => {
      const next = this.#held.shift();
      if (this.#open) next?.();
    });
  }
}
