import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { flipCmsBit } from '../faults.ts';
import type { LabUser } from '../users.ts';
import type { Flow } from './flow.ts';
import { MessageStore } from './message-store.ts';
import type { ForwardingTools } from './forwarding-tools.ts';
import type { Binding } from './registrar.ts';
import { replyTo } from './replies.ts';
import { retarget } from './request-rules.ts';

/** Requests outside a dialog other than INVITE: MESSAGE with store and forward and the faults that concern it, and the rest. */
export class MessageForwarder {
  readonly #tools: ForwardingTools;
  readonly #store = new MessageStore();

  constructor(tools: ForwardingTools) {
    this.#tools = tools;
  }

  forward(flow: Flow, request: SipMessage, prepared: SipMessage, user: LabUser, bindings: readonly Binding[]): void {
    const { faults, timers } = this.#tools;
    this.#tools.capture(request);
    if (faults.dropMessages === true) return;
    if (faults.flipCmsBit === true) {
      prepared.body = flipCmsBit(prepared.headers.get('Content-Type') ?? '', prepared.body);
    }
    const forward = (): void => {
      if (bindings.length > 0) this.forwardPlain(flow, request, prepared, bindings);
      // RFC 3428 7: 202 when the message is kept for later.
      else flow.send(replyTo(request, this.#keep(user, prepared) ? 202 : 480));
    };
    if (faults.delay === undefined) forward();
    else timers.after(faults.delay, forward);
  }

  /** To all contacts at once. */
  forwardPlain(flow: Flow, request: SipMessage, prepared: SipMessage, bindings: readonly Binding[]): void {
    const replay = request.method === 'MESSAGE' && this.#tools.faults.replayMessages === true;
    const forwarding = this.#tools.forwarding(flow, request, {
      finished: () => {
        if (replay) for (const binding of bindings) this.#replay(binding, prepared);
      },
    });
    for (const { flow: target, contact } of bindings) {
      forwarding.add(target, retarget(prepared, contact.uri), this.#tools.addressOf(target));
    }
    forwarding.start();
  }

  deliverStored(binding: Binding): void {
    for (const message of this.#store.take(binding.user)) {
      this.#sendFromEdge(binding, message, (response) => {
        // 408 and 480 are our own: the UE went away before it answered.
        if (response === undefined || response.status === 408 || response.status === 480) {
          this.#store.add(binding.user, message);
        }
      });
    }
  }

  #keep(user: LabUser, prepared: SipMessage): boolean {
    const message = prepared.clone();
    message.headers.remove('Via');
    return this.#store.add(user, message);
  }

  #replay(binding: Binding, prepared: SipMessage): void {
    const copy = prepared.clone();
    copy.headers.remove('Via').set('Call-ID', randomId(secureRandom, 16));
    this.#sendFromEdge(binding, copy, (response) => this.#tools.replayed(response?.status ?? 408));
  }

  #sendFromEdge(binding: Binding, message: SipMessage, finished: (response: SipMessage | undefined) => void): void {
    const forwarding = this.#tools.forwarding(undefined, message, { finished });
    forwarding.add(binding.flow, retarget(message, binding.contact.uri), this.#tools.addressOf(binding.flow));
    forwarding.start();
  }
}
