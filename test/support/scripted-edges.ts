import type {
  ServerProof,
  SipConnection,
  SipHop,
  SipProtocol,
  SipTarget,
  SipTransport,
  TlsFacts,
} from '../../src/engine/ports.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { isTlsProtocol } from '../../src/protocol/sip/sip-protocol.ts';
import { parseNameAddress } from '../../src/protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, SipMessage } from '../../src/protocol/sip/message.ts';
import { SipStreamFramer } from '../../src/protocol/sip/stream-framer.ts';
import { decodeStun, encodeStun, looksLikeStun } from '../../src/protocol/stun/index.ts';

const handshake: TlsFacts = { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256' };

/** A request as an edge received it, and what answers it over the connection that it came on. */
export interface EdgeRequest {
  readonly message: SipMessage;
  readonly protocol: SipProtocol;
  answer(status: number, headers?: Record<string, string | string[]>): SipMessage;
  reply(status: number, headers?: Record<string, string | string[]>): void;
}

/** One edge of a network in memory: an address with the protocols that it takes. */
export class ScriptedEdge {
  readonly address: string;
  readonly requests: EdgeRequest[] = [];
  readonly responses: SipMessage[] = [];
  readonly open = new Set<EdgeConnection>();
  protocols: readonly SipProtocol[];
  isDown = false;
  /** Why TLS to it is accepted; undefined: its certificate proves nothing. */
  serverProof: ServerProof | undefined = 'authority';
  pings = 0;
  /** Answers keep-alives. */
  answersPings = true;
  /** What STUN tells the client of its address. */
  mappedPort = 40_000;
  connections = 0;
  /** Of datagrams to and from this edge: true loses it. */
  loses: (bytes: Uint8Array, towards: 'edge' | 'client') => boolean = () => false;
  onRequest: (request: EdgeRequest) => void = () => undefined;

  constructor(address: string, protocols: readonly SipProtocol[]) {
    this.address = address;
    this.protocols = protocols;
  }

  /** Every connection breaks, and no new one is taken while down. */
  kill(): void {
    this.isDown = true;
    for (const connection of [...this.open]) connection.break(new Error('reset by peer'));
  }

  count(method: string): number {
    return this.requests.filter(({ message }) => message.method === method).length;
  }

  last(method: string): EdgeRequest {
    const found = this.requests.findLast(({ message }) => message.method === method);
    if (found === undefined) throw new Error(`no ${method} received`);
    return found;
  }

  /** Over the newest connection. */
  send(message: SipMessage): void {
    this.newest().deliver(serialiseSipMessage(message));
  }

  newest(): EdgeConnection {
    const newest = [...this.open].at(-1);
    if (newest === undefined) throw new Error('nobody is connected');
    return newest;
  }

  contactUri(): string {
    return parseNameAddress(this.last('REGISTER').message.headers.get('Contact') ?? '').uri;
  }
}

export class EdgeConnection implements SipConnection {
  readonly protocol: SipProtocol;
  readonly framing: 'stream' | 'message';
  readonly localAddress: string;
  readonly localPort: number;
  readonly remote: { readonly host: string; readonly port: number };
  readonly tls: TlsFacts | undefined;
  readonly #edge: ScriptedEdge;
  readonly #framer = new SipStreamFramer({ side: 'server' });
  #toClient: (bytes: Uint8Array) => void = () => undefined;
  #closed: (error?: Error) => void = () => undefined;
  #isOpen = true;

  constructor(edge: ScriptedEdge, hop: SipHop, localAddress: string) {
    this.#edge = edge;
    this.protocol = hop.protocol;
    this.framing = hop.protocol === 'tcp' || hop.protocol === 'tls' ? 'stream' : 'message';
    this.localAddress = localAddress;
    this.localPort = 40_000 + ++edge.connections;
    this.remote = { host: hop.address, port: hop.port };
    this.tls =
      hop.protocol === 'tls' || hop.protocol === 'wss'
        ? { ...handshake, serverProof: edge.serverProof ?? 'authority' }
        : undefined;
    edge.open.add(this);
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (!this.#isOpen) throw new Error('closed');
    const edge = this.#edge;
    if (this.protocol === 'udp' && edge.loses(bytes, 'edge')) return;
    if (looksLikeStun(bytes)) {
      this.#stun(bytes);
      return;
    }
    if (this.framing === 'message') {
      if (bytes.every((octet) => octet === 0x0d || octet === 0x0a)) return;
      this.#receive(parseSipMessage(bytes));
      return;
    }
    for (const frame of this.#framer.push(bytes)) {
      if (frame.kind === 'ping') this.#ping();
      if (frame.kind === 'message') this.#receive(parseSipMessage(frame.bytes));
      if (frame.kind === 'error') throw frame.error;
    }
  }

  ping(): Promise<void> {
    this.#edge.pings++;
    return this.#edge.answersPings ? Promise.resolve() : new Promise(() => undefined);
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#toClient = listener;
  }

  onClose(listener: (error?: Error) => void): void {
    this.#closed = listener;
  }

  close(): void {
    this.break();
  }

  break(error?: Error): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#edge.open.delete(this);
    this.#closed(error);
  }

  deliver(bytes: Uint8Array): void {
    if (!this.#isOpen || (this.protocol === 'udp' && this.#edge.loses(bytes, 'client'))) return;
    this.#toClient(bytes);
  }

  #ping(): void {
    this.#edge.pings++;
    // Not within the client's call of send, as no network does.
    if (this.#edge.answersPings) queueMicrotask(() => this.deliver(Uint8Array.of(0x0d, 0x0a)));
  }

  #stun(bytes: Uint8Array): void {
    this.#edge.pings++;
    if (!this.#edge.answersPings) return;
    const { transactionId } = decodeStun(bytes);
    const mapped = { host: '203.0.113.5', port: this.#edge.mappedPort };
    queueMicrotask(() => this.deliver(encodeStun({ kind: 'success', transactionId, mapped })));
  }

  #receive(message: SipMessage): void {
    if (message.status !== undefined) {
      this.#edge.responses.push(message);
      return;
    }
    const answer: EdgeRequest['answer'] = (status, headers = {}) => {
      const response = SipMessage.response(status, `Status ${status}`);
      for (const via of message.headers.getAll('Via')) response.headers.add('Via', via);
      const to = message.headers.get('To') ?? '';
      response.headers
        .add('From', message.headers.get('From') ?? '')
        .add('To', parseNameAddress(to).parameters.has('tag') ? to : `${to};tag=s3rver`)
        .add('Call-ID', message.headers.get('Call-ID') ?? '')
        .add('CSeq', message.headers.get('CSeq') ?? '');
      for (const [name, values] of Object.entries(headers)) {
        for (const value of [values].flat()) response.headers.add(name, value);
      }
      return response;
    };
    const reply: EdgeRequest['reply'] = (...args) => this.deliver(serialiseSipMessage(answer(...args)));
    const request: EdgeRequest = { message, protocol: this.protocol, answer, reply };
    this.#edge.requests.push(request);
    queueMicrotask(() => this.#edge.onRequest(request));
  }
}

/** A network of several edges; which places a server name has is up to the test. */
export class ScriptedEdges implements SipTransport {
  readonly edges: readonly ScriptedEdge[];
  /** The protocols of the places that are told, in their order, each of all edges. */
  told: readonly SipProtocol[];
  /** The address of the client that leads to the edges now. */
  localAddress = '192.0.2.10';
  looked = 0;

  constructor(edges: readonly ScriptedEdge[], told: readonly SipProtocol[]) {
    this.edges = edges;
    this.told = told;
  }

  locate(target: SipTarget): Promise<readonly SipHop[]> {
    this.looked++;
    const edges = this.edges.filter(({ address }) => target.host === 'edges' || target.host === address);
    return Promise.resolve(
      this.told.flatMap((protocol) =>
        edges.map(({ address }) => ({ protocol, address, port: 5060, host: target.host })),
      ),
    );
  }

  connect(hop: SipHop): Promise<SipConnection> {
    const edge = this.edges.find(({ address }) => address === hop.address);
    // Of a datagram socket nobody asks whether somebody is there.
    const isTaken = hop.protocol === 'udp' || (edge?.isDown === false && edge.protocols.includes(hop.protocol));
    if (edge === undefined || !isTaken) return Promise.reject(new Error('connection refused'));
    if (edge.serverProof === undefined && isTlsProtocol(hop.protocol)) {
      const detail = { field: 'sip.tls', expected: 'a certificate that proves edges' };
      return Promise.reject(new ProtocolError('peer-misbehaved', 'its authority is not trusted', detail));
    }
    return Promise.resolve(new EdgeConnection(edge, hop, this.localAddress));
  }
}
