import { UserAgentState, type Core, type Invitation, type Message, type Session, type SessionDelegate } from 'sip.js';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { Events } from '../../base/events.ts';
import { randomId } from '../../base/random.ts';
import { profile } from '../../protocol/profile.ts';
import { parseCSeq, splitHeaderList } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { EnginePorts } from '../ports.ts';
import { headerLines } from './answer-options.ts';
import { createSipJs, toUri, type SipJs } from './create-sipjs.ts';
import { DigestAuthenticator } from './digest-authenticator.ts';
import { IncomingInvites } from './incoming-invites.ts';
import { IncomingMessages, maxMessageOctets } from './incoming-messages.ts';
import type { InviteContext } from './invite-context.ts';
import type { MsrpSessionDescriptionHandler } from './msrp-session-description-handler.ts';
import { sendInvite } from './outgoing-invite.ts';
import { Registration } from './registration.ts';
import { RegistrationEvents } from './registration-events.ts';
import { asksForAgreement, SecurityAgreementState } from './security-agreement.ts';
import { SipSubscription } from './subscription.ts';
import { settleWithin } from './settle-within.ts';
import { awaitReply } from './sip-reply.ts';
import type {
  EventSubscription,
  FlowFacts,
  InviteOutcome,
  OutgoingInvite,
  OutgoingMessage,
  OutgoingSubscription,
  OwnDevice,
  RegistrationState,
  SipAccount,
  SipReply,
  SipUserAgent,
  SipUserAgentEvents,
} from './types.ts';
import { encodeBody, WireTranslation } from './wire-translation.ts';

export interface SipUserAgentOptions {
  readonly ports: EnginePorts;
  readonly account: SipAccount;
}

const defaultExpiresSeconds = 3600;
const stopMilliseconds = 4_000;
/** Option tags that a request to us may require (RFC 3261 clause 8.2.2.3); the first two are the network's to remove. */
const understood: readonly string[] = ['sec-agree', 'mediasec', 'path'];

/** @throws ProtocolError `local` when the account's addresses are no SIP URIs. */
export function createSipUserAgent(options: SipUserAgentOptions): SipUserAgent {
  return new SipJsUserAgent(options);
}

class SipJsUserAgent implements SipUserAgent {
  readonly events: Events<SipUserAgentEvents>;
  readonly #ports: EnginePorts;
  readonly #account: SipAccount;
  readonly #sipJs: SipJs;
  readonly #authenticator: DigestAuthenticator;
  readonly #security: SecurityAgreementState;
  readonly #registration: Registration;
  readonly #registrationEvents: RegistrationEvents;
  readonly #messages: IncomingMessages;
  readonly #invites: IncomingInvites;
  readonly #inviteContext: InviteContext;
  readonly #registrar: ReturnType<typeof toUri>;
  readonly #registerCallId: string;
  #registerSequence = 0;
  #connecting: Promise<void> | undefined;
  #isStopping = false;

  constructor({ ports, account }: SipUserAgentOptions) {
    const { log, clock, random } = ports;
    this.#ports = ports;
    this.#account = account;
    this.events = new Events((error) => log.log('error', 'sip.listener-failed', { reason: describeError(error) }));
    this.#authenticator = new DigestAuthenticator(account, ports);
    this.#security = new SecurityAgreementState({
      overTls: account.target.protocol === 'tls',
      mediasecOptionTag: account.mediasecOptionTag ?? profile.accountDefaults.mediasecOptionTag,
    });
    this.#registrar = toUri(`sip:${account.domain}`, 'sip.domain');
    this.#registerCallId = randomId(random, 16);
    const contactUser = randomId(random, 8);
    const handlers = new WeakMap<Session, MsrpSessionDescriptionHandler>();
    this.#sipJs = this.#createSipJs(contactUser, handlers);
    this.#messages = new IncomingMessages(ports, (message) => this.events.emit('message', message));
    this.#inviteContext = {
      ports,
      handlers,
      sessions: new Set(),
      pending: new Set(),
      createDelegate: () => this.#createSessionDelegate(),
    };
    this.#invites = new IncomingInvites(this.#inviteContext, (invite) => this.events.emit('invite', invite));
    this.#registration = new Registration({
      clock,
      log,
      random,
      expiresSeconds: account.expiresSeconds ?? defaultExpiresSeconds,
      contactUser,
      connect: () => this.#connect(),
      isConnected: () => this.#sipJs.transport.isConnected(),
      send: (expires) => this.#sendRegister(expires),
      security: this.#security,
      authentication: this.#authenticator,
      useServiceRoute: (route) => (this.#sipJs.core.configuration.routeSet = [...route]),
      onState: (state) => this.#onRegistration(state),
    });
    this.#registrationEvents = new RegistrationEvents({
      clock,
      log,
      identity: account.identity,
      isOwn: ({ uri, instanceId }) =>
        uri.toLowerCase().includes(`:${contactUser}@`) || instanceId === `urn:uuid:${this.#sipJs.userAgent.instanceId}`,
      subscribe: (subscription) => this.subscribe(subscription),
      onDecision: (decision) => this.#registration.decided(decision),
      onOwnDevices: (devices) => this.events.emit('ownDevices', devices),
    });
  }

  get registration(): RegistrationState {
    return this.#registration.state;
  }

  get ownDevices(): readonly OwnDevice[] {
    return this.#registrationEvents.ownDevices;
  }

  get flow(): FlowFacts | undefined {
    const connection = this.#sipJs.transport.connection;
    if (connection === undefined) return undefined;
    const { protocol, tls, localAddress } = connection;
    const agreement = this.#isRegistered() ? this.#security.agreement : undefined;
    return {
      protocol,
      localAddress,
      ...(tls === undefined ? {} : { tls }),
      ...(agreement === undefined ? {} : { securityAgreement: agreement }),
    };
  }

  start(): Promise<void> {
    return this.#connect();
  }

  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#registrationEvents.ended();
    this.#registration.stop();
    this.#messages.stop();
    this.#invites.stop();
    const { transport, userAgent } = this.#sipJs;
    for (const giveUp of this.#inviteContext.pending) giveUp();
    const ends = [...this.#inviteContext.sessions].map((session) => session.end('the user agent stops'));
    await settleWithin(this.#ports.clock, stopMilliseconds, Promise.all([...ends, this.#registration.unregister()]));
    try {
      // First the connection, which answers what is still open; then the transactions with their timers.
      await transport.disconnect();
      await userAgent.stop();
    } catch (error) {
      this.#ports.log.log('warn', 'sip.stop', { reason: describeError(error) });
    }
    this.#isStopping = false;
  }

  register(): Promise<RegistrationState> {
    return this.#registration.register();
  }

  unregister(): Promise<RegistrationState> {
    this.#registrationEvents.ended();
    return this.#registration.unregister();
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
    const options = { callId: this.#newCallId() };
    const aor = core.configuration.aor;
    const request = core.makeOutgoingRequestMessage('MESSAGE', uri, aor, uri, options, lines, content);
    return awaitReply(this.#ports.clock, (delegate) => core.message(request, delegate));
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
    return new SipSubscription(this.#sipJs.userAgent, uri, subscription, this.#ports.log);
  }

  #createSipJs(contactUser: string, handlers: WeakMap<Session, MsrpSessionDescriptionHandler>): SipJs {
    const { random } = this.#ports;
    return createSipJs({
      account: this.#account,
      random,
      contactUser,
      handlers,
      transport: {
        ports: this.#ports,
        target: this.#account.target,
        translation: new WireTranslation(random.bytes(32)),
        secure: (request) => {
          this.#security.secure(request);
          this.#authenticator.authorize(request);
        },
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

  #connect(): Promise<void> {
    const { transport, userAgent } = this.#sipJs;
    if (transport.isConnected()) return Promise.resolve();
    const isStopped = userAgent.state === UserAgentState.Stopped;
    this.#connecting ??= (isStopped ? userAgent.start() : userAgent.reconnect()).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  #onRegistration(state: RegistrationState): void {
    this.events.emit('registration', state);
    if (state.state !== 'registered') this.#registrationEvents.ended();
    else if (this.#account.registrationEvents !== false) this.#registrationEvents.registered();
  }

  #onConnect(): void {
    this.#security.reset();
    this.events.emit('flow', { connected: true });
  }

  #onDisconnect(error: Error | undefined): void {
    const reason = error === undefined ? undefined : describeError(error);
    this.events.emit('flow', { connected: false, ...(reason === undefined ? {} : { error: reason }) });
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
    // Anybody on the way can answer so: the registrar is asked, and only what it says counts.
    else if (isAwaited && asksForAgreement(message)) this.#registration.verify();
    if (isRegister && this.#security.failure !== undefined) {
      // Without a challenge SIP.js does not answer: no credentials for a server that agrees on nothing.
      headers.remove('WWW-Authenticate').remove('Proxy-Authenticate');
    }
    this.#authenticator.inspect(message, isRegister);
  }

  async #sendRegister(expires: number): Promise<SipReply> {
    const { core, userAgent } = this.#sipJs;
    const { contact, instanceId } = userAgent;
    const lines = [
      `Contact: ${contact.toString({ register: true })};+sip.instance="<urn:uuid:${instanceId}>";expires=${expires}`,
      `Expires: ${expires}`,
    ];
    const options = { callId: this.#registerCallId, cseq: ++this.#registerSequence, routeSet: [] };
    const aor = core.configuration.aor;
    const request = core.makeOutgoingRequestMessage('REGISTER', this.#registrar, aor, aor, options, lines);
    const reply = await awaitReply(this.#ports.clock, (delegate) => core.register(request, delegate));
    // SIP.js counts on when it answers a challenge.
    this.#registerSequence = Math.max(this.#registerSequence, request.cseq);
    return reply;
  }

  #onMessage(message: Message): void {
    const unsupported = this.#unsupported(message.request);
    if (unsupported.length === 0) this.#messages.receive(message, this.#isRegistered());
    else void message.reject(badExtension(unsupported));
  }

  #onInvite(invitation: Invitation): void {
    const unsupported = this.#unsupported(invitation.request);
    if (unsupported.length > 0) {
      void invitation.reject(badExtension(unsupported));
      return;
    }
    this.#invites.receive(invitation, this.#isRegistered());
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

  #isRegistered(): boolean {
    return this.#registration.state.state === 'registered';
  }

  #newCallId(): string {
    return randomId(this.#ports.random, 16);
  }
}

function badExtension(unsupported: readonly string[]): { statusCode: number; extraHeaders: string[] } {
  return { statusCode: 420, extraHeaders: [`Unsupported: ${unsupported.join(', ')}`] };
}
