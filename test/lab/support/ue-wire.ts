import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import type { EdgeAddresses } from '../../../src/lab/edge/transports.ts';
import type { Lab } from '../../../src/lab/lab.ts';

type Edges = Pick<Lab, 'edges' | 'caPem' | 'domain'>;
import { SipStreamFramer } from '../../../src/protocol/sip/stream-framer.ts';
import type { SipProtocol } from '../../../src/engine/ports.ts';

/** The UE's end of a flow, whatever carries it. */
export interface UeWire {
  readonly localPort: number;
  /** The stream of TCP and TLS, for tests that write octets of their own. */
  readonly socket: Socket | undefined;
  readonly webSocket: WebSocket | undefined;
  send(bytes: Uint8Array): void;
  /** One whole SIP message, or a keep-alive answer, each time. */
  onMessage(listener: (bytes: Uint8Array) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}

export async function openUeWire(lab: Edges, transport: SipProtocol, edge = 0): Promise<UeWire> {
  const address = (lab.edges[edge] as EdgeAddresses)[transport];
  if (transport === 'udp') return openUdp(address);
  if (transport === 'ws' || transport === 'wss') return openWebSocket(lab, transport, address);
  return openStream(lab, transport, address);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

async function openStream(lab: Edges, transport: 'tls' | 'tcp', { host, port }: Address): Promise<UeWire> {
  const socket =
    transport === 'tls'
      ? connectTls({ host, port, ca: lab.caPem, servername: lab.domain })
      : connectTcp({ host, port });
  await once(socket, transport === 'tls' ? 'secureConnect' : 'connect');
  const framer = new SipStreamFramer();
  socket.on('error', () => undefined);
  return {
    localPort: socket.localPort ?? 0,
    socket,
    webSocket: undefined,
    send: (bytes) => void socket.write(bytes),
    onMessage(listener) {
      socket.on('data', (bytes: Buffer) => {
        for (const frame of framer.push(bytes)) if (frame.kind === 'message') listener(frame.bytes);
      });
    },
    onClose: (listener) => void socket.on('close', listener),
    close: () => socket.destroy(),
  };
}

async function openUdp({ host, port }: Address): Promise<UeWire> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    localPort: socket.address().port,
    socket: undefined,
    webSocket: undefined,
    send: (bytes) => socket.send(bytes, port, host),
    onMessage: (listener) => void socket.on('message', (bytes) => listener(Uint8Array.from(bytes))),
    onClose: (listener) => void socket.on('close', listener),
    close: () => socket.close(),
  };
}

async function openWebSocket(lab: Edges, transport: 'ws' | 'wss', { host, port }: Address): Promise<UeWire> {
  const socket = new WebSocket(`${transport}://${host}:${port}/`, 'sip', { ca: lab.caPem });
  let localPort = 0;
  socket.on('upgrade', ({ socket: stream }) => (localPort = stream.localPort ?? 0));
  await once(socket, 'open');
  return {
    localPort,
    socket: undefined,
    webSocket: socket,
    send: (bytes) => socket.send(bytes),
    onMessage: (listener) => void socket.on('message', (data: Buffer) => listener(Uint8Array.from(data))),
    onClose: (listener) => void socket.on('close', listener),
    close: () => socket.terminate(),
  };
}
