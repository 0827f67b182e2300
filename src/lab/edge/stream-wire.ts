import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket, type SecureContext } from 'node:tls';
import { SipStreamFramer } from '../../protocol/sip/stream-framer.ts';
import { recordedStream } from '../recorded-socket.ts';
import type { Flow, FlowWire } from './flow.ts';

/** Messages over TCP or TLS, cut by Content-Length; pings get their pong (RFC 5626 3.5.1). */
export function openStreamWire(flow: Flow, socket: Socket, secureContext: SecureContext | undefined): FlowWire {
  const recorded = recordedStream(socket, flow.tracks);
  const stream = secureContext === undefined ? recorded : layTls(recorded, secureContext);
  const framer = new SipStreamFramer({ side: 'server' });
  stream.on('data', (bytes: Buffer) => {
    flow.touch();
    for (const frame of framer.push(bytes)) {
      if (!flow.isOpen) return;
      if (frame.kind === 'ping') stream.write('\r\n');
      else if (frame.kind === 'message') flow.receive(frame.bytes);
      else if (frame.kind === 'error') flow.broken(frame.error, frame.head);
    }
  });
  for (const event of ['end', 'error', 'close']) stream.on(event, () => flow.close());
  for (const event of ['error', 'close']) recorded.on(event, () => flow.close());
  return {
    get queuedOctets() {
      return stream.writableLength;
    },
    send: (bytes) => void stream.write(bytes),
    end: () => void stream.end(),
    destroy() {
      stream.destroy();
      recorded.destroy();
    },
  };
}

/** The server's side of TLS over a stream of ours. */
export function layTls(stream: Duplex, secureContext: SecureContext): TLSSocket {
  return new TLSSocket(stream, { isServer: true, secureContext, minVersion: 'TLSv1.2' });
}
