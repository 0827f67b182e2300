import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from '../../base/log.ts';
import type { LabFaults } from '../faults.ts';
import { closeServer, listenOnLastingPort, type LoopbackAddress } from '../loopback.ts';
import type { Timers } from '../timers.ts';
import type { WireRecorder } from '../wire-recorder.ts';
import { Flow, type FlowHandlers } from './flow.ts';
import { openStreamWire } from './stream-wire.ts';
import { isSecure, type EdgeAddresses, type LabTransport } from './transports.ts';
import { UdpPort } from './udp-port.ts';
import type { UdpTimes } from './udp-transactions.ts';
import { WebSocketPort } from './websocket-port.ts';

export interface EdgeOptions {
  /** Number of the edge, from 0. */
  readonly index: number;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  readonly faults: LabFaults;
  readonly timers: Timers;
  readonly udpTimes: UdpTimes;
  /** 0 or nothing for a free one. The port of UDP is that of TCP. */
  readonly ports: Partial<Record<Exclude<LabTransport, 'udp'>, number>>;
  /** Where messages and the ends of flows go. */
  readonly handlers: Pick<FlowHandlers, 'message' | 'closed'>;
}

type StreamTransport = Exclude<LabTransport, 'udp'>;
const streamTransports: readonly StreamTransport[] = ['tls', 'ws', 'wss'];

/** How often another port is tried when the one that TCP got is taken for UDP. */
const maxPortTries = 20;

interface Listeners {
  readonly addresses: EdgeAddresses;
  readonly servers: readonly Server[];
  readonly udp: UdpPort;
  readonly webSockets: WebSocketPort;
}

/** An access edge (P-CSCF): accepts the UEs' flows over UDP, TCP, TLS and WebSocket and hands on what comes over them. */
export class Edge {
  readonly index: number;
  readonly #options: EdgeOptions;
  readonly #secureContext: SecureContext;
  readonly #flows = new Set<Flow>();
  readonly #handlers: FlowHandlers;
  #listeners: Listeners | undefined;
  #addresses: EdgeAddresses | undefined;
  #flowCount = 0;

  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(options);
    await edge.start();
    return edge;
  }

  private constructor(options: EdgeOptions) {
    this.index = options.index;
    this.#options = options;
    const { privateKeyPem: key, certificatePem: cert } = options;
    this.#secureContext = createSecureContext({ key, cert, minVersion: 'TLSv1.2' });
    this.#handlers = {
      message: (flow, message) => options.handlers.message(flow, message),
      malformed: (flow, error) =>
        options.log.log('warn', 'lab.sip.malformed', { flow: flow.id, problem: error.message }),
      closed: (flow) => {
        this.#flows.delete(flow);
        options.handlers.closed(flow);
      },
    };
  }

  /** The same after every start. */
  get addresses(): EdgeAddresses {
    if (this.#addresses === undefined) throw new Error('the edge was never started');
    return this.#addresses;
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  /** Listens, at the ports of the last start if there was one. Rejects when one is taken. */
  async start(): Promise<void> {
    if (this.#listeners !== undefined) return;
    const known = this.#addresses;
    const { ports } = this.#options;
    const portOf = (transport: StreamTransport): number => known?.[transport].port ?? ports[transport] ?? 0;
    const opened: Server[] = [];
    const webSockets = new WebSocketPort();
    const open = async (transport: StreamTransport): Promise<[StreamTransport, LoopbackAddress]> => {
      const server = createServer({ allowHalfOpen: true });
      const address = await listenOnLastingPort(server, portOf(transport));
      opened.push(server);
      server.on('connection', (socket) => this.#accept(transport, address, socket, webSockets));
      return [transport, address];
    };
    try {
      const { tcp, udp, server } = await this.#openPair(portOf('tcp'));
      opened.push(server);
      server.on('connection', (socket) => this.#accept('tcp', tcp, socket, webSockets));
      const others = Object.fromEntries(await Promise.all(streamTransports.map(open)));
      this.#addresses = { udp: udp.address, tcp, ...others } as EdgeAddresses;
      this.#listeners = { addresses: this.#addresses, servers: opened, udp, webSockets };
    } catch (error) {
      for (const server of opened) server.close();
      throw error;
    }
  }

  /** Closes every flow and frees the ports. */
  async stop(): Promise<void> {
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners === undefined) return;
    const closed = listeners.servers.map(closeServer);
    this.cut();
    listeners.webSockets.stop();
    await Promise.all([...closed, listeners.udp.stop()]);
  }

  /** Breaks every flow that is open right now; returns how many. */
  cut(): number {
    const flows = [...this.#flows];
    for (const flow of flows) flow.close();
    return flows.length;
  }

  async #openPair(port: number): Promise<{ tcp: LoopbackAddress; udp: UdpPort; server: Server }> {
    for (let tries = 1; ; tries++) {
      const server = createServer({ allowHalfOpen: true });
      const tcp = await listenOnLastingPort(server, port);
      const { faults, timers, udpTimes: times } = this.#options;
      try {
        const udp = await UdpPort.start({
          port: tcp.port,
          faults,
          timers,
          times,
          open: (remote) => this.#open('udp', tcp, remote),
        });
        return { tcp, udp, server };
      } catch (error) {
        await closeServer(server);
        if (port !== 0 || tries >= maxPortTries) throw error;
      }
    }
  }

  #accept(transport: StreamTransport, local: LoopbackAddress, socket: Socket, webSockets: WebSocketPort): void {
    const remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const secureContext = isSecure(transport) ? this.#secureContext : undefined;
    if (transport === 'ws' || transport === 'wss') {
      const { id, tracks } = this.#name(transport);
      webSockets.accept(socket, tracks, secureContext, () => this.#open(transport, local, remote, { id, tracks }));
    } else {
      const flow = this.#open(transport, local, remote);
      flow.attach(openStreamWire(flow, socket, secureContext));
    }
  }

  #name(transport: LabTransport): Pick<Flow, 'id' | 'tracks'> {
    const { recorder, index } = this.#options;
    const number = `${++this.#flowCount}`;
    const id = `${transport}-${index === 0 ? number : `${index}.${number}`}`;
    return {
      id,
      tracks: {
        fromUe: recorder.open('accessLeg', `SIP ${id} from UE`),
        toUe: recorder.open('accessLeg', `SIP ${id} to UE`),
      },
    };
  }

  #open(
    transport: LabTransport,
    local: LoopbackAddress,
    remote: { readonly host: string; readonly port: number },
    named = this.#name(transport),
  ): Flow {
    const { recorder, faults, timers, index } = this.#options;
    const flow = new Flow({
      ...named,
      transport,
      local,
      remote,
      edge: index,
      inside: recorder.open('insideEdge', `SIP proxy, ${named.id}`),
      handlers: this.#handlers,
      latency: () => faults.latency ?? 0,
      after: (milliseconds, action) => timers.after(milliseconds, action),
    });
    this.#flows.add(flow);
    return flow;
  }
}

/** Puts the user's name on the record of a flow. */
export function nameTracks({ id, user, tracks }: Flow): void {
  const name = user?.name ?? '';
  tracks.fromUe.label = `${name} SIP ${id} from UE`;
  tracks.toUe.label = `${name} SIP ${id} to UE`;
}
