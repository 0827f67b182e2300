import { z } from 'zod';
import { fileView, maxIconCharacters, pickedFile, sendFileOutcome } from './files.ts';
import { exportOutcome, importOutcome } from './history.ts';
import { cardReport, contactDraft, maxCardCharacters, putContactOutcome, trustRecord } from './people.ts';
import { maxSearchLength, searchPage } from './search.ts';
import { snapshot } from './snapshot.ts';
import { maxPassphraseLength, passphraseOutcome } from './storage.ts';
import * as views from './views.ts';

/** Upper bound of a text, in UTF-16 units; what the network takes is decided by the engine (`too-large`). */
export const maxTextLength = 200_000;

const accountId = z.string().min(1).max(200);
/** Long enough for any URI in use; the engine judges the grammar (`invalid-address`). */
const uri = z.string().trim().min(1).max(1000);
const id = z.string().min(1).max(200);
const conversationKey = { accountId, peer: uri };

const passphrase = z.string().min(1).max(maxPassphraseLength);

const nothing = z.object({});

/** Every call a screen may make: its input is refused unless it matches, its output is cut down to what is named. */
export const calls = {
  getSnapshot: { input: z.strictObject({}), output: snapshot },
  /**
   * The newest `limit` messages, oldest first; with `before` the newest among those older than that message, with `after` the oldest
   * among those newer than it, with `around` that message with some on both sides. One of the three at most.
   */
  listMessages: {
    input: z
      .strictObject({
        ...conversationKey,
        before: id.optional(),
        after: id.optional(),
        around: id.optional(),
        limit: z.int().min(1).max(500).default(100),
      })
      .refine(({ before, after, around }) => [before, after, around].filter((one) => one !== undefined).length <= 1),
    /** `hasMore`: there are older ones. `hasNewer`: there are newer ones. */
    output: z.object({
      messages: z.array(views.messageView).readonly(),
      hasMore: z.boolean(),
      hasNewer: z.boolean(),
    }),
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
  /** Tries a message at once that waits, or takes one up again that failed or was refused: as the same message, so that none is doubled. */
  retryMessage: { input: z.strictObject({ ...conversationKey, messageId: id }), output: nothing },
  /** Asks the sender of a message that could not be read to send it again. */
  askResend: {
    input: z.strictObject({ ...conversationKey, messageId: id }),
    output: z.object({ outcome: z.enum(['asked', 'not-unreadable', 'without-id', 'asked-enough']) }),
  },
  /** Words in the messages of all accounts: each as a word or the beginning of one. */
  search: {
    input: z.strictObject({
      text: z.string().max(maxSearchLength),
      limit: z.int().min(1).max(100).default(30),
      after: z.string().max(500).optional(),
    }),
    output: searchPage,
  },
  /** Without `peer` for the whole account. `null` returns a conversation to the account's rule. What is older goes at once. */
  setRetention: {
    input: z.strictObject({ accountId, peer: uri.optional(), keep: views.retention.nullable() }),
    output: z.object({ removed: z.int() }),
  },
  /** Removes all messages of a conversation from this device; what waits is taken back. */
  removeConversation: { input: z.strictObject(conversationKey), output: nothing },
  /** The user has read what a conversation was told. */
  dismissNotice: { input: z.strictObject({ ...conversationKey, noticeId: id }), output: nothing },
  /** Everything that was said in an account or in one conversation, where the shell saves it. Not encrypted. */
  exportHistory: {
    input: z.strictObject({ accountId, peer: uri.optional(), format: z.enum(['html', 'json']) }),
    output: exportOutcome,
  },
  /** Takes the messages of an export that was chosen; they are marked as imported. */
  importHistory: { input: z.strictObject({ token: id }), output: importOutcome },
  /** Begins a conversation with several, where the account has a list service. */
  startGroup: {
    input: z.strictObject({ accountId, members: z.array(uri).min(2).max(100) }),
    output: views.conversationView,
  },
  putContact: { input: z.strictObject({ contact: contactDraft }), output: putContactOutcome },
  removeContact: { input: z.strictObject({ contactId: id }), output: nothing },
  /** The text of a vCard file. What the user wrote is not replaced. */
  importContacts: { input: z.strictObject({ cards: z.string().max(maxCardCharacters) }), output: cardReport },
  /** All contacts as the text of a vCard file. */
  exportContacts: { input: z.strictObject({}), output: z.object({ cards: z.string() }) },
  /** What vouched for a peer until now, an entry for each account. */
  listTrust: {
    input: z.strictObject({ address: uri }),
    output: z.object({ records: z.array(trustRecord).readonly() }),
  },
  /** Turns the watching of contacts on or off for an account; all are watched. */
  setPresence: { input: z.strictObject({ accountId, watches: z.boolean() }), output: nothing },
  /** Opens what is kept. A wrong one changes nothing. */
  unlockStorage: { input: z.strictObject({ passphrase }), output: passphraseOutcome },
  /** Where the storage is `undecided`: messages are kept under this passphrase from now on. */
  setStoragePassphrase: { input: z.strictObject({ passphrase: passphrase.min(8) }), output: passphraseOutcome },
  /** Where the storage is `undecided`: messages are kept in memory for this run. */
  skipStorage: { input: z.strictObject({}), output: nothing },
  changeStoragePassphrase: {
    input: z.strictObject({ old: passphrase, fresh: passphrase.min(8) }),
    output: passphraseOutcome,
  },
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
  /** The user takes the certificate of this SHA-256, that the server shows now, for the right one. The next registration uses it. */
  acceptServerCertificate: {
    input: z.strictObject({ accountId, sha256: z.string().regex(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/) }),
    output: views.registrationState,
  },
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
