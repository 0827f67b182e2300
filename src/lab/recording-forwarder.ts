import { connect, createServer, type Server, type Socket } from 'node:net';
import type { SocketAddress } from '../engine/ports.ts';
import { closeServer, listenOnLastingPort } from './loopback.ts';
import { joinStreams } from './join-streams.ts';
import { recordedStream } from './recorded-socket.ts';
import type { WireRecorder } from './wire-recorder.ts';

/** A port that passes connections on to another one and records their octets, for a server that brings its own TLS. */
export class RecordingForwarder {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param name for the record. @param isAway while true, connections are closed at once, and those that stand when they are used. Rejects when the port is taken. */
  static async start(
    name: string,
    port: number,
    target: SocketAddress,
    recorder: WireRecorder,
    isAway: () => boolean = () => false,
  ): Promise<RecordingForwarder> {
    const server = createServer({ allowHalfOpen: true });
    const forwarder = new RecordingForwarder((await listenOnLastingPort(server, port)).port, server);
    server.on('connection', (socket) => {
      // The port stays taken: closed for good, it could be somebody else's by the time it is wanted back.
      if (isAway()) socket.destroy();
      else forwarder.#forward(socket, name, target, recorder, isAway);
    });
    return forwarder;
  }

  private constructor(port: number, server: Server) {
    this.port = port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const closed = closeServer(this.#server);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #forward(socket: Socket, name: string, target: SocketAddress, recorder: WireRecorder, isAway: () => boolean): void {
    const onward = connect({ ...target, allowHalfOpen: true });
    for (const one of [socket, onward]) {
      this.#sockets.add(one);
      one.once('close', () => this.#sockets.delete(one));
    }
    const recorded = recordedStream(socket, {
      fromUe: recorder.open('accessLeg', `${name} from UE`),
      toUe: recorder.open('accessLeg', `${name} to UE`),
    });
    joinStreams(recorded, onward);
    socket.prependListener('data', () => {
      if (!isAway()) return;
      onward.destroy();
      socket.destroy();
    });
  }
}
