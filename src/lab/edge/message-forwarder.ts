import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { flipCmsBit } from '../faults.ts';
import type { LabUser } from '../users.ts';
import type { Binding, Target } from './bindings.ts';
import { toDevice } from './destinations.ts';
import type { Flow } from './flow.ts';
import type { ForwardingTools } from './forwarding-tools.ts';
import { replyTo } from './replies.ts';
import { retarget } from './request-rules.ts';
import { StoredDelivery } from './stored-delivery.ts';

/** Whom a MESSAGE is for; `instance` when only that device is meant. */
export interface Addressee {
  readonly user: LabUser;
  readonly instance: string | undefined;
}

/** Requests outside a dialog other than INVITE: MESSAGE with store and forward and the faults that concern it, and the rest. */
export class MessageForwarder {
  readonly #tools: ForwardingTools;
  readonly #stored: StoredDelivery;

  constructor(tools: ForwardingTools) {
    this.#tools = tools;
    this.#stored = new StoredDelivery(tools);
  }

  forward(
    flow: Flow,
    request: SipMessage,
    prepared: SipMessage,
    addressee: Addressee,
    targets: readonly Target[],
  ): void {
    const { faults, timers } = this.#tools;
    this.#tools.capture(request);
    if (faults.dropMessages === true) return;
    if (faults.flipCmsBit === true) {
      prepared.body = flipCmsBit(prepared.headers.get('Content-Type') ?? '', prepared.body);
    }
    const forward = (): void => {
      const isBehind = this.#stored.isBehind(addressee.user);
      if (targets.length > 0 && !isBehind) this.#forwardMessage(flow, request, prepared, addressee.user, targets);
      // A device that is not there gets nothing later: it may never come back (RFC 5627 5.5 asks for 480).
      else if (addressee.instance !== undefined) flow.send(replyTo(request, 480));
      else this.#keep(flow, request, prepared, addressee.user);
    };
    if (faults.delay === undefined) forward();
    else timers.after(faults.delay, forward);
  }

  /** To all devices at once. */
  forwardPlain(flow: Flow, request: SipMessage, prepared: SipMessage, targets: readonly Target[]): void {
    const forwarding = this.#tools.forwarding(flow, request);
    for (const target of targets) forwarding.add(...toDevice(prepared, target));
    forwarding.start();
  }

  /** From the network itself, as the list service sends: durable before anything else, so that it may be acknowledged. */
  submit(message: SipMessage, user: LabUser): boolean {
    const isKept = this.#tools.messages.add(user, message);
    if (isKept && !this.#stored.isBehind(user)) this.#stored.deliver(user);
    return isKept;
  }

  deliverStored(binding: Binding): void {
    this.#stored.deliver(binding.user);
  }

  stop(): void {
    this.#stored.stop();
  }

  #forwardMessage(
    flow: Flow,
    request: SipMessage,
    prepared: SipMessage,
    user: LabUser,
    targets: readonly Target[],
  ): void {
    const isReplayed = this.#tools.faults.replayMessages === true;
    const forwarding = this.#tools.forwarding(flow, request, {
      finished: (response) => {
        if (isReplayed) for (const [binding] of targets) this.#replay(binding, prepared);
        if (isSuccess(response)) this.#copyToOwnDevices(flow, prepared, user);
      },
    });
    for (const target of targets) forwarding.add(...toDevice(prepared, target));
    forwarding.start();
  }

  /** RFC 3428 7: 202 when the message is kept for later. */
  #keep(flow: Flow, request: SipMessage, prepared: SipMessage, user: LabUser): void {
    const message = prepared.clone();
    message.headers.remove('Via');
    const isKept = this.#tools.messages.add(user, message);
    flow.send(replyTo(request, isKept ? 202 : 480));
    if (isKept) this.#copyToOwnDevices(flow, prepared, user);
  }

  /** What a user sent on one device appears on the others: To names the recipient, P-Asserted-Identity the user. */
  #copyToOwnDevices(flow: Flow, prepared: SipMessage, recipient: LabUser): void {
    const { user } = flow;
    if (!this.#tools.copiesSentMessages || user === undefined || user === recipient) return;
    for (const target of this.#tools.registrar.bindings.targets(user)) {
      const isSender = target.some(
        (binding) => binding.flow === flow || (flow.instance !== undefined && binding.instance === flow.instance),
      );
      if (isSender) continue;
      const copy = prepared.clone();
      copy.headers.remove('Via').set('Call-ID', randomId(secureRandom, 16));
      const forwarding = this.#tools.forwarding(undefined, copy);
      forwarding.add(...toDevice(copy, target));
      forwarding.start();
    }
  }

  #replay(binding: Binding, prepared: SipMessage): void {
    const copy = prepared.clone();
    copy.headers.remove('Via').set('Call-ID', randomId(secureRandom, 16));
    const forwarding = this.#tools.forwarding(undefined, copy, {
      finished: (response) => this.#tools.replayed(response?.status ?? 408),
    });
    forwarding.add({ flow: binding.flow, request: retarget(copy, binding.contact.uri) });
    forwarding.start();
  }
}

function isSuccess(response: SipMessage | undefined): boolean {
  const status = response?.status ?? 0;
  return status >= 200 && status < 300;
}
