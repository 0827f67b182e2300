import { createServer, connect, type TLSSocket } from 'node:tls';
import { utf8 } from '../../../src/base/bytes.ts';
import { randomId } from '../../../src/base/random.ts';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { Lab } from '../../../src/lab/lab.ts';
import { formatNameAddress, parseNameAddress } from '../../../src/protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, SipMessage } from '../../../src/protocol/sip/message.ts';
import { SipStreamFramer } from '../../../src/protocol/sip/stream-framer.ts';

export interface Content {
  readonly type?: string;
  readonly body: Uint8Array | string;
}

const waitMilliseconds = 20_000;

/**
 * An edge that a UE trusts and should not: it stands before the lab's, lets registration and honest traffic through, and
 * says to the UE whatever the test wants. The UE never sees another connection than this one.
 */
export class HostileEdge {
  /** Requests of the UE that were kept from the lab, and those inside dialogs that this edge made. */
  readonly received: SipMessage[] = [];
  readonly caPem: string;
  readonly port: number;
  /** True for a request of the UE that the test answers in place of the network. */
  keeps: (request: SipMessage) => boolean = () => false;
  connections = 0;
  readonly #server: ReturnType<typeof createServer>;
  readonly #responses: SipMessage[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #sockets = new Set<TLSSocket>();
  #ue: TLSSocket | undefined;
  #contact = '';

  static async start(lab: Lab): Promise<HostileEdge> {
    const authority = await createCertificateAuthority({ commonName: 'hostile', now: Date.now() });
    const { certificatePem, privateKeyPem } = await authority.issue({ dnsNames: [lab.domain], ipAddresses: [] });
    const server = createServer({ cert: certificatePem, key: privateKeyPem });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new HostileEdge(lab, server, `${authority.certificatePem}\n${lab.caPem}`);
  }

  private constructor(lab: Lab, server: ReturnType<typeof createServer>, caPem: string) {
    this.#server = server;
    this.caPem = caPem;
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    server.on('secureConnection', (ue) => this.#relay(lab, ue));
    server.on('tlsClientError', () => undefined);
  }

  /** For `startParty`: the UE comes to this edge instead of the lab's. */
  configFor(lab: Lab): { server: { host: string; port: number; transport: 'tls'; serverName: string }; ca: string } {
    const server = { host: '127.0.0.1', port: this.port, transport: 'tls' as const, serverName: lab.domain };
    return { server, ca: this.caPem };
  }

  /** Any octets to the UE. */
  inject(bytes: Uint8Array | string): void {
    this.#ue?.write(bytes);
  }

  send(message: SipMessage): void {
    this.inject(serialiseSipMessage(message));
  }

  /** A request of bob to the UE, vouched for by the network, not yet sent. */
  request(method: string, content?: Content, headers: Readonly<Record<string, string>> = {}): SipMessage {
    const request = SipMessage.request(method, this.#contact);
    const basics = {
      Via: `SIP/2.0/TLS 127.0.0.1:${this.port};branch=z9hG4bK${randomId(secureRandom)}`,
      'Max-Forwards': '70',
      From: `<sip:bob@lab.test>;tag=${randomId(secureRandom, 4)}`,
      To: '<sip:alice@lab.test>',
      'Call-ID': `hostile-${randomId(secureRandom)}`,
      CSeq: `1 ${method}`,
      Contact: `<sip:bob@127.0.0.1:${this.port};transport=tls>`,
      'P-Asserted-Identity': '<sip:bob@lab.test>',
    };
    for (const [name, value] of Object.entries({ ...basics, ...headers })) request.headers.add(name, value);
    if (content?.type !== undefined) request.headers.add('Content-Type', content.type);
    if (content !== undefined) request.body = typeof content.body === 'string' ? utf8(content.body) : content.body;
    return request;
  }

  /** Sends and waits for the final answer; an INVITE gets its ACK. */
  async ask(request: SipMessage): Promise<SipMessage> {
    this.send(request);
    const answer = await this.answerTo(request);
    if (request.method === 'INVITE') this.send(this.#ackOf(request, answer));
    return answer;
  }

  answerTo(request: SipMessage): Promise<SipMessage> {
    const key = keyOf(request);
    return this.#await(
      () => this.#responses.find((response) => (response.status ?? 0) >= 200 && keyOf(response) === key),
      `an answer to ${request.method ?? ''}`,
    );
  }

  /** The final answer that carries this Call-ID, whatever else it says. */
  answerOn(callId: string | undefined): Promise<SipMessage> {
    const fits = ({ headers }: SipMessage): boolean => headers.get('Call-ID') === callId;
    return this.#await(() => this.#responses.find(fits), 'an answer');
  }

  /** The first request that fits, come or to come. */
  incoming(fits: (request: SipMessage) => boolean, what: string): Promise<SipMessage> {
    return this.#await(() => this.received.find(fits), what);
  }

  /** Answers a kept request as its callee would. */
  answer(request: SipMessage, status: number, content?: Content, headers: Readonly<Record<string, string>> = {}): void {
    const answer = SipMessage.response(status, 'Hostile');
    for (const name of ['Via', 'From', 'Call-ID', 'CSeq']) {
      for (const value of request.headers.getAll(name)) answer.headers.add(name, value);
    }
    const to = parseNameAddress(request.headers.get('To') ?? '');
    if (!to.parameters.has('tag')) to.parameters.set('tag', 'h0stile');
    answer.headers.add('To', formatNameAddress(to)).add('Contact', `<sip:bob@127.0.0.1:${this.port};transport=tls>`);
    for (const [name, value] of Object.entries(headers)) answer.headers.add(name, value);
    if (content?.type !== undefined) answer.headers.add('Content-Type', content.type);
    if (content !== undefined) answer.body = typeof content.body === 'string' ? utf8(content.body) : content.body;
    this.send(answer);
  }

  /** The UE ended the dialog of that Call-ID. */
  bye(callId: string | undefined): Promise<SipMessage> {
    return this.incoming(({ method, headers }) => method === 'BYE' && headers.get('Call-ID') === callId, 'BYE');
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #relay(lab: Lab, ue: TLSSocket): void {
    this.connections += 1;
    this.#ue = ue;
    const { host, port } = lab.sip.tls;
    const network = connect({ host, port, ca: lab.caPem, servername: lab.domain });
    for (const [socket, other] of [
      [ue, network],
      [network, ue],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    network.on('data', (bytes: Buffer) => ue.write(bytes));
    const framer = new SipStreamFramer({ side: 'server' });
    ue.on('data', (bytes: Buffer) => {
      for (const frame of framer.push(bytes)) {
        if (frame.kind === 'message') this.#fromUe(frame.bytes, network);
      }
    });
  }

  #fromUe(bytes: Uint8Array, network: TLSSocket): void {
    const message = parseSipMessage(bytes);
    const { method, headers } = message;
    if (method === 'REGISTER') this.#contact = parseNameAddress(headers.get('Contact') ?? '').uri;
    const isOurs = headers.get('Call-ID')?.startsWith('hostile-') === true || this.#isKept(message);
    if (!isOurs) {
      network.write(bytes);
      return;
    }
    (method === undefined ? this.#responses : this.received).push(message);
    if (method === 'BYE') this.answer(message, 200);
    for (const wake of [...this.#waiting]) wake();
  }

  /** What follows a kept request in its dialog is kept too. */
  #isKept(message: SipMessage): boolean {
    if (message.method === undefined) return false;
    const callId = message.headers.get('Call-ID');
    return this.keeps(message) || this.received.some(({ headers }) => headers.get('Call-ID') === callId);
  }

  #ackOf(invite: SipMessage, answer: SipMessage): SipMessage {
    const accepted = (answer.status ?? 0) < 300;
    const uri = accepted ? parseNameAddress(answer.headers.get('Contact') ?? '').uri : this.#contact;
    const ack = SipMessage.request('ACK', uri);
    const via = invite.headers.get('Via') ?? '';
    ack.headers.add('Via', accepted ? `${via}ack` : via).add('Max-Forwards', '70');
    for (const name of ['From', 'Call-ID']) ack.headers.add(name, invite.headers.get(name) ?? '');
    return addAll(ack, { To: answer.headers.get('To') ?? '', CSeq: '1 ACK' });
  }

  async #await<T>(find: () => T | undefined, what: string): Promise<T> {
    const end = Date.now() + waitMilliseconds;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`did not come: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, end - Date.now() + 1);
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }
}

function addAll(message: SipMessage, headers: Readonly<Record<string, string>>): SipMessage {
  for (const [name, value] of Object.entries(headers)) message.headers.add(name, value);
  return message;
}

function keyOf({ headers }: SipMessage): string {
  return `${headers.get('Call-ID') ?? ''} ${headers.get('CSeq') ?? ''}`;
}
