import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { defaultSipLimits } from '../../protocol/sip/message.ts';
import { RecordedSocket, type SocketTracks } from '../recorded-socket.ts';
import type { Flow, FlowWire } from './flow.ts';
import { layTls } from './stream-wire.ts';

const subprotocol = 'sip';

/** Connections that become WebSockets of SIP (RFC 7118), over TLS or not. */
export class WebSocketPort {
  readonly #http = createServer((_request, response) => response.writeHead(426, { Upgrade: 'websocket' }).end());
  readonly #sockets: WebSocketServer;
  /** Sockets on their way to becoming a WebSocket. */
  readonly #streams = new Set<RecordedSocket>();

  constructor() {
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: defaultSipLimits.headerOctets + defaultSipLimits.bodyOctets,
      perMessageDeflate: false,
      // RFC 7118 4.1: the subprotocol must be agreed on.
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#http.on('upgrade', (request, stream, head) => {
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      if (!offered.includes(subprotocol)) {
        stream.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      this.#sockets.handleUpgrade(request, stream, head, (socket) => this.#sockets.emit('opened', socket, stream));
    });
  }

  /**
   * @param open makes the flow once the WebSocket is there. Without TLS the masks of WebSocket would hide from the record
   * what anybody on the access leg can read, so `tracks` then get the messages; with TLS they get the octets.
   */
  accept(socket: Socket, tracks: SocketTracks, secureContext: SecureContext | undefined, open: () => Flow): void {
    const silent = { fromUe: tracks.fromUe.muted(), toUe: tracks.toUe.muted() };
    const recorded = new RecordedSocket(socket, secureContext === undefined ? silent : tracks);
    const stream = secureContext === undefined ? recorded : layTls(recorded, secureContext);
    this.#streams.add(recorded);
    recorded.once('close', () => this.#streams.delete(recorded));
    for (const one of [recorded, stream]) one.on('error', () => recorded.destroy());
    const opened = (webSocket: WebSocket, from: unknown): void => {
      if (from !== stream) return;
      this.#sockets.off('opened', opened);
      const flow = open();
      flow.attach(openWire(flow, webSocket, secureContext === undefined ? tracks : undefined));
    };
    this.#sockets.on('opened', opened);
    recorded.once('close', () => this.#sockets.off('opened', opened));
    this.#http.emit('connection', stream);
  }

  stop(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#http.close();
    this.#sockets.close();
  }
}

function openWire(flow: Flow, socket: WebSocket, tracks: SocketTracks | undefined): FlowWire {
  socket.on('message', (data: RawData) => {
    const bytes = Uint8Array.from(octetsOf(data));
    flow.touch();
    tracks?.fromUe.record(bytes);
    // RFC 7118 4.2, RFC 5626 4.4.1: a CRLF keep-alive may come as a message of its own. Frames of type ping are answered by `ws`.
    if (/^(\r\n)+$/.test(Buffer.from(bytes.subarray(0, 16)).toString('latin1'))) {
      if (bytes.length === 4) socket.send('\r\n');
    } else flow.receive(bytes);
  });
  socket.on('ping', () => flow.touch());
  socket.on('close', () => flow.close());
  socket.on('error', () => flow.close());
  return {
    get queuedOctets() {
      return socket.bufferedAmount;
    },
    send(bytes) {
      tracks?.toUe.record(bytes);
      socket.send(bytes, { binary: true });
    },
    end: () => socket.close(),
    destroy: () => socket.terminate(),
  };
}

function octetsOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
