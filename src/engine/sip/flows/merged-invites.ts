import type { Clock } from '../../../base/clock.ts';
import { limits } from '../../limits.ts';
import type { IncomingInvite } from '../types.ts';
import { mergeKey } from './merged-messages.ts';

/** The longest that an invitation waits for its answer, and its transaction. */
const rememberedMilliseconds = 120_000;

/**
 * Of an INVITE that comes over several flows the first is told, the others are refused as merged (RFC 3261 clause 8.2.2.2); unless
 * the flow of the first has broken, over which no answer can leave any more.
 */
export class MergedInvites<Flow extends { readonly isConnected: boolean }> {
  readonly #clock: Clock;
  readonly #deliver: (invite: IncomingInvite) => void;
  readonly #known = new Map<string, { readonly at: number; readonly flow: Flow }>();

  constructor(clock: Clock, deliver: (invite: IncomingInvite) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  receive(invite: IncomingInvite, flow: Flow): void {
    this.#forgetOld();
    const key = mergeKey(invite);
    const known = this.#known.get(key);
    if (known?.flow.isConnected === true) {
      invite.reject(482, { reason: 'Merged Request' });
      return;
    }
    this.#known.set(key, { at: this.#clock.now(), flow });
    this.#deliver(invite);
  }

  #forgetOld(): void {
    const oldest = this.#clock.now() - rememberedMilliseconds;
    for (const [key, { at }] of this.#known) {
      if (at > oldest && this.#known.size < limits.sipMergedRequests) return;
      this.#known.delete(key);
    }
  }
}
