import { Events } from '../../../src/base/events.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import type {
  FlowFacts,
  FlowStatus,
  IncomingInvite,
  IncomingMessage,
  InviteOutcome,
  MessageAnswer,
  OutgoingInvite,
  OutgoingMessage,
  RegistrationState,
  RejectAnswer,
  RelatedPart,
  SdpNegotiator,
  SipReply,
  SipSession,
  SipUserAgent,
  SipUserAgentEvents,
} from '../../../src/engine/sip/index.ts';

export const protectedFlow: FlowFacts = {
  protocol: 'tls',
  tls: { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' },
  securityAgreement: {
    client: ['tls', 'msrp-tls;mediasec'],
    server: ['tls;q=0.2', 'msrp-tls;mediasec'],
    tls: true,
    msrpTls: true,
  },
};
export const flows = {
  protected: protectedFlow,
  withoutEdgeMedia: {
    ...protectedFlow,
    securityAgreement: { client: ['tls', 'msrp-tls;mediasec'], server: ['tls;q=0.2'], tls: true, msrpTls: false },
  },
  withoutAgreement: { protocol: 'tls', tls: { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' } },
  clear: { protocol: 'tcp' },
} as const satisfies Record<string, FlowFacts>;

/** Answers of a network that hands everything on; the hooks are what an attacker or an IMS-ALG would change. */
export class MemorySipNetwork {
  readonly agents = new Map<string, MemoryUserAgent>();
  readonly messages: { from: string; message: OutgoingMessage }[] = [];
  readonly invites: { from: string; offer: string }[] = [];
  changeOffer: (sdp: string) => string = (sdp) => sdp;
  changeAnswer: (sdp: string) => string = (sdp) => sdp;
  changeMessage: (message: OutgoingMessage) => OutgoingMessage = (message) => message;
  assertedIdentity: (from: string) => string | undefined = (from) => from;
  fault: 'none' | 'silent' | 'lost' = 'none';

  agent(identity: string, flow: FlowFacts = protectedFlow): MemoryUserAgent {
    const agent = new MemoryUserAgent(this, identity, flow);
    this.agents.set(identity, agent);
    return agent;
  }
}

export class MemoryUserAgent implements SipUserAgent {
  readonly events = new Events<SipUserAgentEvents>((error) => {
    throw error;
  });
  readonly identity: string;
  readonly sessions: MemorySession[] = [];
  flow: FlowFacts | undefined;
  registration: RegistrationState = { state: 'unregistered' };
  readonly ownDevices = [];
  /** False: answers INVITEs with more than an SDP by 415. */
  takesMultipart = true;
  readonly #network: MemorySipNetwork;

  constructor(network: MemorySipNetwork, identity: string, flow: FlowFacts) {
    this.#network = network;
    this.identity = identity;
    this.flow = flow;
  }

  get flows(): readonly FlowStatus[] {
    return [{ regId: 1, registration: this.registration, ...(this.flow === undefined ? {} : { flow: this.flow }) }];
  }

  subscribe(): never {
    throw new Error('there is nothing to subscribe to here');
  }

  async start(): Promise<void> {
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.end('stopped')));
    await this.unregister();
  }

  async register(): Promise<RegistrationState> {
    await Promise.resolve();
    return this.#become({ state: 'registered', expires: 3600, associatedIdentities: [this.identity] });
  }

  async unregister(): Promise<RegistrationState> {
    await Promise.resolve();
    return this.#become({ state: 'unregistered' });
  }

  sendMessage(message: OutgoingMessage): Promise<SipReply> {
    this.#network.messages.push({ from: this.identity, message });
    if (this.#network.fault === 'silent') return new Promise(() => undefined);
    if (this.#network.fault === 'lost') {
      return Promise.resolve(reply(503, 'Service Unavailable', 'connection-lost'));
    }
    const changed = this.#network.changeMessage(message);
    const callee = this.#network.agents.get(message.to);
    if (callee === undefined) return Promise.resolve(reply(404, 'Not Found'));
    return callee.receiveMessage(this.identity, changed);
  }

  receiveMessage(from: string, message: OutgoingMessage): Promise<SipReply> {
    return new Promise((resolve) => {
      const asserted = this.#network.assertedIdentity(from);
      const incoming: IncomingMessage = {
        from,
        to: this.identity,
        ...(asserted === undefined ? {} : { assertedIdentity: asserted }),
        callId: 'memory',
        flow: this.flow,
        contentType: message.contentType,
        body: message.body,
        header: () => undefined,
        onRegisteredFlow: true,
        respond: (status: number, answer: MessageAnswer = {}) => resolve(reply(status, answer.reason ?? `${status}`)),
      };
      this.events.emit('message', incoming);
    });
  }

  async invite({ to, negotiator, related = [] }: OutgoingInvite): Promise<InviteOutcome> {
    const offer = await negotiator.createOffer();
    this.#network.invites.push({ from: this.identity, offer });
    if (this.#network.fault === 'silent') return new Promise(() => undefined);
    if (this.#network.fault === 'lost') return { outcome: 'failed', error: new Error('connection lost') };
    const callee = this.#network.agents.get(to);
    if (callee === undefined) return { outcome: 'rejected', status: 404, reason: 'Not Found' };
    if (related.length > 0 && !callee.takesMultipart) {
      return { outcome: 'rejected', status: 415, reason: 'Unsupported Media Type' };
    }
    const answered = await callee.receiveInvite(this.identity, this.#network.changeOffer(offer), related);
    if ('status' in answered) {
      const { status, answer } = answered;
      return {
        outcome: 'rejected',
        status,
        reason: answer.reason ?? `${status}`,
        ...(answer.warning === undefined ? {} : { warning: answer.warning }),
        ...(typeof answer.body === 'string' ? { contentType: answer.contentType ?? '', body: utf8(answer.body) } : {}),
      };
    }
    const session = new MemorySession(to);
    session.other = answered.session;
    answered.session.other = session;
    this.sessions.push(session);
    try {
      await negotiator.acceptAnswer(this.#network.changeAnswer(answered.sdp));
    } catch (error) {
      await session.end('answer refused');
      return { outcome: 'failed', error: error as Error };
    }
    return { outcome: 'established', session };
  }

  receiveInvite(
    from: string,
    offer: string,
    related: readonly RelatedPart[] = [],
  ): Promise<{ sdp: string; session: MemorySession } | { status: number; answer: RejectAnswer }> {
    return new Promise((resolve) => {
      const asserted = this.#network.assertedIdentity(from);
      const invite: IncomingInvite = {
        from,
        to: this.identity,
        ...(asserted === undefined ? {} : { assertedIdentity: asserted }),
        offer,
        related,
        onRegisteredFlow: true,
        header: () => undefined,
        accept: async (negotiator: SdpNegotiator): Promise<SipSession> => {
          const sdp = await negotiator.createAnswer(offer);
          const session = new MemorySession(from);
          this.sessions.push(session);
          resolve({ sdp, session });
          return session;
        },
        reject: (status, answer = {}) => resolve({ status, answer }),
        onCancelled: () => undefined,
      };
      this.events.emit('invite', invite);
    });
  }

  #become(state: RegistrationState): RegistrationState {
    this.registration = state;
    this.events.emit('registration', state);
    return state;
  }
}

let nextSession = 1;

export class MemorySession implements SipSession {
  readonly id = `dialog-${nextSession++}`;
  readonly remote: string;
  other: MemorySession | undefined;
  ended: string | undefined;
  readonly #listeners: ((why: string) => void)[] = [];

  constructor(remote: string) {
    this.remote = remote;
  }

  async end(reason = 'ended'): Promise<void> {
    if (this.ended !== undefined) return;
    this.ended = reason;
    for (const listener of this.#listeners) listener(reason);
    await this.other?.end('ended by the other side');
  }

  onEnded(listener: (why: string) => void): void {
    if (this.ended === undefined) this.#listeners.push(listener);
    else listener(this.ended);
  }
}

function reply(status: number, reason: string, local?: 'timeout' | 'connection-lost'): SipReply {
  const headers = { get: () => undefined } as unknown as SipReply['headers'];
  return { status, reason, headers, body: new Uint8Array(), ...(local === undefined ? {} : { local }) };
}
