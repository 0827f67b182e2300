import { z } from 'zod';
import { fileView } from './files.ts';
import { contactView, presenceView } from './people.ts';
import { storageView } from './storage.ts';
import * as views from './views.ts';

/** Version of the state after the event: exactly one more than before it. A gap means: take a new snapshot. */
const version = z.number().int();

/** Every payload is whole: it replaces what a screen knew of that thing. */
export const events = {
  account: z.object({ version, account: views.accountView }),
  conversation: z.object({ version, conversation: views.conversationView }),
  message: z.object({ version, message: views.messageView }),
  file: z.object({ version, file: fileView }),
  /** All of them, by name: somebody was added, changed or removed. */
  contacts: z.object({ version, contacts: z.array(contactView).readonly() }),
  presence: z.object({ version, presence: presenceView }),
  /** Many messages of a conversation came or went: what was known of them is asked for again. `isGone`: nothing is left of it. */
  conversationReset: z.object({ version, accountId: z.string(), conversation: z.string(), isGone: z.boolean() }),
  /** Everything is different now, as after an unlocking: take a new snapshot. */
  storage: z.object({ version, storage: storageView }),
  messageRemoved: z.object({ version, accountId: z.string(), conversation: z.string(), messageId: z.string() }),
} as const;

export type EventName = keyof typeof events;
export type EventPayload<Name extends EventName> = z.output<(typeof events)[Name]>;

export const eventEnvelope = z.discriminatedUnion('event', [
  z.object({ event: z.literal('account'), payload: events.account }),
  z.object({ event: z.literal('conversation'), payload: events.conversation }),
  z.object({ event: z.literal('message'), payload: events.message }),
  z.object({ event: z.literal('file'), payload: events.file }),
  z.object({ event: z.literal('contacts'), payload: events.contacts }),
  z.object({ event: z.literal('presence'), payload: events.presence }),
  z.object({ event: z.literal('conversationReset'), payload: events.conversationReset }),
  z.object({ event: z.literal('storage'), payload: events.storage }),
  z.object({ event: z.literal('messageRemoved'), payload: events.messageRemoved }),
]);
export type EventEnvelope = z.output<typeof eventEnvelope>;
