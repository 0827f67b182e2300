import { z } from 'zod';
import { eventEnvelope, type EventEnvelope } from './events.ts';
import type { PickedFile } from './files.ts';

export const bridgeErrorCode = z.enum([
  'invalid-envelope', // not a call at all
  'unknown-call',
  'invalid-input', // the explanation names the field
  'no-such-account',
  'no-such-conversation',
  'no-such-message',
  'unavailable', // this shell cannot do that, or the storage is locked
  'no-such-contact',
  'no-such-file', // gone, or not in a state in which that can be done
  'internal', // a fault of ours; details are in the log of the other side
  'disconnected', // raised by the client: the other side is gone, the fate of the call is unknown
]);
export type BridgeErrorCode = z.infer<typeof bridgeErrorCode>;

export const bridgeError = z.object({ code: bridgeErrorCode, explanation: z.string() });
export type BridgeError = z.infer<typeof bridgeError>;

/** Screen to engine. `id` is chosen by the caller and returned with the reply. */
export const callEnvelope = z.strictObject({ id: z.int().min(0), call: z.string().max(100), input: z.unknown() });
export type CallEnvelope = z.infer<typeof callEnvelope>;

/** Engine to screen, one for each call. `id` is null when the envelope could not be read. */
export const replyEnvelope = z.union([
  z.object({ id: z.number(), ok: z.literal(true), output: z.unknown() }),
  z.object({ id: z.number().nullable(), ok: z.literal(false), error: bridgeError }),
]);
export type ReplyEnvelope = z.infer<typeof replyEnvelope>;

export const serverEnvelope = z.union([replyEnvelope, eventEnvelope]);
export type ServerEnvelope = ReplyEnvelope | EventEnvelope;

/** What the desktop shell's preload script puts on `window.tessera`. */
export interface PreloadBridge {
  call(envelope: CallEnvelope): Promise<ReplyEnvelope>;
  /** Returns a function that ends the subscription. */
  onEvent(listener: (event: EventEnvelope) => void): () => void;
  /** For a file that the user let fall on the window: its token, or null for what is no file of this machine. */
  pickDropped(file: File): Promise<PickedFile | null>;
}
