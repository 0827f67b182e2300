import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from '../../base/log.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { closeServer, listenOnLoopback, type LoopbackAddress } from '../loopback.ts';
import type { WireRecorder } from '../wire-recorder.ts';
import { Flow, type FlowHandlers } from './flow.ts';
import type { ProxyOptions } from './forwarding-tools.ts';
import { Proxy } from './proxy.ts';
import type { Registrar } from './registrar.ts';
import { noteSource } from './request-rules.ts';

export interface EdgeOptions extends Omit<ProxyOptions, 'addressOf'> {
  readonly registrar: Registrar;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  /** 0 for free ports. */
  readonly tlsPort: number;
  readonly tcpPort: number;
}

/** The access edge: accepts the UEs' connections on TLS and TCP and hands their messages to registrar and proxy. */
export class Edge {
  readonly tls: LoopbackAddress;
  readonly tcp: LoopbackAddress;
  readonly proxy: Proxy;
  readonly #options: EdgeOptions;
  readonly #servers: readonly Server[];
  readonly #flows = new Set<Flow>();
  readonly #handlers: FlowHandlers;
  #flowCount = 0;

  static async start(options: EdgeOptions): Promise<Edge> {
    const [tlsServer, tcpServer] = [createServer({ allowHalfOpen: true }), createServer({ allowHalfOpen: true })];
    const tls = await listenOnLoopback(tlsServer, options.tlsPort);
    try {
      return new Edge(options, [tlsServer, tcpServer], tls, await listenOnLoopback(tcpServer, options.tcpPort));
    } catch (error) {
      tlsServer.close();
      throw error;
    }
  }

  private constructor(
    options: EdgeOptions,
    servers: readonly [Server, Server],
    tls: LoopbackAddress,
    tcp: LoopbackAddress,
  ) {
    this.#options = options;
    this.#servers = servers;
    this.tls = tls;
    this.tcp = tcp;
    this.proxy = new Proxy({ ...options, addressOf: (flow) => (flow.transport === 'tls' ? tls : tcp) });
    this.#handlers = {
      message: (flow, message) => this.#receive(flow, message),
      malformed: (flow, error) =>
        options.log.log('warn', 'lab.sip.malformed', { flow: flow.id, problem: error.message }),
      closed: (flow) => this.#flowClosed(flow),
    };
    const { privateKeyPem: key, certificatePem: cert } = options;
    const secureContext = createSecureContext({ key, cert, minVersion: 'TLSv1.2' });
    servers[0].on('connection', (socket) => this.#accept(socket, secureContext));
    servers[1].on('connection', (socket) => this.#accept(socket, undefined));
  }

  /** Where a UE sends its requests, as URI. */
  routeOf(flow: Flow): string {
    const { host, port } = flow.transport === 'tls' ? this.tls : this.tcp;
    return `sip:${host}:${port};transport=${flow.transport};lr`;
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  async stop(): Promise<void> {
    const closed = this.#servers.map(closeServer);
    for (const flow of this.#flows) flow.close();
    this.proxy.stop();
    await Promise.all(closed);
  }

  #accept(socket: Socket, secureContext: SecureContext | undefined): void {
    const { recorder } = this.#options;
    const id = `${secureContext === undefined ? 'tcp' : 'tls'}-${++this.#flowCount}`;
    const flow = new Flow({
      id,
      socket,
      secureContext,
      tracks: {
        fromUe: recorder.open('accessLeg', `SIP ${id} from UE`),
        toUe: recorder.open('accessLeg', `SIP ${id} to UE`),
      },
      inside: recorder.open('insideEdge', `SIP proxy, ${id}`),
      handlers: this.#handlers,
    });
    this.#flows.add(flow);
  }

  #receive(flow: Flow, message: SipMessage): void {
    if (message.start.kind === 'response') {
      this.proxy.response(flow, message);
      return;
    }
    noteSource(message, flow);
    if (message.method !== 'REGISTER') {
      this.proxy.request(flow, message);
      return;
    }
    flow.send(this.#options.registrar.register(flow, message));
    const binding = this.#options.registrar.bindingOf(flow);
    if (binding === undefined) return;
    nameTracks(flow);
    this.proxy.deliverStored(binding);
  }

  #flowClosed(flow: Flow): void {
    this.#flows.delete(flow);
    this.#options.registrar.removeFlow(flow);
    this.proxy.flowClosed(flow);
  }
}

function nameTracks({ id, user, tracks }: Flow): void {
  const name = user?.name ?? '';
  tracks.fromUe.label = `${name} SIP ${id} from UE`;
  tracks.toUe.label = `${name} SIP ${id} to UE`;
}
