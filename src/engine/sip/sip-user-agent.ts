import { describeError } from '../../base/errors.ts';
import { Events } from '../../base/events.ts';
import type { RegistrationElement } from '../../protocol/reginfo/index.ts';
import { limits } from '../limits.ts';
import type { EnginePorts, NetworkChange, SipTarget } from '../ports.ts';
import { FlowBackOff } from './flows/flow-back-off.ts';
import { isAtLeastAsProtected, weakerFlow } from './flows/flow-protection.ts';
import { HopChoice, isSamePlace } from './flows/hop-choice.ts';
import { instanceOf } from './flows/instance-id.ts';
import { MergedInvites } from './flows/merged-invites.ts';
import { MergedMessages } from './flows/merged-messages.ts';
import { SipFlow } from './flows/sip-flow.ts';
import { judgeContacts } from './network-decision.ts';
import { RegistrationEvents } from './registration-events.ts';
import type {
  EventSubscription,
  FlowFacts,
  FlowStatus,
  Gruus,
  InviteOutcome,
  OutgoingInvite,
  OutgoingMessage,
  OutgoingPublication,
  OutgoingSubscription,
  OwnDevice,
  RegistrationState,
  SipAccount,
  SipReply,
  SipUserAgent,
  SipUserAgentEvents,
} from './types.ts';

export interface SipUserAgentOptions {
  readonly ports: EnginePorts;
  readonly account: SipAccount;
}

const defaultRecovery = {
  allFailed: limits.flowAllFailedMilliseconds,
  someFailed: limits.flowSomeFailedMilliseconds,
  longest: limits.flowLongestMilliseconds,
};

/** @throws ProtocolError `local` when the account's addresses are no SIP URIs. */
export function createSipUserAgent(options: SipUserAgentOptions): SipUserAgent {
  return new OutboundUserAgent(options);
}

/**
 * An account at its network over two flows where the network keeps flows, else over one (RFC 5626). The second one is there
 *
 *   - once the first is registered and the network keeps flows: to another place of the same server, or to the account's second one;
 *   - while the first is not registered and the account names a second server.
 *
 * Requests leave over the first one that works.
 */
class OutboundUserAgent implements SipUserAgent {
  readonly events: Events<SipUserAgentEvents>;
  readonly #ports: EnginePorts;
  readonly #account: SipAccount;
  readonly #first: SipFlow;
  readonly #second: SipFlow;
  readonly #messages: MergedMessages;
  readonly #invites: MergedInvites<SipFlow>;
  readonly #registrationEvents: RegistrationEvents;
  readonly #instanceId: () => Promise<string>;
  /** Once it was needed. */
  #knownInstanceId: string | undefined;
  #told: RegistrationState;
  #isWanted = false;
  #endWatch: () => void = () => undefined;

  constructor({ ports, account }: SipUserAgentOptions) {
    this.#ports = ports;
    this.#account = account;
    this.events = new Events((error) =>
      ports.log.log('error', 'sip.listener-failed', { reason: describeError(error) }),
    );
    this.#messages = new MergedMessages(ports.clock, (message) => this.events.emit('message', message));
    this.#invites = new MergedInvites(ports.clock, (invite) => this.events.emit('invite', invite));
    const instanceId = instanceOf(ports, account);
    this.#instanceId = async () => (this.#knownInstanceId = await instanceId());
    this.#registrationEvents = new RegistrationEvents({
      clock: ports.clock,
      log: ports.log,
      identity: account.identity,
      isOwn: ({ uri, instanceId: instance }) =>
        instance === `urn:uuid:${this.#knownInstanceId ?? ''}` || this.#all().some((flow) => flow.isContact(uri)),
      onChanged: (changed, current) => this.#judge(changed, current),
      onOwnDevices: (devices) => this.events.emit('ownDevices', devices),
    });
    this.#first = this.#createFlow(1, account.target);
    this.#second = this.#createFlow(2, account.secondTarget ?? account.target);
    this.#told = this.#first.registration;
  }

  get registration(): RegistrationState {
    return (this.#registered() ?? this.#first).registration;
  }

  get ownDevices(): readonly OwnDevice[] {
    return this.#registrationEvents.ownDevices;
  }

  get flow(): FlowFacts | undefined {
    return this.#working().facts;
  }

  get flows(): readonly FlowStatus[] {
    return this.#inUse().map((flow) => {
      const { regId, registration, facts } = flow;
      return { regId, registration, ...(facts === undefined ? {} : { flow: facts }) };
    });
  }

  get gruu(): Gruus | undefined {
    return this.#working().gruu;
  }

  start(): Promise<void> {
    this.#watch();
    return this.#first.connect();
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    this.#registrationEvents.ended();
    this.#endWatch();
    await Promise.all(this.#all().map((flow) => flow.stop()));
  }

  async register(): Promise<RegistrationState> {
    this.#isWanted = true;
    this.#watch();
    await this.#first.register();
    // The failure of the first has called for the second, where there is one.
    if (!this.#first.isRegistered && this.#second.isWanted) await this.#second.register();
    return this.registration;
  }

  async unregister(): Promise<RegistrationState> {
    this.#isWanted = false;
    this.#registrationEvents.ended();
    await Promise.all([this.#first.unregister(), this.#second.stop()]);
    return this.registration;
  }

  async sendMessage(message: OutgoingMessage): Promise<SipReply> {
    const flow = this.#flowFor(message.judgedBy);
    // What the user was told of it would not be true any more.
    if (flow === undefined) return weakerFlow();
    const { facts } = flow;
    const reply = await flow.sendMessage(message);
    if (reply.local === 'timeout') flow.check();
    if (reply.unsent !== true || reply.local !== 'connection-lost') return reply;
    // Nothing of it left, so it can leave elsewhere, but not less protected than whoever sent it was told.
    const other = this.#all().find((each) => each !== flow && each.isRegistered);
    return other !== undefined && isAtLeastAsProtected(other.facts, facts) ? other.sendMessage(message) : reply;
  }

  invite(invite: OutgoingInvite): Promise<InviteOutcome> {
    return this.#working().invite(invite);
  }

  subscribe(subscription: OutgoingSubscription): EventSubscription {
    return this.#working().subscribe(subscription);
  }

  publish(publication: OutgoingPublication): Promise<SipReply> {
    return this.#working().publish(publication);
  }

  #createFlow(regId: number, target: SipTarget): SipFlow {
    const ports = this.#ports;
    const others = (): SipFlow[] => this.#all().filter((flow) => flow.regId !== regId);
    return new SipFlow({
      ports,
      account: this.#account,
      regId,
      target,
      hops: new HopChoice({
        ports,
        target,
        isExclusive: () => regId !== 1 || others().some((flow) => flow.isRegistered),
        isTaken: (hop) => others().some((flow) => flow.hop !== undefined && isSamePlace(flow.hop, hop)),
      }),
      backOff: new FlowBackOff({
        random: ports.random,
        times: this.#account.flowRecovery ?? defaultRecovery,
        isOutbound: () => this.#all().some((flow) => flow.isOutbound),
        haveAllFailed: () => this.#registered() === undefined,
      }),
      instanceId: this.#instanceId,
      onState: (flow) => this.#onState(flow),
      onConnection: (flow, change) => this.#onConnection(flow, change),
      onMessage: (message) => this.#messages.receive(message),
      onInvite: (invite, flow) => this.#invites.receive(invite, flow),
    });
  }

  #onState(flow: SipFlow): void {
    if (flow === this.#first) void this.#adjustSecond();
    this.#watchRegistration();
    const state = this.registration;
    if (state === this.#told) return;
    this.#told = state;
    this.events.emit('registration', state);
  }

  #watchRegistration(): void {
    const flow = this.#registered();
    if (flow === undefined) this.#registrationEvents.ended();
    else if (this.#isWanted && this.#account.registrationEvents !== false) this.#registrationEvents.registered(flow);
  }

  /** What the network did to the registration of each flow. */
  #judge(changed: readonly RegistrationElement[], current: readonly RegistrationElement[]): void {
    const { identity } = this.#account;
    for (const flow of this.#all()) {
      const decision = judgeContacts(changed, current, { identity, isOwn: ({ uri }) => flow.isContact(uri) });
      if (decision !== undefined) flow.decided(decision);
    }
  }

  async #adjustSecond(): Promise<void> {
    const { isRegistered, isOutbound, registration } = this.#first;
    const hasServer = this.#account.secondTarget !== undefined;
    if (isRegistered && !isOutbound && this.#second.isWanted) {
      await this.#second.stop();
    } else if (this.#isWanted && !this.#second.isWanted) {
      const isCalledFor = isRegistered ? isOutbound : hasServer && isPassing(registration);
      if (isCalledFor && (hasServer || (await this.#hasOtherPlace()))) await this.#startSecond();
    }
  }

  /** Unless the account has signed out meanwhile. */
  async #startSecond(): Promise<void> {
    if (this.#isWanted) await this.#second.register();
  }

  /** Whether the server of the account has a place beside the one of the first flow. */
  async #hasOtherPlace(): Promise<boolean> {
    const { hop } = this.#first;
    try {
      const places = await this.#ports.sip.locate(this.#account.target);
      return hop !== undefined && places.some((place) => !isSamePlace(place, hop));
    } catch (error) {
      this.#ports.log.log('info', 'sip.second-flow', { reason: describeError(error) });
      return false;
    }
  }

  #onConnection(flow: SipFlow, change: { readonly connected: boolean; readonly error?: string }): void {
    const isOtherConnected = this.#all().some((each) => each !== flow && each.isConnected);
    if (!isOtherConnected) this.events.emit('flow', change);
  }

  #watch(): void {
    this.#endWatch();
    const { network, log } = this.#ports;
    const unsubscribe = network?.onChange((change: NetworkChange) => {
      log.log('info', 'sip.network-changed', { kind: change.kind });
      for (const flow of this.#all()) flow.networkChanged(change);
    });
    this.#endWatch = () => unsubscribe?.();
  }

  #all(): SipFlow[] {
    return [this.#first, this.#second];
  }

  #inUse(): SipFlow[] {
    return this.#all().filter((flow) => flow === this.#first || flow.isWanted || flow.isConnected);
  }

  #registered(): SipFlow | undefined {
    return this.#all().find((flow) => flow.isRegistered);
  }

  /** Of those that protect no less than `judged` the preferred one. */
  #flowFor(judged: FlowFacts | undefined): SipFlow | undefined {
    const flow = this.#working();
    if (judged?.tls === undefined) return flow;
    const others = this.#all().filter((each) => each.isRegistered);
    return [flow, ...others].find(({ facts }) => isAtLeastAsProtected(facts, judged));
  }

  #working(): SipFlow {
    return this.#registered() ?? this.#all().find((flow) => flow.isConnected) ?? this.#first;
  }
}

/** Another server may do what this one cannot do now; what it refuses for good, as a wrong password, is not asked of two. */
function isPassing(registration: RegistrationState): boolean {
  return registration.state === 'failed' && registration.willRetry;
}
