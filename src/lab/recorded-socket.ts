import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { RecordedStream } from './wire-recorder.ts';

export interface SocketTracks {
  readonly fromUe: RecordedStream;
  readonly toUe: RecordedStream;
}

/** The socket with a recorder on it, or the socket alone where nothing becomes of the record: it is far faster. */
export function recordedStream(socket: Socket, tracks: SocketTracks): Duplex {
  if (tracks.fromUe.isKept || tracks.toUe.isKept) return new RecordedSocket(socket, tracks);
  return socket.setNoDelay(true);
}

/**
 * A TCP socket with a recorder on both directions. TLS is laid over it, so that what is recorded is what is on the wire.
 * The socket must allow half-open connections, so that one side's end does not cut off what the other still sends.
 */
export class RecordedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #tracks: SocketTracks;

  constructor(socket: Socket, tracks: SocketTracks) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#tracks = tracks;
    socket.setNoDelay(true);
    socket.pause();
    socket.on('data', (bytes: Buffer) => {
      tracks.fromUe.record(bytes);
      if (!this.push(bytes)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => {
      // After an end there may be octets left that nobody has read yet; the stream closes when they are.
      if (!socket.readableEnded) this.destroy();
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#tracks.toUe.record(bytes);
    this.#socket.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) done();
    else this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
