import { UserAgentState, type Session } from 'sip.js';
import { describeError } from '../../../base/errors.ts';
import { randomId } from '../../../base/random.ts';
import { profile } from '../../../protocol/profile.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import type { NetworkChange, SipHop } from '../../ports.ts';
import { createSipJs, toUri, type SipJs } from '../create-sipjs.ts';
import { DigestAuthenticator } from '../digest-authenticator.ts';
import { IncomingInvites } from '../incoming-invites.ts';
import { IncomingMessages } from '../incoming-messages.ts';
import type { InviteContext } from '../invite-context.ts';
import type { MsrpSessionDescriptionHandler } from '../msrp-session-description-handler.ts';
import type { NetworkDecision } from '../network-decision.ts';
import { sendInvite } from '../outgoing-invite.ts';
import { Registration } from '../registration.ts';
import { SecurityAgreementState } from '../security-agreement.ts';
import { sendPublication } from '../publication.ts';
import { SipSubscription } from '../subscription.ts';
import type {
  EventSubscription,
  FlowFacts,
  Gruus,
  InviteOutcome,
  OutgoingInvite,
  OutgoingMessage,
  OutgoingPublication,
  OutgoingSubscription,
  RegistrationState,
  SipReply,
} from '../types.ts';
import { WireTranslation } from '../wire-translation.ts';
import { contactTransport, doubtConnection } from './addresses.ts';
import { inspectAnswer } from './answer-inspection.ts';
import { endFlow } from './end-flow.ts';
import { flowFacts } from './flow-facts.ts';
import { FlowGrant } from './flow-grant.ts';
import type { HopChoice } from './hop-choice.ts';
import { IncomingRequests } from './incoming-requests.ts';
import { OutgoingMessages } from './outgoing-messages.ts';
import { RegisterRequests } from './register-requests.ts';
import { addRequestHeaders } from './request-headers.ts';
import type { SipFlowOptions } from './sip-flow-options.ts';

const defaultExpiresSeconds = 3600;

/** One flow of an account (RFC 5626): a connection to one server at a time, with a registration of its own. */
export class SipFlow {
  readonly regId: number;
  readonly #options: SipFlowOptions<SipFlow>;
  readonly #sipJs: SipJs;
  readonly #authenticator: DigestAuthenticator;
  readonly #security: SecurityAgreementState;
  readonly #registration: Registration;
  readonly #incoming: IncomingRequests;
  readonly #outgoing: OutgoingMessages;
  readonly #requests: RegisterRequests;
  readonly #inviteContext: InviteContext;
  readonly #contactUser: string;
  readonly #grant: FlowGrant;
  #connecting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: SipFlowOptions<SipFlow>) {
    const { ports, account, regId } = options;
    const { clock, random } = ports;
    this.#options = options;
    this.regId = regId;
    this.#authenticator = new DigestAuthenticator(account, ports);
    this.#contactUser = randomId(random, 8);
    const handlers = new WeakMap<Session, MsrpSessionDescriptionHandler>();
    const sipJs = this.#createSipJs(handlers);
    this.#sipJs = sipJs;
    this.#grant = new FlowGrant(sipJs, this.#contactUser);
    this.#security = new SecurityAgreementState({
      get overTls() {
        return sipJs.transport.connection?.tls !== undefined;
      },
      mediasecOptionTag: account.mediasecOptionTag ?? profile.accountDefaults.mediasecOptionTag,
    });
    this.#requests = new RegisterRequests({
      clock,
      sipJs,
      domain: account.domain,
      regId,
      callId: randomId(random, 16),
      instanceId: options.instanceId,
    });
    this.#outgoing = new OutgoingMessages({ clock, core: () => sipJs.core, newCallId: () => randomId(random, 16) });
    this.#inviteContext = {
      ports,
      handlers,
      sessions: new Set(),
      pending: new Set(),
      facts: () => this.facts,
      createDelegate: () => this.#incoming.createSessionDelegate(),
    };
    this.#incoming = new IncomingRequests({
      messages: new IncomingMessages(ports, (message) => options.onMessage(message, this)),
      invites: new IncomingInvites(this.#inviteContext, (invite) => options.onInvite(invite, this)),
      isRegistered: () => this.isRegistered,
      facts: () => this.facts,
    });
    this.#registration = this.#createRegistration();
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
    return this.#grant.isOutbound;
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
    return this.isRegistered ? this.#grant.gruu : undefined;
  }

  get facts(): FlowFacts | undefined {
    const connection = this.#sipJs.transport.connection;
    const agreement = this.isRegistered ? this.#security.agreement : undefined;
    return connection === undefined ? undefined : flowFacts(connection, agreement);
  }

  connect(): Promise<void> {
    const { transport, userAgent } = this.#sipJs;
    if (transport.isConnected()) return Promise.resolve();
    if (this.#connecting !== undefined) return this.#connecting;
    const isStopped = userAgent.state === UserAgentState.Stopped;
    const connecting = (isStopped ? userAgent.start() : userAgent.reconnect()).finally(() => {
      if (this.#connecting === connecting) this.#connecting = undefined;
    });
    return (this.#connecting = connecting);
  }

  /** As `SipUserAgent.stop`. */
  stop(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping;
    this.#registration.stop();
    this.#incoming.stop();
    const end = endFlow(this.#options.ports, this.#sipJs, this.#inviteContext, () => this.#registration.unregister());
    this.#stopping = end.finally(() => {
      this.#stopping = undefined;
      this.#connecting = undefined;
    });
    return this.#stopping;
  }

  register(): Promise<RegistrationState> {
    return this.#registration.register();
  }

  unregister(): Promise<RegistrationState> {
    return this.#registration.unregister();
  }

  /** Whether a registered contact is the one of this flow. */
  isContact(uri: string): boolean {
    return uri.toLowerCase().includes(`:${this.#contactUser}@`);
  }

  /** What the network did to the registration by itself (RFC 3680). */
  decided(decision: NetworkDecision): void {
    this.#registration.decided(decision);
  }

  /** The connections of this machine may be worthless: finds out at once, instead of with the next keep-alive. */
  networkChanged(change: NetworkChange): void {
    doubtConnection(this.#sipJs.transport, change);
    if (change.kind === 'woke') this.#registration.renewNow();
    this.#registration.retryNow();
  }

  /** There is reason to doubt: asks the server at once whether it is there. */
  check(): void {
    this.#sipJs.transport.link?.check();
  }

  sendMessage(message: OutgoingMessage): Promise<SipReply> {
    return this.#outgoing.send(message);
  }

  invite(invite: OutgoingInvite): Promise<InviteOutcome> {
    return sendInvite(this.#inviteContext, this.#sipJs.userAgent, invite);
  }

  subscribe(subscription: OutgoingSubscription): EventSubscription {
    const uri = toUri(subscription.to, 'sip.to');
    return new SipSubscription(this.#sipJs.userAgent, uri, subscription, this.#options.ports);
  }

  publish(publication: OutgoingPublication): Promise<SipReply> {
    const { clock, random } = this.#options.ports;
    return sendPublication(this.#sipJs.core, clock, randomId(random, 16), publication);
  }

  #createRegistration(): Registration {
    const { ports, account, backOff, hops, onState } = this.#options;
    return new Registration({
      clock: ports.clock,
      log: ports.log,
      backOff: { next: () => backOff.next(), reset: () => this.isOutbound || backOff.reset() },
      expiresSeconds: account.expiresSeconds ?? defaultExpiresSeconds,
      contactUser: this.#contactUser,
      connect: () => this.connect(),
      isConnected: () => this.isConnected,
      send: (expires) => this.#requests.send(expires),
      security: this.#security,
      authentication: this.#authenticator,
      useServiceRoute: (route) => (this.#sipJs.core.configuration.routeSet = [...route]),
      moveOn: () => this.#moveOn(hops),
      dropOutbound: () => this.#requests.dropOutbound(),
      onGranted: (headers) => {
        this.#grant.learn(headers, this.#requests.asksForOutbound);
        hops.succeeded();
      },
      onState: () => onState(this),
    });
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
        connect: (isWanted) => hops.connect(isWanted),
        usualProtocol: target.protocol ?? 'tls',
        translation: new WireTranslation(ports.random.bytes(32)),
        secure: (request) => this.#secure(request),
        onLeaving: (request) => this.#outgoing.leaves(request),
        inspect: (message, isAwaited) =>
          inspectAnswer(message, isAwaited, {
            security: this.#security,
            authenticator: this.#authenticator,
            registration: this.#registration,
          }),
      },
      createAuthentication: (loggerFactory) => this.#authenticator.createAuthentication(loggerFactory),
      delegate: {
        onConnect: () => this.#onConnect(),
        onDisconnect: (error) => this.#onDisconnect(error),
        onMessage: (message) => this.#incoming.message(message),
        onInvite: (invitation) => this.#incoming.invite(invitation),
      },
    });
  }

  #secure(request: SipMessage): void {
    addRequestHeaders(request, this.#options.account, this.#sipJs.transport.connection?.tls);
    this.#security.secure(request);
    this.#authenticator.authorize(request);
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
    // RFC 5626 clause 4.5: a flow that the network keeps was successful only then, and its failures are counted from nothing.
    if (this.isRegistered && !transport.endedUndecided) this.#options.backOff.reset();
    this.#options.onConnection(this, { connected: false, ...(reason === undefined ? {} : { error: reason }) });
    this.#registration.connectionLost(
      `The connection to the server broke${reason === undefined ? '' : ` (${reason})`}.`,
    );
  }

  async #moveOn(hops: HopChoice): Promise<boolean> {
    const isLeft = hops.giveUpCurrent();
    await this.#sipJs.transport.disconnect();
    return isLeft;
  }
}
