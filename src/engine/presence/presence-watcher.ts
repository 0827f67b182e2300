import type { CancelTimer } from '../../base/clock.ts';
import { assertProtocolError } from '../../base/errors.ts';
import { pidfContentType, readPidf } from '../../protocol/presence/index.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import type { EventSubscription, SipUserAgent, SubscriptionEnd } from '../sip/index.ts';
import { judgePresence } from './judge-presence.ts';
import { isWithoutPresence, type PresenceView } from './presence-types.ts';

export interface PresenceWatcherOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'log'>;
  readonly userAgent: Pick<SipUserAgent, 'subscribe'>;
  readonly onChange: (view: PresenceView) => void;
  /** The network said that it has no presence. */
  readonly onUnsupported: () => void;
}

interface Watched {
  view: PresenceView;
  subscription?: EventSubscription | undefined;
  failures: number;
  cancelRetry?: CancelTimer | undefined;
}

/** Subscriptions that are asked for at a time. */
const asksAtOnce = 8;

/** Watches the presence of a bounded number of contacts while it runs (RFC 3856). */
export class PresenceWatcher {
  readonly #options: PresenceWatcherOptions;
  readonly #watched = new Map<string, Watched>();
  #isRunning = false;

  constructor(options: PresenceWatcherOptions) {
    this.#options = options;
  }

  views(): readonly PresenceView[] {
    return [...this.#watched.values()].map(({ view }) => view);
  }

  /** False when there are too many. */
  add(peer: string): boolean {
    if (this.#watched.has(peer)) return true;
    if (this.#watched.size >= limits.watchedContacts) return false;
    this.#watched.set(peer, { view: { peer, state: 'unknown', watch: 'off', vouchedBy: 'network' }, failures: 0 });
    this.#ask();
    return true;
  }

  remove(peer: string): boolean {
    const watched = this.#watched.get(peer);
    if (watched === undefined) return false;
    this.#end(watched, 'off');
    this.#watched.delete(peer);
    this.#ask();
    return true;
  }

  /** The account is registered: everybody is asked about, also those whose subscription another connection carried. */
  start(): void {
    this.stop();
    this.#isRunning = true;
    this.#ask();
  }

  /** What was said is not known to be true any more. @param watch how the watching then stands */
  stop(watch: 'off' | 'unsupported' = 'off'): void {
    this.#isRunning = false;
    for (const watched of this.#watched.values()) {
      watched.failures = 0;
      // Who refused, or is not known, is not asked again by a mere new connection.
      if (!hasRefused(watched.view)) this.#end(watched, watch);
    }
  }

  /** Those who refused are asked again with the next start. */
  forgetRefusals(): void {
    for (const watched of this.#watched.values()) if (hasRefused(watched.view)) this.#end(watched, 'off');
  }

  /** Asks about those that nobody asked about yet, a few at a time. */
  #ask(): void {
    const all = [...this.#watched.values()];
    for (const watched of all) {
      if (!this.#isRunning || all.filter(({ view }) => view.watch === 'asking').length >= asksAtOnce) return;
      if (watched.view.watch === 'off') this.#subscribe(watched);
    }
  }

  #subscribe(watched: Watched): void {
    const { userAgent } = this.#options;
    const { peer } = watched.view;
    this.#change(watched, { peer, state: 'unknown', watch: 'asking', vouchedBy: 'network' });
    try {
      watched.subscription = userAgent.subscribe({
        to: peer,
        event: 'presence',
        accept: pidfContentType,
        expires: limits.presenceSeconds,
        onNotify: ({ contentType, body }) => this.#heard(watched, contentType, body),
        onState: (state) => this.#answered(watched, state),
        onEnded: (why) => this.#ended(watched, why),
      });
    } catch (error) {
      // An address that no request can be sent to keeps nobody else from being asked about.
      assertProtocolError(error);
      this.#change(watched, { ...watched.view, watch: 'unsupported', status: 404 });
    }
  }

  #answered(watched: Watched, state: 'active' | 'pending'): void {
    watched.failures = 0;
    if (state !== watched.view.watch) this.#change(watched, { ...watched.view, watch: state });
    this.#ask();
  }

  #heard(watched: Watched, contentType: string, body: Uint8Array): void {
    const { clock, log } = this.#options.ports;
    if (contentType.split(';')[0]?.trim().toLowerCase() !== pidfContentType) return;
    try {
      const { peer, watch } = watched.view;
      const said = judgePresence(readPidf(body));
      this.#change(watched, { peer, ...said, heardAt: clock.now(), watch, vouchedBy: 'network' });
    } catch (error) {
      assertProtocolError(error);
      log.log('warn', 'presence.unreadable', { reason: error.message });
    }
  }

  #ended(watched: Watched, { status, reason, retryAfterSeconds }: SubscriptionEnd): void {
    watched.subscription = undefined;
    const shown = status === undefined ? {} : { status };
    const over = (watch: PresenceView['watch']): void =>
      this.#change(watched, { peer: watched.view.peer, state: 'unknown', watch, ...shown, vouchedBy: 'network' });
    if (status !== undefined && isWithoutPresence(status)) {
      over('unsupported');
      this.#options.onUnsupported();
    } else if (status === 404 || reason === 'noresource') {
      this.#change(watched, {
        peer: watched.view.peer,
        state: 'unknown',
        watch: 'unsupported',
        status: 404,
        vouchedBy: 'network',
      });
    } else if (status === 403 || status === 603 || reason === 'rejected' || reason === 'invariant') {
      over('refused');
    } else {
      over('waiting');
      this.#retry(watched, retryAfterSeconds);
    }
    this.#ask();
  }

  #retry(watched: Watched, retryAfterSeconds = 0): void {
    const doubled = limits.presenceRetryMilliseconds * 2 ** Math.min(watched.failures, 10);
    watched.failures += 1;
    const wait = Math.min(Math.max(doubled, retryAfterSeconds * 1000), limits.presenceRetryLongestMilliseconds);
    watched.cancelRetry = this.#options.ports.clock.after(wait, () => {
      watched.cancelRetry = undefined;
      this.#change(watched, { ...watched.view, watch: 'off' });
      this.#ask();
    });
  }

  #end(watched: Watched, watch: 'off' | 'unsupported'): void {
    watched.cancelRetry?.();
    watched.cancelRetry = undefined;
    watched.subscription?.end();
    watched.subscription = undefined;
    const { peer, watch: before } = watched.view;
    if (before !== watch) this.#change(watched, { peer, state: 'unknown', watch, vouchedBy: 'network' });
  }

  #change(watched: Watched, view: PresenceView): void {
    watched.view = view;
    this.#options.onChange(view);
  }
}

function hasRefused({ watch, status }: PresenceView): boolean {
  return watch === 'refused' || (watch === 'unsupported' && status === 404);
}
