import type { CallEnvelope, EventEnvelope, ReplyEnvelope } from '../../src/contract/index.ts';

/** A road to the engine. `call` rejects when the road is down or breaks before the answer. */
export interface Transport {
  call(envelope: CallEnvelope): Promise<ReplyEnvelope>;
  onEvent(listener: (event: EventEnvelope) => void): void;
  /** Tells the present state at once, then every change. */
  onLink(listener: (isUp: boolean) => void): void;
  close(): void;
}

export class LinkDownError extends Error {
  override readonly name = 'LinkDownError';
}
