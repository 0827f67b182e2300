import {
  calls,
  type BridgeErrorCode,
  type CallInput,
  type CallName,
  type CallOutput,
  type EventEnvelope,
} from '../../src/contract/index.ts';
import { LinkDownError, type Transport } from './transport.ts';

/** A call that the other side did not do. `message` may be shown. */
export class BridgeCallError extends Error {
  override readonly name = 'BridgeCallError';
  readonly code: BridgeErrorCode;

  constructor(code: BridgeErrorCode, explanation: string) {
    super(explanation);
    this.code = code;
  }
}

/** The contract, typed, over any transport. */
export class BridgeClient {
  readonly #transport: Transport;
  #ids = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws BridgeCallError for every failure, `disconnected` when the link is down or breaks meanwhile. */
  async call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const reply = await this.#transport.call({ id: ++this.#ids, call: name, input }).catch((error: unknown) => {
      const code = error instanceof LinkDownError ? 'disconnected' : 'internal';
      throw new BridgeCallError(code, error instanceof Error ? error.message : 'The call failed.');
    });
    if (!reply.ok) throw new BridgeCallError(reply.error.code, reply.error.explanation);
    // The schema belongs to the same name as the type; the type system cannot follow the pair.
    return calls[name].output.parse(reply.output) as CallOutput<Name>;
  }

  onEvent(listener: (event: EventEnvelope) => void): void {
    this.#transport.onEvent(listener);
  }

  onLink(listener: (isUp: boolean) => void): void {
    this.#transport.onLink(listener);
  }

  close(): void {
    this.#transport.close();
  }
}
