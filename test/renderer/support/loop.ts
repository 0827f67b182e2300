import type { CallEnvelope, EventEnvelope, ReplyEnvelope } from '../../../src/contract/index.ts';
import { createBridge, type Bridge } from '../../../src/node/bridge/bridge.ts';
import type { BridgeHost } from '../../../src/node/bridge/host.ts';
import { LinkDownError, type Transport } from '../../../renderer/bridge/transport.ts';

/** The bridge in the same process, with everything turned to JSON on the way, and a link that can be cut. */
export class LoopTransport implements Transport {
  readonly #bridge: Bridge;
  readonly #links: ((isUp: boolean) => void)[] = [];
  readonly #events: ((event: EventEnvelope) => void)[] = [];
  #isUp = true;
  /** Drops events while true, as a fault on the way would. */
  isDeaf = false;
  readonly calls: string[] = [];

  constructor(host: BridgeHost) {
    this.#bridge = createBridge({ host });
    this.#bridge.subscribe((event) => {
      if (!this.#isUp || this.isDeaf) return;
      for (const listener of this.#events) listener(copy(event));
    });
  }

  async call(envelope: CallEnvelope): Promise<ReplyEnvelope> {
    if (!this.#isUp) throw new LinkDownError('down');
    this.calls.push(envelope.call);
    const reply = await this.#bridge.handle(copy(envelope));
    return copy(reply);
  }

  onEvent(listener: (event: EventEnvelope) => void): void {
    this.#events.push(listener);
  }

  onLink(listener: (isUp: boolean) => void): void {
    this.#links.push(listener);
    listener(this.#isUp);
  }

  setUp(isUp: boolean): void {
    this.#isUp = isUp;
    for (const listener of this.#links) listener(isUp);
  }

  close(): void {
    this.#bridge.close();
  }
}

function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
