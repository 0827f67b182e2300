import type { CancelTimer, Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { splitHeaderList } from '../../protocol/sip/headers.ts';
import { BackOff } from './back-off.ts';
import type { DigestAuthenticator } from './digest-authenticator.ts';
import { explainFailure, isPassing, readGranted, readRetryAfter, renewalSeconds } from './registration-answer.ts';
import type { NetworkDecision } from './network-decision.ts';
import type { SecurityAgreementState } from './security-agreement.ts';
import type { RegistrationState, SipReply } from './types.ts';

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
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
  readonly onState: (state: RegistrationState) => void;
}

/** Retries within one registration: after 420, 423 and 494 (each changes the request) and no more. */
const maxRequests = 4;
/** A registration that lasted so long was a good one. */
const steadyMilliseconds = 60_000;

/**
 * Keeps one binding alive: registers, renews before it expires, tries again with growing pauses after failures that
 * may pass, and anew on every new connection, until told otherwise.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #backOff: BackOff;
  readonly #evictions: BackOff;
  #wasEvicted = false;
  /** Milliseconds since 1970. */
  #registeredAt = 0;
  #state: RegistrationState = { state: 'unregistered' };
  #isWanted = false;
  #running: Promise<RegistrationState> | undefined;
  #cancelTimer: CancelTimer = () => undefined;
  #expires: number;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.random);
    this.#evictions = new BackOff(options.random);
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
    this.#cancelTimer();
    await this.#running;
    if (this.#state.state === 'registered' && this.#options.isConnected()) {
      const reply = await this.#options.send(0);
      if (reply.status >= 300) this.#options.log.log('info', 'sip.unregister-refused', { status: reply.status });
    }
    this.#options.security.forget();
    this.#options.authentication.endRegistration();
    this.#options.useServiceRoute([]);
    return this.#change({ state: 'unregistered' });
  }

  /** Somebody on the way does not take the security agreement any more: the registrar is asked whether it still stands. */
  verify(): void {
    if (this.#state.state === 'registered') void this.#run();
  }

  /** What the network did to the registration by itself (RFC 3680). */
  decided(decision: NetworkDecision): void {
    if (this.#state.state !== 'registered' || !this.#isWanted) return;
    if (decision.kind === 'shortened') {
      this.#schedule(Math.max(1, renewalSeconds(decision.seconds)) * 1000);
      return;
    }
    const { explanation, againAfter } = decision;
    this.#cancelTimer();
    this.#options.useServiceRoute([]);
    const willRetry = againAfter !== undefined;
    const pause = againAfter === 0 ? this.#evictionPause() : (againAfter ?? 0) * 1000;
    this.#fail({ state: 'failed', code: 'deregistered', explanation, willRetry }, pause);
  }

  /** The connection broke or was closed: the binding leads nowhere. */
  connectionLost(explanation: string): void {
    this.#cancelTimer();
    if (this.#state.state !== 'registered') return;
    const willRetry = this.#isWanted;
    this.#change({ state: 'failed', code: 'connection-lost', explanation, willRetry });
    if (willRetry) this.#schedule(this.#backOff.next());
  }

  /** No attempt follows any more. */
  stop(): void {
    this.#isWanted = false;
    this.#cancelTimer();
  }

  /** At once, but not time after time: a network that ends each registration as soon as it has begun is asked more and more rarely. */
  #evictionPause(): number {
    const hasLasted = this.#options.clock.now() - this.#registeredAt > steadyMilliseconds;
    if (hasLasted) this.#evictions.reset();
    const isFirst = hasLasted || !this.#wasEvicted;
    this.#wasEvicted = true;
    return isFirst ? 0 : this.#evictions.next();
  }

  #run(): Promise<RegistrationState> {
    this.#running ??= this.#attempt().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #attempt(): Promise<RegistrationState> {
    this.#cancelTimer();
    const isRenewal = this.#state.state === 'registered';
    if (!isRenewal) {
      this.#options.security.forget();
      this.#options.authentication.beginRegistration();
      this.#change({ state: 'registering' });
    }
    try {
      await this.#options.connect();
    } catch (error) {
      const code = error instanceof ProtocolError && error.field === 'sip.tls' ? 'tls-failed' : 'unreachable';
      const happened = code === 'tls-failed' ? 'The server did not prove who it is' : 'The server could not be reached';
      const explanation = `${happened} (${describeError(error)}).`;
      return this.#fail({ state: 'failed', code, explanation, willRetry: this.#isWanted });
    }
    const reply = await this.#exchange();
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
      return this.#fail(explainFailure(reply, willRetry), readRetryAfter(reply.headers));
    }
    return this.#accept(reply);
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
      case 494:
        // RFC 3329 clause 2.3.1: the answer states the server's list; the next request verifies it.
        return requests === 1 && headers.has('Security-Server') && this.#options.security.failure === undefined;
      default:
        return false;
    }
  }

  #accept(reply: SipReply): RegistrationState {
    const granted = readGranted(reply.headers, this.#options.contactUser);
    if (granted === undefined) {
      const explanation = 'The server said yes, but its answer does not hold our contact.';
      return this.#fail({ state: 'failed', code: 'invalid-answer', explanation, willRetry: false });
    }
    this.#options.useServiceRoute(granted.serviceRoute);
    this.#backOff.reset();
    if (this.#state.state !== 'registered') this.#registeredAt = this.#options.clock.now();
    const { expires, associatedIdentities } = granted;
    if (this.#isWanted) this.#schedule(renewalSeconds(expires) * 1000);
    return this.#change({ state: 'registered', expires, associatedIdentities });
  }

  #fail(state: RegistrationState, retryAfterMilliseconds?: number): RegistrationState {
    const willRetry = state.state === 'failed' && state.willRetry;
    if (willRetry) this.#schedule(retryAfterMilliseconds ?? this.#backOff.next());
    else this.#isWanted = false;
    return this.#change(state);
  }

  #schedule(milliseconds: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(milliseconds, () => void this.#run());
  }

  #change(state: RegistrationState): RegistrationState {
    this.#state = state;
    this.#options.onState(state);
    return state;
  }
}
