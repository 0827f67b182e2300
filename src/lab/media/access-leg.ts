import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ProtocolError } from '../../base/errors.ts';
import type { SocketAddress } from '../../engine/ports.ts';
import { listenOnLoopback } from '../loopback.ts';
import { RecordedSocket } from '../recorded-socket.ts';
import type { Timers } from '../timers.ts';
import type { WireRecorder } from '../wire-recorder.ts';
import { secureLeg, type LegSecurity } from './leg-security.ts';

export interface LegOptions {
  /** Whose leg it is, for the record. */
  readonly name: string;
  readonly recorder: WireRecorder;
  readonly timers: Timers;
  /** Milliseconds in which the UE must be connected and secured once its description is known. */
  readonly deadline: number;
}

/** One side of an anchored stream: a port of its own and at most one connection with one UE. */
export class AccessLeg {
  readonly port: number;
  readonly name: string;
  readonly #options: LegOptions;
  readonly #server: Server;
  readonly #incoming: Promise<Socket>;
  #rejectIncoming: (error: Error) => void = () => undefined;
  #socket: Socket | undefined;
  #stream: Duplex | undefined;
  #closed = false;

  static async open(options: LegOptions): Promise<AccessLeg> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    const { port } = await listenOnLoopback(server);
    return new AccessLeg(options, server, port);
  }

  private constructor(options: LegOptions, server: Server, port: number) {
    this.#options = options;
    this.name = options.name;
    this.port = port;
    this.#server = server;
    this.#incoming = new Promise((resolve, reject) => {
      this.#rejectIncoming = reject;
      server.on('connection', (socket) => {
        // One UE, one connection: whoever comes second is not the one that the signalling named.
        server.close();
        if (this.#socket !== undefined || this.#closed) {
          socket.destroy();
          return;
        }
        this.#adopt(socket);
        resolve(socket);
      });
    });
    this.#incoming.catch(() => undefined);
  }

  /** Takes the connection that the UE makes to our port. Rejects when none comes, or it fails the check. */
  accept(security: LegSecurity | undefined): Promise<Duplex> {
    return this.#withDeadline(this.#incoming.then((socket) => this.#secure(socket, security, 'server')));
  }

  /** Connects to the UE. */
  connect(remote: SocketAddress, security: LegSecurity | undefined): Promise<Duplex> {
    this.#server.close();
    return this.#withDeadline(this.#dial(remote).then((socket) => this.#secure(socket, security, 'client')));
  }

  /** Ends the connection, if any, and frees the port. */
  close(): void {
    this.#closed = true;
    this.#server.close();
    this.#rejectIncoming(legError(this.name, 'closed'));
    this.#stream?.destroy();
    this.#socket?.destroy();
  }

  #dial(remote: SocketAddress): Promise<Socket> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw legError(this.name, 'closed');
      const socket = connect({ host: remote.host, port: remote.port, allowHalfOpen: true });
      this.#adopt(socket);
      socket.once('connect', () => resolve(socket));
      socket.once('close', () => reject(legError(this.name, 'UE cannot be reached')));
    });
  }

  #secure(socket: Socket, security: LegSecurity | undefined, side: 'client' | 'server'): Promise<Duplex> {
    const { recorder } = this.#options;
    const recorded = new RecordedSocket(socket, {
      fromUe: recorder.open('accessLeg', `${this.name} MSRP from UE`),
      toUe: recorder.open('accessLeg', `${this.name} MSRP to UE`),
    });
    this.#stream = recorded;
    return security === undefined ? Promise.resolve(recorded) : secureLeg(recorded, security, side, this.name);
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    // Told through the stream above, once there is one.
    socket.on('error', () => undefined);
  }

  async #withDeadline<T>(work: Promise<T>): Promise<T> {
    const { timers, deadline } = this.#options;
    let stop = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      stop = timers.after(deadline, () => {
        this.close();
        reject(legError(this.name, 'not connected in time'));
      });
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      stop();
    }
  }
}

export function legError(name: string, problem: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', problem, { field: `gateway.${name}` });
}
