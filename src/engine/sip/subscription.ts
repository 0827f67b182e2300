import type { Core, URI, UserAgent } from 'sip.js';
import { randomId } from '../../base/random.ts';
import type { EnginePorts } from '../ports.ts';
import { readReceived } from './sip-reply.ts';
import type { EventSubscription, OutgoingSubscription, SubscriptionEnd } from './types.ts';

/** Octets of one NOTIFY that are looked at. */
const maxNotifyOctets = 512 * 1024;

/**
 * A subscription (RFC 6665) over the core of SIP.js, which renews it. Its class Subscriber is not used: it hides why a subscription was
 * refused, and when one is over asks again by itself, after as many milliseconds as seconds were asked for.
 */
export class SipSubscription implements EventSubscription {
  readonly #options: OutgoingSubscription;
  readonly #log: EnginePorts['log'];
  readonly #request: Core.OutgoingSubscribeRequest;
  #dialog: Core.Subscription | undefined;
  #isOver = false;

  /** Asks at once. */
  constructor(
    userAgent: UserAgent,
    uri: URI,
    options: OutgoingSubscription,
    { log, random }: Pick<EnginePorts, 'log' | 'random'>,
  ) {
    const { event, accept, expires = 3600 } = options;
    this.#options = options;
    this.#log = log;
    const core = userAgent.userAgentCore;
    const { aor, contact } = core.configuration;
    const lines = [`Accept: ${accept}`, `Event: ${event}`, `Expires: ${expires}`, `Contact: ${contact.toString()}`];
    // Who knows them can notify in the place of the server, and those of SIP.js come from Math.random, which others see through.
    const ids = { callId: randomId(random, 16), fromTag: randomId(random, 16) };
    const message = core.makeOutgoingRequestMessage('SUBSCRIBE', uri, aor, uri, ids, lines);
    const refused = ({ message: answer }: Core.IncomingResponse): void =>
      this.#ended({ status: answer.statusCode ?? 500 });
    this.#request = core.subscribe(message, {
      onNotify: ({ request, subscription }) => this.#begin(request, subscription),
      onNotifyTimeout: () => this.#ended({}),
      onRedirect: refused,
      onReject: refused,
    });
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#dialog === undefined) {
      this.#request.waitNotifyStop();
      this.#request.dispose();
      return;
    }
    // The last NOTIFY, which says that it is over, is answered and not told.
    this.#dialog.unsubscribe();
  }

  /** The first NOTIFY, with which the dialog begins. */
  #begin(request: Core.IncomingNotifyRequest, dialog: Core.Subscription | undefined): void {
    this.#dialog = dialog;
    if (dialog !== undefined) {
      dialog.autoRefresh = true;
      dialog.delegate = {
        onNotify: (next) => this.#notified(next),
        onTerminated: () => this.#ended({}),
      };
    }
    this.#notified(request);
  }

  #notified(request: Core.IncomingNotifyRequest): void {
    request.accept();
    const { headers, body } = readReceived(request.message);
    const { state, ...end } = readState(headers.get('Subscription-State') ?? '');
    if (!this.#isOver && body.length > maxNotifyOctets) {
      this.#log.log('warn', 'sip.notify-too-large', { octets: body.length });
    } else if (!this.#isOver && body.length > 0) {
      this.#options.onNotify({ contentType: headers.get('Content-Type') ?? '', body });
    }
    if (state === 'terminated') this.#ended(end);
    else if (!this.#isOver) this.#options.onState?.(state);
  }

  #ended(end: SubscriptionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#log.log('info', 'sip.subscription-ended', { event: this.#options.event, ...end });
    this.#options.onEnded(end);
  }
}

/** `Subscription-State: terminated;reason=probation;retry-after=60` (RFC 6665 section 4.1.3) */
function readState(value: string): SubscriptionEnd & { readonly state: 'active' | 'pending' | 'terminated' } {
  const [name = '', ...parameters] = value.split(';').map((part) => part.trim().toLowerCase());
  const of = (key: string): string | undefined =>
    parameters.find((parameter) => parameter.startsWith(`${key}=`))?.slice(key.length + 1);
  const [reason, retryAfter = ''] = [of('reason'), of('retry-after')];
  const seconds = /^\d{1,7}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  return {
    state: name === 'terminated' || name === 'pending' ? name : 'active',
    ...(reason === undefined ? {} : { reason }),
    ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
  };
}
