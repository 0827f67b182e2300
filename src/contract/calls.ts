import { z } from 'zod';
import { fileView, maxIconCharacters, pickedFile, sendFileOutcome } from './files.ts';
import { snapshot } from './snapshot.ts';
import * as views from './views.ts';

/** Upper bound of a text, in UTF-16 units; what the network takes is decided by the engine (`too-large`). */
export const maxTextLength = 200_000;

const accountId = z.string().min(1).max(200);
/** Long enough for any URI in use; the engine judges the grammar (`invalid-address`). */
const uri = z.string().trim().min(1).max(1000);
const id = z.string().min(1).max(200);
const conversationKey = { accountId, peer: uri };

const nothing = z.object({});

/** Every call a screen may make: its input is refused unless it matches, its output is cut down to what is named. */
export const calls = {
  getSnapshot: { input: z.strictObject({}), output: snapshot },
  /** The newest `limit` messages, oldest first; with `before`, the newest among those older than that message. */
  listMessages: {
    input: z.strictObject({ ...conversationKey, before: id.optional(), limit: z.int().min(1).max(500).default(100) }),
    output: z.object({ messages: z.array(views.messageView).readonly(), hasMore: z.boolean() }),
  },
  /**
   * `policy` demands for this message alone. `consent` accepts, for this contact from now on, the lower level that a
   * `consent-required` refusal or a waiting message offered. `replaces` names a refused or waiting attempt that this one takes
   * the place of.
   */
  sendMessage: {
    input: z.strictObject({
      accountId,
      to: uri,
      text: z.string().min(1).max(maxTextLength),
      way: views.messageWay,
      policy: views.policy.optional(),
      consent: z.boolean().optional(),
      replaces: id.optional(),
    }),
    output: views.sendOutcome,
  },
  /** Removes a refused or failed attempt from the conversation, or takes back one that waits. */
  discardMessage: { input: z.strictObject({ ...conversationKey, messageId: id }), output: nothing },
  /** All files of a conversation that are known, oldest first. */
  listFiles: { input: z.strictObject(conversationKey), output: z.object({ files: z.array(fileView).readonly() }) },
  /** The shell's dialog; null when the user chose nothing. Only where `files.choose` of the snapshot is `dialog`. */
  chooseFile: { input: z.strictObject({}), output: z.object({ file: pickedFile.nullable() }) },
  /** Offers a file that was chosen. `icon`: a preview, PNG, JPEG or WebP of at most 32 KiB in base64; anything else is left out. */
  sendFile: {
    input: z.strictObject({
      accountId,
      to: uri,
      token: id,
      icon: z.base64().max(maxIconCharacters).optional(),
      policy: views.policy.optional(),
      consent: z.boolean().optional(),
    }),
    output: sendFileOutcome,
  },
  acceptFile: { input: z.strictObject({ accountId, fileId: id }), output: nothing },
  declineFile: { input: z.strictObject({ accountId, fileId: id }), output: nothing },
  pauseFile: { input: z.strictObject({ accountId, fileId: id }), output: nothing },
  /** `consent` accepts the lower level that a `consent-required` problem offered. */
  resumeFile: { input: z.strictObject({ accountId, fileId: id, consent: z.boolean().optional() }), output: nothing },
  cancelFile: { input: z.strictObject({ accountId, fileId: id }), output: nothing },
  /** Shows a file that came in where it is. */
  showFile: { input: z.strictObject({ accountId, fileId: id }), output: nothing },
  openSession: {
    input: z.strictObject({ accountId, to: uri, policy: views.policy.optional() }),
    output: views.sessionOutcome,
  },
  closeSession: { input: z.strictObject({ accountId, sessionId: id }), output: nothing },
  /** Makes an empty conversation, so that a policy can be set before the first message. */
  startConversation: { input: z.strictObject(conversationKey), output: views.conversationView },
  /**
   * The user has seen the conversation up to this message: it was on the screen of a window in use. Senders who asked are told, where
   * the account allows.
   */
  markDisplayed: { input: z.strictObject({ ...conversationKey, messageId: id }), output: nothing },
  /** The user types, or has emptied what was typed. Told to the peer only in a session that stands, where the account allows. */
  composing: { input: z.strictObject({ ...conversationKey, isWriting: z.boolean() }), output: nothing },
  markRead: { input: z.strictObject(conversationKey), output: nothing },
  /** `policy: null` returns the contact to the account's policy. */
  setContactPolicy: {
    input: z.strictObject({ ...conversationKey, policy: views.policy.nullable() }),
    output: nothing,
  },
  /** Asks a key server that is away at once, instead of at the next attempt. */
  retryKms: { input: z.strictObject({ accountId }), output: views.kmsState },
  register: { input: z.strictObject({ accountId }), output: views.registrationState },
  unregister: { input: z.strictObject({ accountId }), output: views.registrationState },
} as const;

export type CallName = keyof typeof calls;
/** What a caller gives. */
export type CallInput<Name extends CallName> = z.input<(typeof calls)[Name]['input']>;
/** What the server side gets, defaults filled in. */
export type CheckedInput<Name extends CallName> = z.output<(typeof calls)[Name]['input']>;
export type CallOutput<Name extends CallName> = z.output<(typeof calls)[Name]['output']>;

export function isCallName(name: string): name is CallName {
  return Object.hasOwn(calls, name);
}
