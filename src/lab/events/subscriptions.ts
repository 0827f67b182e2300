import { parseNameAddress } from '../../protocol/sip/headers.ts';
import { SipMessage } from '../../protocol/sip/message.ts';
import type { Flow } from '../edge/flow.ts';
import type { ForwardingTools } from '../edge/forwarding-tools.ts';
import { replyTo } from '../edge/replies.ts';
import { edgeUri } from '../edge/transports.ts';
import type { LabUser } from '../users.ts';

/** What a subscriber is told. */
export interface EventState {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** One dialog of a SUBSCRIBE (RFC 6665), with the device that asked. */
export interface Subscription {
  readonly resource: LabUser;
  readonly subscriber: LabUser;
  /** Grows by one with each NOTIFY; documents that have a version use it. */
  version: number;
  readonly instance: string | undefined;
  flow: Flow;
  readonly event: string;
  readonly callId: string;
  /** From and To of the NOTIFY requests, with both tags. */
  readonly from: string;
  readonly to: string;
  target: string;
  sequence: number;
  /** Milliseconds since 1970. */
  until: number;
  cancelExpiry: () => void;
}

export interface SubscriptionsOptions {
  /** Event package, for example `reg`. */
  readonly event: string;
  readonly tools: ForwardingTools;
  readonly defaultSeconds: number;
  /** The state for one subscriber right now. */
  state(subscription: Subscription): EventState;
  mayWatch(subscriber: LabUser, resource: LabUser): boolean;
}

const maxSeconds = 3600;
const maxSubscriptions = 1000;

/** The notifier's side of one event package: SUBSCRIBE in, NOTIFY out (RFC 6665 4.2). */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #subscriptions = new Map<string, Subscription>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  handles(request: SipMessage): boolean {
    const event = request.headers.get('Event') ?? '';
    return request.method === 'SUBSCRIBE' && event.split(';', 1)[0]?.trim().toLowerCase() === this.#options.event;
  }

  subscribe(flow: Flow, subscriber: LabUser, request: SipMessage): void {
    const key = keyOf(request);
    const known = this.#subscriptions.get(key);
    const isInDialog = parseNameAddress(request.headers.get('To') ?? '', 'sip.To').parameters.has('tag');
    if (isInDialog && known === undefined) {
      flow.send(replyTo(request, 481));
      return;
    }
    const uri = request.start.kind === 'request' ? request.start.uri : '';
    const resource = known?.resource ?? this.#options.tools.registrar.userOf(uri);
    if (resource === undefined) flow.send(replyTo(request, 404));
    else if (!this.#options.mayWatch(subscriber, resource)) flow.send(replyTo(request, 403));
    else if (known === undefined && this.#subscriptions.size >= maxSubscriptions) flow.send(replyTo(request, 503));
    else this.#accept(flow, subscriber, resource, request, known);
  }

  /** To everybody who watches that user; `ends` closes these subscriptions with that reason (RFC 6665 4.1.3). */
  notify(resource: LabUser, ends?: string): void {
    for (const [key, subscription] of this.#subscriptions) {
      if (subscription.resource !== resource) continue;
      if (ends === undefined) this.#notify(key, subscription);
      else this.#end(key, subscription, ends);
    }
  }

  stop(): void {
    for (const { cancelExpiry } of this.#subscriptions.values()) cancelExpiry();
    this.#subscriptions.clear();
  }

  #accept(
    flow: Flow,
    subscriber: LabUser,
    resource: LabUser,
    request: SipMessage,
    known: Subscription | undefined,
  ): void {
    const asked = Number.parseInt(request.headers.get('Expires') ?? String(this.#options.defaultSeconds), 10);
    const seconds = Math.min(Number.isNaN(asked) ? this.#options.defaultSeconds : asked, maxSeconds);
    const reply = replyTo(request, 200);
    reply.headers.add('Contact', `<${edgeUri(flow, '', resource.name)}>`).add('Expires', String(seconds));
    flow.send(reply);
    const subscription = known ?? this.#create(flow, subscriber, resource, request, reply);
    subscription.flow = flow;
    if (request.headers.has('Contact')) subscription.target = contactOf(request);
    subscription.until = Date.now() + seconds * 1000;
    subscription.cancelExpiry();
    const key = known === undefined ? keyOf(reply) : keyOf(request);
    if (seconds === 0) {
      this.#end(key, subscription, 'timeout');
      return;
    }
    subscription.cancelExpiry = this.#options.tools.timers.after(seconds * 1000, () =>
      this.#end(key, subscription, 'timeout'),
    );
    this.#subscriptions.set(key, subscription);
    this.#notify(key, subscription);
  }

  #create(flow: Flow, subscriber: LabUser, resource: LabUser, request: SipMessage, reply: SipMessage): Subscription {
    return {
      resource,
      subscriber,
      version: 0,
      instance: flow.instance,
      flow,
      event: request.headers.get('Event') ?? this.#options.event,
      callId: request.headers.get('Call-ID') ?? '',
      from: reply.headers.get('To') ?? '',
      to: request.headers.get('From') ?? '',
      target: contactOf(request),
      sequence: 0,
      until: 0,
      cancelExpiry: () => undefined,
    };
  }

  #end(key: string, subscription: Subscription, reason: string): void {
    subscription.cancelExpiry();
    this.#subscriptions.delete(key);
    this.#send(subscription, `terminated;reason=${reason}`, () => undefined);
  }

  #notify(key: string, subscription: Subscription): void {
    const seconds = Math.max(1, Math.round((subscription.until - Date.now()) / 1000));
    this.#send(subscription, `active;expires=${seconds}`, (status) => {
      // RFC 6665 4.2.2: whoever does not know the dialog, or is not there, is told no more.
      if (status >= 300) {
        subscription.cancelExpiry();
        this.#subscriptions.delete(key);
      }
    });
  }

  #send(subscription: Subscription, state: string, answered: (status: number) => void): void {
    const flow = this.#flowTo(subscription);
    if (flow === undefined) {
      answered(480);
      return;
    }
    const { contentType, body } = this.#options.state(subscription);
    subscription.version += 1;
    subscription.sequence += 1;
    const notify = SipMessage.request('NOTIFY', subscription.target);
    notify.headers
      .add('Max-Forwards', '70')
      .add('From', subscription.from)
      .add('To', subscription.to)
      .add('Call-ID', subscription.callId)
      .add('CSeq', `${subscription.sequence} NOTIFY`)
      .add('Contact', `<${edgeUri(flow, '', subscription.resource.name)}>`)
      .add('Event', subscription.event)
      .add('Subscription-State', state)
      .add('Content-Type', contentType);
    notify.body = body;
    const forwarding = this.#options.tools.forwarding(undefined, notify, {
      finished: (response) => answered(response?.status ?? 408),
    });
    forwarding.add({ flow, request: notify });
    forwarding.start();
  }

  /** The flow of the subscription, or another one of the same device (RFC 5626 4.3). */
  #flowTo({ flow, subscriber, instance }: Subscription): Flow | undefined {
    if (flow.isOpen) return flow;
    const bindings = this.#options.tools.registrar.bindings.of(subscriber);
    return bindings.findLast((binding) => instance !== undefined && binding.instance === instance)?.flow;
  }
}

function contactOf(request: SipMessage): string {
  return parseNameAddress(request.headers.get('Contact') ?? '', 'sip.Contact').uri;
}

/** Call-ID with the tags of both sides; the same for a SUBSCRIBE inside the dialog and for our answer to the first one. */
function keyOf(message: SipMessage): string {
  const tag = (name: string): string =>
    parseNameAddress(message.headers.get(name) ?? '', `sip.${name}`).parameters.get('tag') ?? '';
  return `${message.headers.get('Call-ID') ?? ''} ${tag('From')} ${tag('To')}`;
}
