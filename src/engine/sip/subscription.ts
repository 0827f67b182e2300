import { Subscriber, SubscriptionState, type Core, type URI, type UserAgent } from 'sip.js';
import { describeError } from '../../base/errors.ts';
import type { EnginePorts } from '../ports.ts';
import { readReceived } from './sip-reply.ts';
import type { EventSubscription, OutgoingSubscription } from './types.ts';

/** Octets of one NOTIFY that are looked at. */
const maxNotifyOctets = 512 * 1024;

/** A subscription of SIP.js as the application sees it (RFC 6665). SIP.js renews it. */
export class SipSubscription implements EventSubscription {
  readonly #subscriber: Subscriber;
  readonly #log: EnginePorts['log'];
  #isOver = false;
  #refusal: number | undefined;

  /** Asks at once. */
  constructor(
    userAgent: UserAgent,
    uri: URI,
    { event, accept, expires = 3600, onNotify, onEnded }: OutgoingSubscription,
    log: EnginePorts['log'],
  ) {
    this.#log = log;
    this.#subscriber = new Subscriber(userAgent, uri, event, { expires, extraHeaders: [`Accept: ${accept}`] });
    this.#subscriber.delegate = {
      onNotify: (notification) => {
        void notification.accept();
        const { headers, body } = readReceived(notification.request);
        if (this.#isOver || body.length === 0) return;
        if (body.length > maxNotifyOctets) log.log('warn', 'sip.notify-too-large', { octets: body.length });
        else onNotify({ contentType: headers.get('Content-Type') ?? '', body });
      },
    };
    this.#subscriber.stateChange.addListener((state) => {
      if (state !== SubscriptionState.Terminated || this.#isOver) return;
      this.#isOver = true;
      onEnded(this.#refusal === undefined ? {} : { status: this.#refusal });
    });
    this.#subscriber.subscribe().catch((error: unknown) => this.#failed(error));
    watchRefusal(this.#subscriber, (status) => (this.#refusal = status));
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // Disposed first, as SIP.js would take the last NOTIFY, which says that it is over, for a reason to ask again.
    this.#subscriber.dispose().catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#log.log('info', 'sip.subscription', { reason: describeError(error) });
  }
}

/** What SIP.js keeps of a SUBSCRIBE under way. */
interface SubscriberInside {
  readonly subscriberRequest?: { readonly request?: { readonly delegate?: Core.OutgoingSubscribeRequestDelegate } };
}

/** SIP.js tells that a subscription is over, but not which answer ended it. */
function watchRefusal(subscriber: Subscriber, tell: (status: number | undefined) => void): void {
  const delegate = (subscriber as unknown as SubscriberInside).subscriberRequest?.request?.delegate;
  if (delegate === undefined) return;
  const inner = { ...delegate };
  delegate.onReject = (response) => {
    tell(response.message.statusCode);
    inner.onReject?.(response);
  };
  delegate.onRedirect = (response) => {
    tell(response.message.statusCode);
    inner.onRedirect?.(response);
  };
}
