import {
  eventEnvelope,
  replyEnvelope,
  type CallEnvelope,
  type EventEnvelope,
  type PreloadBridge,
  type ReplyEnvelope,
} from '../../src/contract/index.ts';
import type { Transport } from './transport.ts';

/** The desktop shell's preload script. The engine lives in the same application, so the link is always up. */
export class PreloadTransport implements Transport {
  readonly #bridge: PreloadBridge;
  readonly #subscriptions: (() => void)[] = [];

  constructor(bridge: PreloadBridge) {
    this.#bridge = bridge;
  }

  async call(envelope: CallEnvelope): Promise<ReplyEnvelope> {
    return replyEnvelope.parse(await this.#bridge.call(envelope));
  }

  onEvent(listener: (event: EventEnvelope) => void): void {
    const subscription = this.#bridge.onEvent((event) => {
      const checked = eventEnvelope.safeParse(event);
      if (checked.success) listener(checked.data);
    });
    this.#subscriptions.push(subscription);
  }

  onLink(listener: (isUp: boolean) => void): void {
    listener(true);
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
  }
}
