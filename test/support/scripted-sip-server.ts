import type { ServerProof, SipConnection, SipHop, SipTarget, SipTransport } from '../../src/engine/ports.ts';
import { parseNameAddress, parseVia } from '../../src/protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, SipMessage } from '../../src/protocol/sip/message.ts';
import { SipStreamFramer } from '../../src/protocol/sip/stream-framer.ts';

export interface Received {
  readonly message: SipMessage;
  /** A response with Via, From, To (tagged), Call-ID and CSeq of the request. */
  answer(status: number, headers?: Record<string, string | string[]>, body?: Uint8Array): SipMessage;
  /** Sends `answer(...)`. */
  reply(status: number, headers?: Record<string, string | string[]>, body?: Uint8Array): void;
}

const handshake = { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256' } as const;

/** A SIP server in memory: what it answers is a function of the test; everything it received is kept. */
export class ScriptedSipServer implements SipTransport {
  readonly requests: SipMessage[] = [];
  readonly responses: SipMessage[] = [];
  readonly targets: SipTarget[] = [];
  pings = 0;
  /** Connections are refused while set. */
  isDown = false;
  /** What stands behind its certificate. */
  serverProof: ServerProof = 'authority';
  onRequest: (received: Received) => void = () => undefined;
  #toClient: ((bytes: Uint8Array) => void) | undefined;
  #closeClient: ((error?: Error) => void) | undefined;
  #branch = 0;

  /** One place: what the target says, TLS when it says nothing. */
  locate(target: SipTarget): Promise<readonly SipHop[]> {
    this.targets.push(target);
    const { host, port = 5061, protocol = 'tls', serverName = host } = target;
    const security = { serverName, trust: 'system-or-ca' } as const;
    return Promise.resolve([
      { protocol, address: '198.51.100.1', port, host, ...(protocol === 'tls' ? { security } : {}) },
    ]);
  }

  connect(hop: SipHop): Promise<SipConnection> {
    if (this.isDown) return Promise.reject(new Error('connection refused'));
    const framer = new SipStreamFramer({ side: 'server' });
    let isOpen = true;
    let closed: ((error?: Error) => void) | undefined;
    const close = (error?: Error): void => {
      if (!isOpen) return;
      isOpen = false;
      closed?.(error);
    };
    this.#closeClient = close;
    return Promise.resolve({
      protocol: hop.protocol,
      framing: hop.protocol === 'udp' ? 'message' : 'stream',
      remote: { host: hop.address, port: hop.port },
      localAddress: '192.0.2.10',
      localPort: 40000 + this.targets.length,
      tls: hop.protocol === 'tls' ? { ...handshake, serverProof: this.serverProof } : undefined,
      send: async (bytes) => {
        if (!isOpen) throw new Error('closed');
        if (hop.protocol === 'udp') {
          this.#receiveDatagram(bytes);
          return;
        }
        for (const frame of framer.push(bytes)) {
          if (frame.kind === 'ping') this.pings++;
          if (frame.kind === 'message') this.#receive(parseSipMessage(frame.bytes));
          if (frame.kind === 'error') throw frame.error;
        }
      },
      onData: (listener) => (this.#toClient = listener),
      onClose: (listener) => (closed = listener),
      close: () => close(),
    });
  }

  /** The connection breaks. */
  drop(): void {
    this.#closeClient?.(new Error('reset by peer'));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#toClient?.(bytes);
  }

  send(message: SipMessage): void {
    this.sendBytes(serialiseSipMessage(message));
  }

  /** A request to the client's Contact, as a proxy would forward it. */
  createRequest(
    method: string,
    uri: string,
    headers: Record<string, string> = {},
    body: Uint8Array = new Uint8Array(),
  ): SipMessage {
    const branch = ++this.#branch;
    const request = SipMessage.request(method, uri);
    const basics = {
      Via: `SIP/2.0/TLS edge.lab.test:5061;branch=z9hG4bKedge${branch}`,
      'Max-Forwards': '70',
      From: '<sip:bob@lab.test>;tag=b0b',
      To: '<sip:alice@lab.test>',
      'Call-ID': `call-${branch}`,
      CSeq: `1 ${method}`,
      Contact: '<sip:bob@198.51.100.7:5061;transport=tls>',
    };
    for (const [name, value] of Object.entries({ ...basics, ...headers })) request.headers.add(name, value);
    request.body = body;
    return request;
  }

  last(method: string): SipMessage {
    const found = this.requests.findLast((request) => request.method === method);
    if (found === undefined) throw new Error(`no ${method} received`);
    return found;
  }

  count(method: string): number {
    return this.requests.filter((request) => request.method === method).length;
  }

  contactUri(): string {
    return parseNameAddress(this.last('REGISTER').headers.get('Contact') ?? '').uri;
  }

  /** Keep-alives are no messages. */
  #receiveDatagram(bytes: Uint8Array): void {
    if (bytes.length > 20) this.#receive(parseSipMessage(bytes));
  }

  #receive(message: SipMessage): void {
    if (message.start.kind === 'response') {
      this.responses.push(message);
      return;
    }
    this.requests.push(message);
    const answer: Received['answer'] = (status, headers = {}, body = new Uint8Array()) => {
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
      response.body = body;
      return response;
    };
    // Not within the client's call of send, as no network does.
    queueMicrotask(() => {
      this.onRequest({ message, answer, reply: (...args) => this.send(answer(...args)) });
    });
  }
}

/** The branch of the topmost Via. */
export function branchOf(message: SipMessage): string {
  return parseVia(message.headers.get('Via') ?? '').parameters.get('branch') ?? '';
}
