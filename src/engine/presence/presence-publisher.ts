import type { CancelTimer } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { pidfContentType, writePidf } from '../../protocol/presence/index.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import type { SipReply, SipUserAgent } from '../sip/index.ts';
import { isWithoutPresence, type OwnPresenceView, type PresenceState } from './presence-types.ts';

export interface PresencePublisherOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'random'>;
  readonly userAgent: Pick<SipUserAgent, 'publish'>;
  /** Our own address. */
  readonly self: string;
  readonly onChange: (publication: OwnPresenceView['publication']) => void;
  /** The network said that it takes no presence. */
  readonly onUnsupported: () => void;
}

interface Told {
  readonly state: PresenceState;
  readonly note?: string | undefined;
}

/** How often one change is sent anew because the network asked for it to be sent otherwise. */
const attemptsAtOnce = 3;

/** Tells the network our own state and keeps it told (RFC 3903): one request at a time, the last state wins. */
export class PresencePublisher {
  readonly #options: PresencePublisherOptions;
  readonly #tupleId: string;
  #wanted: Told | undefined;
  /** SIP-ETag of what the network has of us. */
  #tag: string | undefined;
  /** What the network has of us. */
  #told: Told | undefined;
  #expires: number = limits.presenceSeconds;
  #running: Promise<void> | undefined;
  #failures = 0;
  #isPaused = true;
  #isRenewalDue = false;
  /** There may be something to send. */
  #isAsked = false;
  #cancelTimer: CancelTimer = () => undefined;

  constructor(options: PresencePublisherOptions) {
    this.#options = options;
    this.#tupleId = randomId(options.ports.random, 6);
  }

  /** Tells it, at once and from then on. Undefined or `offline`: the network is to know nothing of us. Never rejects. */
  tell(wanted: Told | undefined): Promise<void> {
    this.#wanted = wanted?.state === 'offline' ? undefined : wanted;
    this.#isPaused = false;
    return this.#run();
  }

  /** There is no way to the network: nothing is sent until `tell`. What it has of us stays until it expires. */
  pause(): void {
    this.#isPaused = true;
    this.#isRenewalDue = false;
    this.#wanted = undefined;
    this.#told = undefined;
    this.#cancelTimer();
  }

  #run(): Promise<void> {
    this.#cancelTimer();
    this.#isAsked = true;
    this.#running ??= this.#workOff();
    return this.#running;
  }

  async #workOff(): Promise<void> {
    try {
      while (this.#isAsked) {
        this.#isAsked = false;
        await this.#work();
      }
    } finally {
      this.#running = undefined;
    }
  }

  async #work(): Promise<void> {
    while (this.#hasToSend) {
      const wanted = this.#wanted;
      if (wanted === undefined && this.#tag === undefined) {
        this.#told = undefined;
        this.#options.onChange('off');
        return;
      }
      const isRenewal = this.#isRenewalDue && wanted === this.#told;
      this.#isRenewalDue = false;
      if (!isRenewal) this.#options.onChange('sending');
      if (!(await this.#send(wanted, isRenewal))) return;
    }
  }

  get #hasToSend(): boolean {
    if (this.#isPaused) return false;
    return this.#wanted !== this.#told || this.#isRenewalDue || (this.#wanted === undefined && this.#tag !== undefined);
  }

  /** False when it is not worth going on now. */
  async #send(wanted: Told | undefined, isRenewal: boolean): Promise<boolean> {
    for (let attempt = 0; attempt < attemptsAtOnce; attempt++) {
      const reply = await this.#publish(wanted, isRenewal && this.#tag !== undefined);
      if (reply.status < 300) {
        this.#accepted(reply, wanted);
        return true;
      }
      if (reply.status === 412) this.#tag = undefined;
      else if (!this.#adapts(reply)) {
        this.#refused(reply);
        return false;
      }
      if (wanted === undefined && this.#tag === undefined) return true;
    }
    this.#retryLater();
    return false;
  }

  async #publish(wanted: Told | undefined, isRenewal: boolean): Promise<SipReply | { readonly status: number }> {
    const { userAgent, self, ports } = this.#options;
    const body = wanted === undefined || isRenewal ? undefined : this.#document(wanted);
    try {
      return await userAgent.publish({
        to: self,
        event: 'presence',
        expires: wanted === undefined ? 0 : this.#expires,
        ...(body === undefined ? {} : { content: { contentType: pidfContentType, body } }),
        ...(this.#tag === undefined ? {} : { ifMatch: this.#tag }),
      });
    } catch (error) {
      ports.log.log('warn', 'presence.not-published', { reason: describeError(error) });
      return { status: 503 };
    }
  }

  #document({ state, note }: Told): Uint8Array {
    const { self, ports } = this.#options;
    return writePidf({
      entity: self,
      basic: 'open',
      ...(state === 'away' || state === 'busy' ? { activity: state } : {}),
      ...(note === undefined ? {} : { note }),
      tupleId: this.#tupleId,
      at: ports.clock.now(),
    });
  }

  #accepted(reply: SipReply | { readonly status: number }, wanted: Told | undefined): void {
    this.#failures = 0;
    const headers = 'headers' in reply ? reply.headers : undefined;
    this.#tag = wanted === undefined ? undefined : headers?.get('SIP-ETag');
    if (this.#isPaused) return;
    this.#told = wanted;
    this.#options.onChange(wanted === undefined ? 'off' : 'told');
    if (wanted === undefined) return;
    const granted = Number(headers?.get('Expires') ?? this.#expires);
    const seconds = Number.isInteger(granted) && granted > 0 ? Math.min(granted, 2 ** 21) : this.#expires;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.ports.clock.after(Math.max(30, seconds * 0.8) * 1000, () => this.#renew());
  }

  #renew(): void {
    this.#isRenewalDue = true;
    void this.#run();
  }

  /** RFC 3903 section 6: 423 says how long it has to be at least. */
  #adapts(reply: SipReply | { readonly status: number }): boolean {
    const least = reply.status === 423 && 'headers' in reply ? Number(reply.headers.get('Min-Expires')) : NaN;
    if (!Number.isInteger(least) || least <= this.#expires || least > 2 ** 21) return false;
    this.#expires = least;
    return true;
  }

  #refused({ status }: { readonly status: number }): void {
    this.#options.ports.log.log('info', 'presence.publication-refused', { status });
    if (isWithoutPresence(status) || status === 404) {
      this.#wanted = undefined;
      this.#told = undefined;
      this.#tag = undefined;
      this.#options.onChange('unsupported');
      this.#options.onUnsupported();
    } else this.#retryLater();
  }

  #retryLater(): void {
    if (this.#isPaused) return;
    this.#options.onChange('waiting');
    this.#told = undefined;
    const wait = limits.presenceRetryMilliseconds * 2 ** Math.min(this.#failures, 10);
    this.#failures += 1;
    this.#cancelTimer = this.#options.ports.clock.after(
      Math.min(wait, limits.presenceRetryLongestMilliseconds),
      () => void this.#run(),
    );
  }
}
