import { ServerPinError } from '../server-pin-error.ts';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { splitHeaderList } from '../../protocol/sip/headers.ts';
import type { DigestAuthenticator } from './digest-authenticator.ts';
import { EvictionPauses } from './eviction-pauses.ts';
import { explainFailure, isPassing, readGranted, readRetryAfter, renewalSeconds } from './registration-answer.ts';
import type { NetworkDecision } from './network-decision.ts';
import type { SecurityAgreementState } from './security-agreement.ts';
import type { SipHeaders } from '../../protocol/sip/message.ts';
import type { RegistrationState, SipReply } from './types.ts';

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The pauses between attempts. */
  readonly backOff: { next(): number; reset(): void };
  readonly expiresSeconds: number;
  /** Random user part of our Contact, lower case. */
  readonly contactUser: string;
  /** Makes sure that there is a connection. Rejects when it cannot be had. */
  readonly connect: () => Promise<void>;
  readonly isConnected: () => boolean;
  /** Sends one REGISTER, answers its challenges. */
  readonly send: (expiresSeconds: number) => Promise<SipReply>;
  readonly security: SecurityAgreementState;
  readonly authentication: Pick<DigestAuthenticator, 'beginRegistration' | 'endRegistration' | 'objection'>;
  readonly useServiceRoute: (route: readonly string[]) => void;
  /** The place that we are connected to does not do: disconnects. Resolves with whether another one is left to be tried at once. */
  readonly moveOn: () => Promise<boolean>;
  /** After 439: asks for no flow any more (RFC 5626 clause 4.2.1). False when it did not. */
  readonly dropOutbound: () => boolean;
  /** The registrar said yes in these words. */
  readonly onGranted: (headers: SipHeaders) => void;
  readonly onState: (state: RegistrationState) => void;
}

/** Retries within one registration: after 420, 423 and 494 (each changes the request) and no more. */
const maxRequests = 4;

/**
 * Keeps one binding alive: registers, renews before it expires, tries again with growing pauses after failures that
 * may pass, and anew on every new connection, until told otherwise.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #evictions = new EvictionPauses();
  #state: RegistrationState = { state: 'unregistered' };
  #isWanted = false;
  #running: Promise<RegistrationState> | undefined;
  #leaving: Promise<RegistrationState> | undefined;
  #cancelTimer: CancelTimer = () => undefined;
  #isRetryPlanned = false;
  #expires: number;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#expires = options.expiresSeconds;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  register(): Promise<RegistrationState> {
    this.#isWanted = true;
    return this.#run();
  }

  /** Never rejects; without a connection the binding is left to expire. */
  async unregister(): Promise<RegistrationState> {
    this.#isWanted = false;
    this.#stopTimer();
    await this.#running;
    // Somebody may have asked for it again meanwhile.
    if (this.isWanted) return this.#state;
    this.#leaving ??= this.#leave().finally(() => (this.#leaving = undefined));
    return this.#leaving;
  }

  async #leave(): Promise<RegistrationState> {
    if (this.#state.state === 'registered' && this.#options.isConnected()) {
      const reply = await this.#options.send(0);
      if (reply.status >= 300) this.#options.log.log('info', 'sip.unregister-refused', { status: reply.status });
    }
    this.#options.security.forget();
    this.#options.authentication.endRegistration();
    this.#options.useServiceRoute([]);
    return this.#change({ state: 'unregistered' });
  }

  /** What the network did to the registration by itself (RFC 3680). */
  decided(decision: NetworkDecision): void {
    if (this.#state.state !== 'registered' || !this.#isWanted) return;
    if (decision.kind === 'shortened') {
      this.#schedule(Math.max(1, renewalSeconds(decision.seconds)) * 1000, false);
      return;
    }
    const { explanation, againAfter } = decision;
    this.#stopTimer();
    this.#options.useServiceRoute([]);
    const willRetry = againAfter !== undefined;
    const pause = againAfter === 0 ? this.#evictions.next(this.#options.clock.now()) : (againAfter ?? 0) * 1000;
    this.#fail({ state: 'failed', code: 'deregistered', explanation, willRetry }, pause);
  }

  /** The connection broke or was closed: the binding leads nowhere. */
  connectionLost(explanation: string): void {
    if (this.#state.state !== 'registered') return;
    this.#stopTimer();
    const willRetry = this.#isWanted;
    this.#change({ state: 'failed', code: 'connection-lost', explanation, willRetry });
    if (willRetry) this.#schedule(this.#options.backOff.next());
  }

  /** What kept us from registering may be over. */
  retryNow(): void {
    if (this.#isRetryPlanned && this.#running === undefined) void this.#run();
  }

  /** The binding is renewed before its time. */
  renewNow(): void {
    if (this.#isWanted && this.#state.state === 'registered') void this.#run();
  }

  /** No attempt follows any more. */
  stop(): void {
    this.#isWanted = false;
    this.#stopTimer();
  }

  #run(): Promise<RegistrationState> {
    this.#running ??= this.#attempt().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #attempt(): Promise<RegistrationState> {
    this.#stopTimer();
    if (this.#leaving !== undefined) await this.#leaving;
    const isRenewal = this.#state.state === 'registered';
    if (!isRenewal) this.#begin();
    for (;;) {
      try {
        await this.#options.connect();
      } catch (error) {
        return this.#fail(unreachable(error, this.#isWanted));
      }
      if (!this.#isWanted) return this.#notWanted();
      const reply = await this.#exchange();
      if (!this.#isPlaceAtFault(reply, isRenewal) || !(await this.#options.moveOn())) {
        return this.#judge(reply, isRenewal);
      }
      // Another server of the same network: nothing that was agreed on with the last one holds.
      this.#begin();
    }
  }

  /** A binding that stands is given back by whoever does not want it any more. */
  #notWanted(): RegistrationState {
    return this.#state.state === 'registered' ? this.#state : this.#change({ state: 'unregistered' });
  }

  #begin(): void {
    this.#options.security.forget();
    this.#options.authentication.beginRegistration();
    this.#change({ state: 'registering' });
  }

  /** RFC 3263 clause 4.3; RFC 5626 clause 4.2.2: a flow that works is not torn down because a renewal is refused for now. */
  #isPlaceAtFault({ status, local }: SipReply, isRenewal: boolean): boolean {
    if (!this.#isWanted || this.#options.security.failure !== undefined) return false;
    return local !== undefined || (status === 503 && !isRenewal);
  }

  #judge(reply: SipReply, isRenewal: boolean): RegistrationState {
    const disagreement = this.#options.security.failure;
    if (disagreement !== undefined) {
      const explanation = `The server's security agreement cannot be accepted: ${disagreement.message}.`;
      // A server that was set up anew since deserves one agreement from the beginning.
      const willRetry = isRenewal && this.#isWanted;
      return this.#fail({ state: 'failed', code: 'security-agreement-failed', explanation, willRetry });
    }
    const objection = this.#options.authentication.objection(reply.status < 300);
    if (objection !== undefined) return this.#fail({ state: 'failed', ...objection, willRetry: false });
    if (reply.status >= 300) {
      const willRetry = this.#isWanted && isPassing(reply);
      return this.#fail(explainFailure(reply, willRetry), this.#pauseAfter(reply));
    }
    return this.#accept(reply);
  }

  /** As long as the server says, but a server that says `0` each time is not asked without a pause. */
  #pauseAfter({ headers }: SipReply): number | undefined {
    const asked = readRetryAfter(headers);
    return asked === undefined ? undefined : Math.max(asked, this.#options.backOff.next());
  }

  async #exchange(): Promise<SipReply> {
    let reply = await this.#options.send(this.#expires);
    for (let requests = 1; requests < maxRequests && this.#adapt(reply, requests); requests++) {
      reply = await this.#options.send(this.#expires);
    }
    return reply;
  }

  /** @returns true when the answer asks for another request that differs from the last. */
  #adapt({ status, headers }: SipReply, requests: number): boolean {
    switch (status) {
      case 420: {
        const unsupported = headers.getAll('Unsupported').flatMap(splitHeaderList);
        return this.#options.security.dropUnsupported(unsupported);
      }
      case 423: {
        const least = Number(headers.get('Min-Expires'));
        const differs = Number.isInteger(least) && least > this.#expires && least < 2 ** 31;
        if (differs) this.#expires = least;
        return differs;
      }
      case 439:
        return this.#options.dropOutbound();
      case 494:
        // RFC 3329 clause 2.3.1: the answer states the server's list; the next request verifies it.
        return requests === 1 && headers.has('Security-Server') && this.#options.security.failure === undefined;
      default:
        return false;
    }
  }

  #accept(reply: SipReply): RegistrationState {
    if (!this.#options.isConnected()) {
      const explanation = 'The connection to the server broke with its answer.';
      return this.#fail({ state: 'failed', code: 'connection-lost', explanation, willRetry: this.#isWanted });
    }
    const granted = readGranted(reply.headers, this.#options.contactUser);
    if (granted === undefined) {
      const explanation = 'The server said yes, but its answer does not hold our contact.';
      return this.#fail({ state: 'failed', code: 'invalid-answer', explanation, willRetry: false });
    }
    this.#options.useServiceRoute(granted.serviceRoute);
    if (this.#state.state !== 'registered') this.#evictions.registered(this.#options.clock.now());
    this.#options.onGranted(reply.headers);
    this.#options.backOff.reset();
    const { expires, associatedIdentities } = granted;
    if (this.#isWanted) this.#schedule(renewalSeconds(expires) * 1000, false);
    return this.#change({ state: 'registered', expires, associatedIdentities });
  }

  #fail(state: RegistrationState, retryAfterMilliseconds?: number): RegistrationState {
    const willRetry = state.state === 'failed' && state.willRetry;
    if (willRetry) this.#schedule(retryAfterMilliseconds ?? this.#options.backOff.next());
    else this.#isWanted = false;
    return this.#change(state);
  }

  #schedule(milliseconds: number, isRetry = true): void {
    this.#stopTimer();
    this.#isRetryPlanned = isRetry;
    this.#cancelTimer = this.#options.clock.after(milliseconds, () => void this.#run());
  }

  #stopTimer(): void {
    this.#isRetryPlanned = false;
    this.#cancelTimer();
  }

  #change(state: RegistrationState): RegistrationState {
    this.#state = state;
    this.#options.onState(state);
    return state;
  }
}

function unreachable(error: unknown, willRetry: boolean): RegistrationState {
  const isTls = error instanceof ProtocolError && error.field.startsWith('sip.tls');
  const happened = isTls ? 'The server did not prove who it is' : 'The server could not be reached';
  const explanation = `${happened} (${describeError(error)}).`;
  const code = isTls ? 'tls-failed' : 'unreachable';
  if (!(error instanceof ServerPinError)) return { state: 'failed', code, explanation, willRetry };
  const { serverName, pinned, shown } = error;
  return { state: 'failed', code, explanation, willRetry, changedCertificate: { serverName, pinned, shown } };
}
