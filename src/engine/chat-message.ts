import type { Policy, ProtectionLevel } from '../base/protection-level.ts';
import type { Evidence } from './evidence.ts';
import type { FileView } from './files/file-view.ts';
import type { Refusal } from './refusal.ts';

/** `message` is a SIP MESSAGE, `msrp` travels in a session. */
export type MessageWay = 'message' | 'msrp';

/**
 * Outgoing, never backwards: `queued` (it waits, see `problem`), `sent` (it left, nobody said yet that it arrived), then `accepted` (the network or the peer's device took it), `delivered` (the peer's device said so), `displayed` (it said that its user has seen it) or `failed`.
 * Incoming: `received`; `undecryptable` (kept, see `problem`, may become `received` later); `refused` (text dropped by policy).
 */
export type MessageState =
  'queued' | 'sent' | 'accepted' | 'delivered' | 'displayed' | 'failed' | 'received' | 'undecryptable' | 'refused';

export interface ChatMessage {
  /** Unique within the account. */
  readonly id: string;
  /** Address of the peer, or id of the group. */
  readonly conversation: string;
  readonly direction: 'in' | 'out';
  readonly from: string;
  readonly to: string;
  /** Empty when the text is not known or was dropped. */
  readonly text: string;
  /** By the sender's word. */
  readonly subject?: string;
  /** When it was written by the sender's word and clock, milliseconds since 1970. */
  readonly sentAt?: number;
  /** Milliseconds since 1970: when it was sent or came in, by the clock of this device. */
  readonly at: number;
  readonly way: MessageWay;
  /** Says nothing while `state` is `queued`, nor when the message was refused after it had waited. */
  readonly level: ProtectionLevel;
  /** What proves `level`; absent for a message that never left. */
  readonly evidence?: Evidence;
  readonly state: MessageState;
  readonly problem?: Refusal;
  /** `imdn.Message-ID` (RFC 5438); the id itself for what this device sent. */
  readonly messageId?: string;
  /** Sent by another device of the same user; `direction` is `out`. */
  readonly fromOtherDevice?: true;
  /** It came out of an export, and not over the network: `level` is `none`, and there is no evidence. */
  readonly imported?: ImportedMark;
  /** Of a message to several: each with what became of it. `conversation` then names the group. */
  readonly recipients?: readonly RecipientState[];
}

/** What an export says of a message: the exporter's word, of which nothing was verified on this device. */
export interface ImportedMark {
  /** When it was imported, milliseconds since 1970. */
  readonly at: number;
  readonly level: ProtectionLevel;
  readonly evidence?: Evidence;
}

/** One of those to whom a message went. */
export interface RecipientState {
  readonly address: string;
  readonly state: MessageState;
  readonly problem?: Refusal;
}

export type SendOutcome =
  | { readonly outcome: 'sent'; readonly message: ChatMessage }
  /** It is kept and sent as soon as it can be, also after a restart; its `problem` says what it waits for, `messageState` when it went. */
  | { readonly outcome: 'waiting'; readonly message: ChatMessage }
  /** Too long for a message in a session: it was offered as a file, whose fate is told as that of any file. */
  | { readonly outcome: 'offered'; readonly file: FileView }
  /** `message` is what is kept of the attempt; absent where there was nothing to keep. */
  | { readonly outcome: 'refused'; readonly refusal: Refusal; readonly message?: ChatMessage };

export interface SessionView {
  readonly id: string;
  readonly peer: string;
  readonly direction: 'in' | 'out';
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  readonly openedAt: number;
}

export type OpenSessionOutcome =
  | { readonly outcome: 'opened'; readonly session: SessionView }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

export interface ConversationView {
  /** Address of the peer, or id of the group. */
  readonly peer: string;
  /** Of a group: the addresses of all who are in it, ourselves too. */
  readonly members?: readonly string[];
  readonly policy: Policy;
  /** The newest ones, oldest first. */
  readonly messages: readonly ChatMessage[];
}
