import { isAtLeastAsProtected } from '../../../src/engine/sip/flows/flow-protection.ts';
import { Events } from '../../../src/base/events.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { explode, listed } from './memory-list-service.ts';
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
  /** The device of an identity, the newest where there are several. */
  readonly agents = new Map<string, MemoryUserAgent>();
  /** All devices of an identity: a request to it reaches each. */
  readonly devices = new Map<string, MemoryUserAgent[]>();
  /** What one device sends is copied to the sender's others. */
  copySentMessages = false;
  /** URI of the list service, where the network has one (RFC 5365). */
  listService: string | undefined;
  readonly messages: { from: string; message: OutgoingMessage }[] = [];
  readonly invites: { from: string; offer: string }[] = [];
  changeOffer: (sdp: string) => string = (sdp) => sdp;
  changeAnswer: (sdp: string) => string = (sdp) => sdp;
  changeMessage: (message: OutgoingMessage) => OutgoingMessage = (message) => message;
  assertedIdentity: (from: string) => string | undefined = (from) => from;
  fault: 'none' | 'silent' | 'lost' = 'none';
  /** What the network answers by itself; undefined lets the message go on. */
  answers: (message: OutgoingMessage) => SipReply | undefined = () => undefined;

  /** @param beside the devices of this identity that are there, instead of in their place */
  agent(identity: string, flow: FlowFacts = protectedFlow, beside = false): MemoryUserAgent {
    const agent = new MemoryUserAgent(this, identity, flow);
    this.agents.set(identity, agent);
    this.devices.set(identity, [...(beside ? (this.devices.get(identity) ?? []) : []), agent]);
    return agent;
  }

  /** It is not reached any more. */
  remove(agent: MemoryUserAgent): void {
    const left = (this.devices.get(agent.identity) ?? []).filter((device) => device !== agent);
    this.devices.set(agent.identity, left);
    const newest = left.at(-1);
    if (newest === undefined) this.agents.delete(agent.identity);
    else this.agents.set(agent.identity, newest);
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

  publish(): never {
    throw new Error('there is nobody to publish to here');
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

  async sendMessage(message: OutgoingMessage): Promise<SipReply> {
    if (message.judgedBy?.tls !== undefined && !isAtLeastAsProtected(this.flow, message.judgedBy)) {
      return { ...reply(503, 'Flow Changed', 'connection-lost'), unsent: true };
    }
    this.#network.messages.push({ from: this.identity, message });
    if (this.#network.fault === 'silent') return new Promise(() => undefined);
    if (this.#network.fault === 'lost') return reply(503, 'Service Unavailable', 'connection-lost');
    const given = this.#network.answers(message);
    if (given !== undefined) return given;
    const changed = this.#network.changeMessage(message);
    const answer = await this.#forward(changed);
    const others = this.#network.devices.get(this.identity)?.filter((device) => device !== this) ?? [];
    if (this.#network.copySentMessages) {
      await Promise.all(others.map((device) => device.receiveMessage(this.identity, changed, changed.to)));
    }
    return answer;
  }

  async #forward(message: OutgoingMessage): Promise<SipReply> {
    if (message.to === this.#network.listService) {
      const copies = explode(message);
      if (copies === undefined) return reply(400, 'Bad Request');
      await Promise.all(copies.map((copy) => this.#fork(copy.to, copy.message)));
      return reply(listed.status, listed.reason);
    }
    if (message.headers?.['Require'] !== undefined) return reply(420, 'Bad Extension');
    return this.#fork(message.to, message);
  }

  /** To all devices of an identity; the best answer counts. */
  async #fork(to: string, message: OutgoingMessage): Promise<SipReply> {
    const callees = this.#network.devices.get(to) ?? [];
    if (callees.length === 0) return reply(404, 'Not Found');
    const answers = await Promise.all(callees.map((device) => device.receiveMessage(this.identity, message)));
    return answers.reduce((best, one) => (one.status < best.status ? one : best));
  }

  receiveMessage(from: string, message: OutgoingMessage, to = this.identity): Promise<SipReply> {
    return new Promise((resolve) => {
      const asserted = this.#network.assertedIdentity(from);
      const incoming: IncomingMessage = {
        from,
        to,
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
      await negotiator.acceptAnswer(this.#network.changeAnswer(answered.sdp), this.flow);
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
        flow: this.flow,
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

/** @param named header fields, such as Retry-After */
export function reply(
  status: number,
  reason = '',
  local?: 'timeout' | 'connection-lost',
  named: Readonly<Record<string, string>> = {},
): SipReply {
  const headers = { get: (name: string) => named[name] } as unknown as SipReply['headers'];
  return { status, reason, headers, body: new Uint8Array(), ...(local === undefined ? {} : { local }) };
}
