import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket, type SecureContext } from 'node:tls';
import { ProtocolError } from '../../base/errors.ts';
import { checkMandatoryHeaders } from '../../protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, type SipMessage } from '../../protocol/sip/message.ts';
import { SipStreamFramer } from '../../protocol/sip/stream-framer.ts';
import { RecordedSocket, type SocketTracks } from '../recorded-socket.ts';
import type { LabUser } from '../users.ts';
import type { RecordedStream } from '../wire-recorder.ts';
import { malformedReply } from './replies.ts';
import type { SecurityAgreement } from './security-agreement.ts';

export interface FlowOptions {
  readonly id: string;
  readonly socket: Socket;
  /** Lays TLS over the socket. */
  readonly secureContext: SecureContext | undefined;
  /** The octets on the access leg. */
  readonly tracks: SocketTracks;
  /** The messages as the edge handles them, both ways. */
  readonly inside: RecordedStream;
  readonly handlers: FlowHandlers;
}

export interface FlowHandlers {
  message(flow: Flow, message: SipMessage): void;
  malformed(flow: Flow, error: ProtocolError): void;
  closed(flow: Flow): void;
}

/** A UE that does not read is cut off when this much waits for it. */
const maxQueuedOctets = 4 * 1024 * 1024;

/** One connection of a UE to the edge, over which all its signalling goes both ways (RFC 5626). */
export class Flow {
  readonly id: string;
  readonly transport: 'tls' | 'tcp';
  readonly remote: { readonly host: string; readonly port: number };
  readonly tracks: SocketTracks;
  /** Whoever registered here; a flow serves one user. */
  user: LabUser | undefined;
  agreement: SecurityAgreement | undefined;
  readonly #recorded: RecordedSocket;
  readonly #stream: Duplex;
  readonly #handlers: FlowHandlers;
  readonly #inside: RecordedStream;
  readonly #framer = new SipStreamFramer({ side: 'server' });
  #open = true;

  constructor({ id, socket, secureContext, tracks, inside, handlers }: FlowOptions) {
    this.id = id;
    this.transport = secureContext === undefined ? 'tcp' : 'tls';
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.tracks = tracks;
    this.#handlers = handlers;
    this.#inside = inside;
    const recorded = new RecordedSocket(socket, tracks);
    this.#recorded = recorded;
    this.#stream =
      secureContext === undefined
        ? recorded
        : new TLSSocket(recorded, { isServer: true, secureContext, minVersion: 'TLSv1.2' });
    recorded.on('error', () => this.close());
    recorded.on('close', () => this.close());
    this.#stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    this.#stream.on('end', () => this.close());
    this.#stream.on('error', () => this.close());
    this.#stream.on('close', () => this.close());
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Sends unless the flow is closed. */
  send(message: SipMessage): void {
    if (!this.#open) return;
    if (this.#stream.writableLength > maxQueuedOctets) {
      this.close();
      return;
    }
    const bytes = serialiseSipMessage(message);
    this.#inside.record(bytes);
    this.#stream.write(bytes);
  }

  /** Lets what was queued out, then closes. */
  end(): void {
    this.#stream.end();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stream.destroy();
    this.#recorded.destroy();
    this.#handlers.closed(this);
  }

  #receive(bytes: Uint8Array): void {
    for (const frame of this.#framer.push(bytes)) {
      if (!this.#open) return;
      if (frame.kind === 'ping') this.#stream.write('\r\n');
      else if (frame.kind === 'message') this.#receiveMessage(frame.bytes);
      else if (frame.kind === 'error') {
        if (frame.head !== undefined) this.#refuse(frame.head, frame.error);
        this.#handlers.malformed(this, frame.error);
        this.end();
      }
    }
  }

  #receiveMessage(bytes: Uint8Array): void {
    this.#inside.record(bytes);
    try {
      const message = parseSipMessage(bytes);
      checkMandatoryHeaders(message);
      this.#handlers.message(this, message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(bytes, error);
      this.#handlers.malformed(this, error);
    }
  }

  #refuse(bytes: Uint8Array, error: ProtocolError): void {
    const reply = malformedReply(bytes, error);
    if (reply !== undefined) this.send(reply);
  }
}
