import type { z } from 'zod';
import { describeError } from '../../base/errors.ts';
import type { Unsubscribe } from '../../base/events.ts';
import { silentLogger, type Logger } from '../../base/log.ts';
import {
  callEnvelope,
  calls,
  eventEnvelope,
  isCallName,
  type BridgeErrorCode,
  type CallName,
  type EventEnvelope,
  type ReplyEnvelope,
  type Snapshot,
} from '../../contract/index.ts';
import { BridgeFault, type BridgeHost, type HostEvent } from './host.ts';

/** The server side of the contract: the same for the window's IPC and the console's WebSocket. */
export interface Bridge {
  /** Answers one envelope. Never rejects: whatever is wrong is in the reply. */
  handle(envelope: unknown): Promise<ReplyEnvelope>;
  subscribe(listener: (event: EventEnvelope) => void): Unsubscribe;
  /** Lets go of the host. */
  close(): void;
}

export interface BridgeOptions {
  readonly host: BridgeHost;
  readonly log?: Logger;
}

export function createBridge({ host, log = silentLogger }: BridgeOptions): Bridge {
  const listeners = new Set<(event: EventEnvelope) => void>();
  let version = 0;

  const unsubscribe = host.subscribe((event) => {
    version += 1;
    const envelope = eventEnvelope.safeParse(envelopeOf(event, version));
    if (!envelope.success) {
      // Screens notice the missing version and ask for a new snapshot.
      log.log('error', 'bridge.event-invalid', { event: event.event, field: describeIssue(envelope.error) });
      return;
    }
    for (const listener of [...listeners]) listener(envelope.data);
  });

  const run = (name: CallName, input: unknown): unknown => {
    if (name === 'getSnapshot') return { ...host.snapshot(), version } satisfies Snapshot;
    // Each schema belongs to the handler of the same name; the type system cannot follow the pair through the name.
    const handler = host[name].bind(host) as (checked: unknown) => unknown;
    return handler(input);
  };

  const handle = async (received: unknown): Promise<ReplyEnvelope> => {
    const envelope = callEnvelope.safeParse(received);
    if (!envelope.success) return failure(null, 'invalid-envelope', describeIssue(envelope.error));
    const { id, call, input } = envelope.data;
    if (!isCallName(call)) return failure(id, 'unknown-call', 'There is no such call.');
    const checked = calls[call].input.safeParse(input);
    if (!checked.success) return failure(id, 'invalid-input', describeIssue(checked.error));
    try {
      return { id, ok: true, output: calls[call].output.parse(await run(call, checked.data)) };
    } catch (error) {
      if (error instanceof BridgeFault) return failure(id, error.code, error.message);
      log.log('error', 'bridge.call-failed', { call, error: describeError(error) });
      return failure(id, 'internal', 'Tessera failed to do this. The log of the application has the details.');
    }
  };

  return {
    handle,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      unsubscribe();
      listeners.clear();
    },
  };
}

function envelopeOf({ event, ...payload }: HostEvent, version: number): unknown {
  return { event, payload: { version, ...payload } };
}

function failure(id: number | null, code: BridgeErrorCode, explanation: string): ReplyEnvelope {
  return { id, ok: false, error: { code, explanation } };
}

/** Names the field and the rule it breaks, never its content. */
function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'invalid';
  const field = issue.path.map(String).join('.');
  return `${field === '' ? 'value' : field}: ${issue.code}`;
}
