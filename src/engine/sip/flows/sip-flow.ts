import { UserAgent, UserAgentState, type Core, type Invitation, type Message, type Session, type SessionDelegate } from 'sip.js';
import { describeError, ProtocolError } from '../../../base/errors.ts';
import { randomId } from '../../../base/random.ts';
import { profile } from '../../../protocol/profile.ts';
import { parseCSeq, splitHeaderList } from '../../../protocol/sip/headers.ts';
import type { SipHeaders, SipMessage } from '../../../protocol/sip/message.ts';
import type { EnginePorts, NetworkChange, SipHop, SipTarget } from '../../ports.ts';
import { headerLines } from '../answer-options.ts';
import { createSipJs, toUri, type SipJs } from '../create-sipjs.ts';
import { DigestAuthenticator } from '../digest-authenticator.ts';
import { IncomingInvites } from '../incoming-invites.ts';
import { IncomingMessages, maxMessageOctets } from '../incoming-messages.ts';
import type { InviteContext } from '../invite-context.ts';
import type { MsrpSessionDescriptionHandler } from '../msrp-session-description-handler.ts';
import { sendInvite } from '../outgoing-invite.ts';
import { Registration } from '../registration.ts';
import { SecurityAgreementState } from '../security-agreement.ts';
import { settleWithin } from '../settle-within.ts';
import { awaitReply } from '../sip-reply.ts';
import { SipSubscription } from '../subscription.ts';
import type {
  EventSubscription,
  FlowFacts,
  Gruus,
  IncomingInvite,
  IncomingMessage,
  InviteOutcome,
  OutgoingInvite,
  OutgoingMessage,
  OutgoingSubscription,
  RegistrationState,
  SipAccount,
  SipReply,
} from '../types.ts';
import { encodeBody, WireTranslation } from '../wire-translation.ts';
import type { FlowBackOff } from './flow-back-off.ts';
import type { HopChoice } from './hop-choice.ts';
import { localAddressTowards } from './local-address.ts';
import { readRegisteredContact } from './registered-contact.ts';
import { addRequestHeaders } from './request-headers.ts';

export interface SipFlowOptions {
  readonly ports: EnginePorts;
  readonly account: SipAccount;
  readonly regId: number;
  readonly target: SipTarget;
  readonly hops: HopChoice;
  readonly backOff: FlowBackOff;
  /** UUID of this device. */
  readonly instanceId: () => Promise<string>;
  readonly onState: (flow: SipFlow) => void;
  readonly onConnection: (flow: SipFlow, change: { readonly connected: boolean; readonly error?: string }) => void;
  readonly onMessage: (message: IncomingMessage, flow: SipFlow) => void;
  readonly onInvite: (invite: IncomingInvite, flow: SipFlow) => void;
}

const defaultExpiresSeconds = 3600;
const stopMilliseconds = 4_000;
/** Option tags that a request to us may require (RFC 3261 clause 8.2.2.3); the first two are the network's to remove. */
const understood: readonly string[] = ['sec-agree', 'mediasec', 'path', 'outbound', 'gruu'];

/** One flow of an account (RFC 5626): a connection to one server at a time, with a registration of its own. */
export class SipFlow {
  readonly regId: number;
  readonly #options: SipFlowOptions;
  readonly #sipJs: SipJs;
  readonly #authenticator: DigestAuthenticator;
  readonly #security: SecurityAgreementState;
  readonly #registration: Registration;
  readonly #messages: IncomingMessages;
  readonly #invites: IncomingInvites;
  readonly #inviteContext: InviteContext;
  readonly #registrar: ReturnType<typeof toUri>;
  readonly #registerCallId: string;
  readonly #contactUser: string;
  /** What to tell once some of the request with this Call-ID may have left. */
  readonly #leaving = new Map<string, () => void>();
  #registerSequence = 0;
  #asksForOutbound = true;
  #isOutbound = false;
  #gruu: Gruus | undefined;
  #connecting: Promise<void> | undefined;
  #isStopping = false;

  constructor(options: SipFlowOptions) {
    const { ports, account, regId, hops, backOff } = options;
    const { log, clock, random } = ports;
    this.#options = options;
    this.regId = regId;
    this.#authenticator = new DigestAuthenticator(account, ports);
    this.#registrar = toUri(`sip:${account.domain}`, 'sip.domain');
    this.#registerCallId = randomId(random, 16);
    this.#contactUser = randomId(random, 8);
    const handlers = new WeakMap<Session, MsrpSessionDescriptionHandler>();
    const sipJs = this.#createSipJs(handlers);
    this.#sipJs = sipJs;
    this.#security = new SecurityAgreementState({
      get overTls() {
        return sipJs.transport.connection?.tls !== undefined;
      },
      mediasecOptionTag: account.mediasecOptionTag ?? profile.accountDefaults.mediasecOptionTag,
    });
    this.#messages = new IncomingMessages(ports, (message) => options.onMessage(message, this));
    this.#inviteContext = {
      ports,
      handlers,
      sessions: new Set(),
      pending: new Set(),
      createDelegate: () => this.#createSessionDelegate(),
    };
    this.#invites = new IncomingInvites(this.#inviteContext, (invite) => options.onInvite(invite, this));
    this.#registration = new Registration({
      clock,
      log,
      backOff,
      expiresSeconds: account.expiresSeconds ?? defaultExpiresSeconds,
      contactUser: this.#contactUser,
      connect: () => this.connect(),
      isConnected: () => this.isConnected,
      send: (expires) => this.#sendRegister(expires),
      security: this.#security,
      authentication: this.#authenticator,
      useServiceRoute: (route) => (sipJs.core.configuration.routeSet = [...route]),
      moveOn: () => this.#moveOn(hops),
      dropOutbound: () => {
        const didAsk = this.#asksForOutbound;
        this.#asksForOutbound = false;
        return didAsk;
      },
      onGranted: (headers) => this.#learn(headers, hops),
      onState: () => options.onState(this),
    });
  }

  get registration(): RegistrationState {
    return this.#registration.state;
  }

  get isRegistered(): boolean {
    return this.#registration.state.state === 'registered';
  }

  get isConnected(): boolean {
    return this.#sipJs.transport.isConnected();
  }

  /** The network keeps this flow; known since it registered us. */
  get isOutbound(): boolean {
    return this.#isOutbound;
  }

  /** Registration is kept up, or tried again. */
  get isWanted(): boolean {
    return this.#registration.isWanted;
  }

  /** Where it leads, while connected. */
  get hop(): SipHop | undefined {
    return this.isConnected ? this.#options.hops.current : undefined;
  }

  get gruu(): Gruus | undefined {
    return this.isRegistered ? this.#gruu : undefined;
  }

  get facts(): FlowFacts | undefined {
    const connection = this.#sipJs.transport.connection;
    if (connection === undefined) return undefined;
    const { protocol, tls, localAddress } = connection;
    const agreement = this.isRegistered ? this.#security.agreement : undefined;
    return {
      protocol,
      localAddress,
      ...(tls === undefined ? {} : { tls }),
      ...(agreement === undefined ? {} : { securityAgreement: agreement }),
    };
  }

  connect(): Promise<void> {
    const { transport, userAgent } = this.#sipJs;
    if (transport.isConnected()) return Promise.resolve();
    const isStopped = userAgent.state === UserAgentState.Stopped;
    this.#connecting ??= (isStopped ? userAgent.start() : userAgent.reconnect()).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** As `SipUserAgent.stop`. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#registration.stop();
    this.#messages.stop();
    this.#invites.stop();
    const { transport, userAgent } = this.#sipJs;
    const { clock, log } = this.#options.ports;
    for (const giveUp of this.#inviteContext.pending) giveUp();
    const ends = [...this.#inviteContext.sessions].map((session) => session.end('the user agent stops'));
    await settleWithin(clock, stopMilliseconds, Promise.all([...ends, this.#registration.unregister()]));
    try {
      // First the connection, which answers what is still open; then the transactions with their timers.
      await transport.disconnect();
      await userAgent.stop();
    } catch (error) {
      log.log('warn', 'sip.stop', { reason: describeError(error) });
    }
    this.#isStopping = false;
  }

  register(): Promise<RegistrationState> {
    return this.#registration.register();
  }

  unregister(): Promise<RegistrationState> {
    return this.#registration.unregister();
  }

  /** The connections of this machine may be worthless: finds out at once, instead of with the next keep-alive. */
  async networkChanged(change: NetworkChange): Promise<void> {
    this.#registration.retryNow();
    const { transport } = this.#sipJs;
    const { connection, link } = transport;
    const hop = this.hop;
    if (connection === undefined || link === undefined || hop === undefined) return;
    link.check();
    if (change.kind === 'woke') {
      this.#registration.renewNow();
      return;
    }
    const address = await localAddressTowards(this.#options.ports.sip, hop);
    // Another connection may stand meanwhile.
    if (address === undefined || address === connection.localAddress || transport.link !== link) return;
    transport.abandon(new Error('our address is not in use any more'));
    this.#registration.retryNow();
  }

  async sendMessage({ to, contentType, body, headers = {} }: OutgoingMessage): Promise<SipReply> {
    if (body.length > maxMessageOctets) {
      throw new ProtocolError('local', 'too large for a SIP MESSAGE', {
        field: 'sip.body',
        expected: `at most ${maxMessageOctets} octets`,
        hint: { sip: 413 },
      });
    }
    const uri = toUri(to, 'sip.to');
    const lines = headerLines({ ...headers, 'Content-Type': contentType }).slice(0, -1);
    const { core } = this.#sipJs;
    const content = { contentDisposition: 'render', contentType, content: encodeBody(body) };
    const callId = this.#newCallId();
    const aor = core.configuration.aor;
    const request = core.makeOutgoingRequestMessage('MESSAGE', uri, aor, uri, { callId }, lines, content);
    let hasLeft = false;
    this.#leaving.set(callId, () => (hasLeft = true));
    try {
      const reply = await awaitReply(this.#options.ports.clock, (delegate) => core.message(request, delegate));
      const isUnsent = reply.local === 'not-sent' || (reply.local !== undefined && !hasLeft);
      return isUnsent ? { ...reply, unsent: true } : reply;
    } finally {
      this.#leaving.delete(callId);
    }
  }

  async invite(invite: OutgoingInvite): Promise<InviteOutcome> {
    try {
      const target = { userAgent: this.#sipJs.userAgent, uri: toUri(invite.to, 'sip.to'), callId: this.#newCallId() };
      return await sendInvite(this.#inviteContext, target, invite);
    } catch (error) {
      return { outcome: 'failed', error: error instanceof Error ? error : new Error(describeError(error)) };
    }
  }

  subscribe(subscription: OutgoingSubscription): EventSubscription {
    const uri = toUri(subscription.to, 'sip.to');
    return new SipSubscription(this.#sipJs.userAgent, uri, subscription, this.#options.ports.log);
  }

  #createSipJs(handlers: WeakMap<Session, MsrpSessionDescriptionHandler>): SipJs {
    const { ports, account, hops, target } = this.#options;
    return createSipJs({
      account,
      random: ports.random,
      contactUser: this.#contactUser,
      handlers,
      transport: {
        ports,
        connect: () => hops.connect(),
        usualProtocol: target.protocol ?? 'tls',
        translation: new WireTranslation(ports.random.bytes(32)),
        secure: (request) => this.#secure(request),
        onLeaving: ({ headers }) => this.#leaving.get(headers.get('Call-ID') ?? '')?.(),
        inspect: (message, isAwaited) => this.#inspect(message, isAwaited),
      },
      createAuthentication: (loggerFactory) => this.#authenticator.createAuthentication(loggerFactory),
      delegate: {
        onConnect: () => this.#onConnect(),
        onDisconnect: (error) => this.#onDisconnect(error),
        onMessage: (message) => this.#onMessage(message),
        onInvite: (invitation) => this.#onInvite(invitation),
      },
    });
  }

  #secure(request: SipMessage): void {
    addRequestHeaders(request, this.#options.account, this.#sipJs.transport.connection?.tls !== undefined);
    this.#security.secure(request);
  }

  #onConnect(): void {
    const { transport, userAgent } = this.#sipJs;
    userAgent.contact.uri.setParam('transport', contactTransport(transport.protocol.toLowerCase()));
    this.#security.reset();
    this.#options.onConnection(this, { connected: true });
  }

  #onDisconnect(error: Error | undefined): void {
    const reason = error === undefined ? undefined : describeError(error);
    const { transport } = this.#sipJs;
    // RFC 5626 clause 4.5: only then was the flow successful, and its failures are counted from nothing.
    if (this.isRegistered && !transport.endedUndecided) this.#options.backOff.reset();
    this.#options.onConnection(this, { connected: false, ...(reason === undefined ? {} : { error: reason }) });
    this.#registration.connectionLost(
      `The connection to the server broke${reason === undefined ? '' : ` (${reason})`}.`,
    );
  }

  #inspect(message: SipMessage, isAwaited: boolean): void {
    const { status, headers } = message;
    if (status === undefined) return;
    // Others than the registrar answer our requests too, and may call their answer one to a REGISTER.
    const isRegister = isAwaited && parseCSeq(headers.get('CSeq') ?? '').method === 'REGISTER';
    if (isRegister) this.#security.learn(headers);
    if (isRegister && status === 200) this.#authenticator.learnNextNonce(message);
    if (isRegister && this.#security.failure !== undefined) {
      // Without a challenge SIP.js does not answer: no credentials for a server that agrees on nothing.
      headers.remove('WWW-Authenticate').remove('Proxy-Authenticate');
    }
    this.#authenticator.hideChallenges(message, isRegister);
  }

  async #sendRegister(expires: number): Promise<SipReply> {
    const instanceId = await this.#options.instanceId();
    const { core, userAgent } = this.#sipJs;
    const contact = userAgent.contact.toString({ register: true });
    const regId = this.#asksForOutbound ? `;reg-id=${this.regId}` : '';
    const lines = [
      `Contact: ${contact};+sip.instance="<urn:uuid:${instanceId}>"${regId};expires=${expires}`,
      `Expires: ${expires}`,
    ];
    const options = { callId: this.#registerCallId, cseq: ++this.#registerSequence, routeSet: [] };
    const aor = core.configuration.aor;
    const request = core.makeOutgoingRequestMessage('REGISTER', this.#registrar, aor, aor, options, lines);
    const authorization = this.#authenticator.registerAuthorization('REGISTER', request.ruri.toRaw());
    request.setHeader('authorization', authorization);
    const reply = await awaitReply(this.#options.ports.clock, (delegate) => core.register(request, delegate));
    // SIP.js counts on when it answers a challenge.
    this.#registerSequence = Math.max(this.#registerSequence, request.cseq);
    return reply;
  }

  #learn(headers: SipHeaders, hops: HopChoice): void {
    const { isOutbound, flowTimer, gruu } = readRegisteredContact(headers, this.#contactUser);
    const { transport, userAgent } = this.#sipJs;
    this.#isOutbound = isOutbound && this.#asksForOutbound;
    this.#gruu = gruu;
    // Of dialogs (RFC 5627 clause 3.3); a MESSAGE carries none (RFC 3428 clause 4).
    userAgent.contact.pubGruu = gruu?.public === undefined ? undefined : UserAgent.makeURI(gruu.public);
    hops.succeeded();
    if (!this.#isOutbound) return;
    if (flowTimer !== undefined) transport.link?.useFlowTimer(flowTimer);
    transport.link?.check();
  }

  async #moveOn(hops: HopChoice): Promise<boolean> {
    const isLeft = hops.giveUpCurrent();
    await this.#sipJs.transport.disconnect();
    return isLeft;
  }

  #onMessage(message: Message): void {
    const unsupported = this.#unsupported(message.request);
    if (unsupported.length === 0) this.#messages.receive(message, this.isRegistered, this.facts);
    else void message.reject(badExtension(unsupported));
  }

  #onInvite(invitation: Invitation): void {
    const unsupported = this.#unsupported(invitation.request);
    if (unsupported.length > 0) {
      void invitation.reject(badExtension(unsupported));
      return;
    }
    this.#invites.receive(invitation, this.isRegistered);
  }

  #unsupported(request: Core.IncomingRequestMessage): string[] {
    const required = request.getHeaders('require').flatMap(splitHeaderList);
    return required.filter((tag) => !understood.includes(tag.toLowerCase()));
  }

  /** Inside a dialog SIP.js would follow a REFER by itself, wherever it leads. */
  #createSessionDelegate(): SessionDelegate {
    return {
      onMessage: (message) => this.#onMessage(message),
      onRefer: (referral) => void referral.reject({ statusCode: 603 }),
    };
  }

  #newCallId(): string {
    return randomId(this.#options.ports.random, 16);
  }
}

/** RFC 7118 clause 5.2: there is no `wss` in a URI. */
function contactTransport(protocol: string): string {
  return protocol === 'wss' ? 'ws' : protocol;
}

function badExtension(unsupported: readonly string[]): { statusCode: number; extraHeaders: string[] } {
  return { statusCode: 420, extraHeaders: [`Unsupported: ${unsupported.join(', ')}`] };
}
