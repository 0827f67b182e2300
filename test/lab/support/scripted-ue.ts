import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { utf8 } from '../../../src/base/bytes.ts';
import { randomId } from '../../../src/base/random.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { Lab } from '../../../src/lab/lab.ts';
import { formatNameAddress, parseNameAddress, parseSipUri } from '../../../src/protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, SipMessage } from '../../../src/protocol/sip/message.ts';
import type { SipProtocol } from '../../../src/engine/ports.ts';
import { openUeWire, type UeWire } from './ue-wire.ts';

export interface RegisterOptions {
  readonly algorithm?: 'SHA-256' | 'MD5' | 'MD5-sess' | 'SHA-512-256';
  readonly qop?: 'auth' | 'auth-int';
  /** Registers one flow of a device (RFC 5626). */
  readonly outbound?: { readonly instance: string; readonly regId: number };
  /** More headers of both requests. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Security-Client entries; none leaves sec-agree out. */
  readonly securityClient?: readonly string[];
  readonly password?: string;
  readonly expires?: number;
  /** Overrides what mirrors Security-Server. */
  readonly securityVerify?: readonly string[];
}

/** What a UE must know of a lab, in this process or in another one. */
export type ReachableLab = Pick<Lab, 'edges' | 'caPem' | 'domain' | 'ueConfig'>;

type Match = (message: SipMessage) => boolean;

const waitMilliseconds = 25_000;

/** A UE without any logic of its own: every message of it is written by the test. */
export class ScriptedUe {
  readonly name: string;
  readonly identity: string;
  readonly contact: string;
  readonly received: SipMessage[] = [];
  /** Of TCP and TLS. */
  readonly socket: Socket;
  readonly wire: UeWire;
  isClosed = false;
  readonly #lab: ReachableLab;
  readonly #transport: SipProtocol;
  readonly #waiting = new Set<() => void>();
  /** Given to `expect` once. */
  readonly #taken = new Set<SipMessage>();
  #securityVerify: readonly string[] = [];
  #cseq = 0;

  /** @param edge number of the edge, from 0. */
  static async connect(lab: ReachableLab, name: string, transport: SipProtocol = 'tls', edge = 0): Promise<ScriptedUe> {
    return new ScriptedUe(lab, name, transport, await openUeWire(lab, transport, edge));
  }

  private constructor(lab: ReachableLab, name: string, transport: SipProtocol, wire: UeWire) {
    this.#lab = lab;
    this.name = name;
    this.#transport = transport;
    this.wire = wire;
    this.socket = wire.socket as Socket;
    this.identity = `sip:${name}@lab.test`;
    this.contact = `sip:${randomId(secureRandom, 4)}@127.0.0.1:${wire.localPort};transport=${transport}`;
    wire.onMessage((bytes) => {
      // STUN, and the pong of a WebSocket, are for the test alone.
      if ((bytes[0] ?? 0) >= 0x41) this.received.push(parseSipMessage(bytes));
      this.#wake();
    });
    wire.onClose(() => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** REGISTER, the challenge, REGISTER; the last answer. */
  async register(options: RegisterOptions = {}): Promise<SipMessage> {
    const first = this.#registerRequest(options);
    this.send(first);
    const challenge = await this.response(first);
    if (challenge.status !== 401) return challenge;
    this.#securityVerify = options.securityVerify ?? challenge.headers.getAll('Security-Server');
    const second = this.#registerRequest(options);
    second.headers.set('Call-ID', first.headers.get('Call-ID') ?? '');
    second.headers.add('Authorization', this.#authorization(challenge, options));
    this.send(second);
    return this.response(second);
  }

  /** A request outside a session, not yet sent. */
  request(method: string, uri: string, body?: { readonly type: string; readonly text: string }): SipMessage {
    const request = SipMessage.request(method, uri);
    request.headers
      .add('Via', this.via())
      .add('Max-Forwards', '70')
      .add('From', `<${this.identity}>;tag=${randomId(secureRandom, 4)}`)
      .add('To', `<${uri}>`)
      .add('Call-ID', randomId(secureRandom))
      .add('CSeq', `${++this.#cseq} ${method}`)
      .add('Contact', `<${this.contact}>`);
    this.#addSecurity(request);
    if (body !== undefined) {
      request.headers.add('Content-Type', body.type);
      request.body = utf8(body.text);
    }
    return request;
  }

  /** A request inside the session that `invite` and its 200 started, by the caller or the callee. */
  inSession(method: string, invite: SipMessage, ok: SipMessage, role: 'caller' | 'callee'): SipMessage {
    const peer = role === 'caller' ? ok : invite;
    const request = SipMessage.request(method, parseNameAddress(peer.headers.get('Contact') ?? '').uri);
    const routes = peer.headers.getAll('Record-Route');
    request.headers.add('Via', this.via()).add('Max-Forwards', '70');
    for (const route of role === 'caller' ? routes.toReversed() : routes) request.headers.add('Route', route);
    const [from, to] = role === 'caller' ? ['From', 'To'] : ['To', 'From'];
    request.headers
      .add('From', ok.headers.get(from) ?? '')
      .add('To', ok.headers.get(to) ?? '')
      .add('Call-ID', ok.headers.get('Call-ID') ?? '')
      .add('CSeq', `${method === 'ACK' ? parseInt(ok.headers.get('CSeq') ?? '') : ++this.#cseq + 100} ${method}`);
    this.#addSecurity(request);
    return request;
  }

  send(message: SipMessage): void {
    this.wire.send(serialiseSipMessage(message));
  }

  /** Sends and waits for the final response. */
  async ask(request: SipMessage): Promise<SipMessage> {
    this.send(request);
    return this.response(request);
  }

  response(request: SipMessage): Promise<SipMessage> {
    const key = (message: SipMessage): string =>
      `${message.headers.get('Call-ID') ?? ''} ${message.headers.get('CSeq') ?? ''}`;
    return this.expect((message) => (message.status ?? 0) >= 200 && key(message) === key(request));
  }

  /** The next request of that method that was not yet taken. */
  incoming(method: string): Promise<SipMessage> {
    return this.expect((message) => message.method === method);
  }

  reply(request: SipMessage, status: number, body?: { readonly type: string; readonly text: string }): SipMessage {
    const reply = this.answer(request, status, body);
    this.send(reply);
    return reply;
  }

  /** A response, not yet sent. */
  answer(request: SipMessage, status: number, body?: { readonly type: string; readonly text: string }): SipMessage {
    const reply = SipMessage.response(status, 'Scripted');
    for (const name of ['Via', 'Record-Route', 'From', 'Call-ID', 'CSeq']) {
      for (const value of request.headers.getAll(name)) reply.headers.add(name, value);
    }
    const to = parseNameAddress(request.headers.get('To') ?? '');
    if (!to.parameters.has('tag')) to.parameters.set('tag', `${this.name}${randomId(secureRandom, 2)}`);
    reply.headers.add('To', formatNameAddress(to)).add('Contact', `<${this.contact}>`);
    if (body !== undefined) {
      reply.headers.add('Content-Type', body.type);
      reply.body = utf8(body.text);
    }
    return reply;
  }

  async expect(match: Match): Promise<SipMessage> {
    const deadline = Date.now() + waitMilliseconds;
    for (;;) {
      const found = this.received.find((message) => !this.#taken.has(message) && match(message));
      if (found !== undefined) {
        this.#taken.add(found);
        return found;
      }
      if (this.isClosed) throw new Error(`${this.name}: connection closed`);
      if (Date.now() >= deadline) throw new Error(`${this.name}: nothing matching came`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(deadline - Date.now(), 1));
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  via(): string {
    const branch = `z9hG4bK${randomId(secureRandom)}`;
    return `SIP/2.0/${this.#transport.toUpperCase()} 127.0.0.1:${this.wire.localPort};branch=${branch};rport`;
  }

  close(): void {
    if (!this.isClosed) this.wire.close();
  }

  #registerRequest(options: RegisterOptions): SipMessage {
    const { securityClient = [], expires = 600, outbound, headers = {} } = options;
    const request = this.request('REGISTER', `sip:${this.#lab.domain}`);
    if (outbound !== undefined) {
      const device = `+sip.instance="<${outbound.instance}>";reg-id=${outbound.regId}`;
      request.headers.set('Contact', `<${this.contact};ob>;${device}`).add('Supported', 'path, outbound, gruu');
    }
    for (const [name, value] of Object.entries(headers)) request.headers.add(name, value);
    request.headers.set('To', `<${this.identity}>`).add('Expires', String(expires));
    for (const mechanism of securityClient) request.headers.add('Security-Client', mechanism);
    if (securityClient.length > 0 && !request.headers.has('Require')) request.headers.add('Require', 'sec-agree');
    return request;
  }

  #addSecurity(request: SipMessage): void {
    for (const mechanism of this.#securityVerify) request.headers.add('Security-Verify', mechanism);
    if (this.#securityVerify.length > 0) {
      request.headers.add('Require', 'sec-agree').add('Proxy-Require', 'sec-agree');
    }
  }

  #authorization(challenge: SipMessage, options: RegisterOptions): string {
    const { algorithm = 'SHA-256', qop = 'auth', password } = options;
    const offered = challenge.headers
      .getAll('WWW-Authenticate')
      .find((value) => value.includes(`algorithm=${algorithm},`));
    const nonce = /nonce="([^"]+)"/.exec(offered ?? '')?.[1] ?? '';
    const config = this.#lab.ueConfig(this.name);
    const hash = (text: string): string =>
      createHash(
        algorithm.startsWith('MD5') ? 'md5' : algorithm.toLowerCase().replaceAll('-', '').replace('512', '512-'),
      )
        .update(text)
        .digest('hex');
    const uri = `sip:${this.#lab.domain}`;
    const base = hash(`${config.privateIdentity}:lab.test:${password ?? config.password}`);
    const a1 = algorithm === 'MD5-sess' ? hash(`${base}:${nonce}:abc`) : base;
    const a2 = hash(qop === 'auth' ? `REGISTER:${uri}` : `REGISTER:${uri}:${hash('')}`);
    const response = hash(`${a1}:${nonce}:00000001:abc:${qop}:${a2}`);
    return (
      `Digest username="${config.privateIdentity}", realm="lab.test", nonce="${nonce}", uri="${uri}", ` +
      `response="${response}", algorithm=${algorithm}, cnonce="abc", qop=${qop}, nc=00000001`
    );
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** The user part of an address header. */
export function userOf(value: string | undefined): string | undefined {
  return parseSipUri(parseNameAddress(value ?? '').uri).user;
}
