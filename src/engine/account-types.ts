import type { Policy } from '../base/protection-level.ts';
import type { ChatMessage, MessageWay, SessionView } from './chat-message.ts';
import type { OutboxView } from './outbox/outbox.ts';
import type { FileView } from './files/file-view.ts';
import type { RoomMessage, RoomView } from './rooms/room-view.ts';
import type { Refusal } from './refusal.ts';
import type { SessionChange } from './sessions/session-book.ts';
import type { TicketKeeping } from './tickets/ticket-archive.ts';
import type { KmsState } from './tickets/kms-state.ts';
import type { FlowFacts, FlowStatus, OwnDevice, RegistrationState } from './sip/index.ts';

export interface AccountEvents {
  readonly registration: RegistrationState;
  /** Other devices of the user came or went: all of them. */
  readonly ownDevices: readonly OwnDevice[];
  /** A message that came in, readable or not. */
  readonly messageReceived: ChatMessage;
  /** A message of this account changed or, for an own one, came to be. */
  readonly messageState: ChatMessage;
  /** A message is gone: one that waited was taken back by the user, or what stood there unread turned out to be no text. */
  readonly messageCancelled: ChatMessage;
  readonly session: SessionChange;
  /** A peer begins to write, or is not writing any more. */
  readonly composing: { readonly peer: string; readonly isWriting: boolean };
  /** A file was offered, moved on, or ended. */
  readonly file: FileView;
  /** Whether keys for end-to-end protection can be had. */
  readonly kms: KmsState;
  /** A chat room was joined, changed, or is left. */
  readonly room: RoomView;
  /** Something was said in a chat room. */
  readonly roomMessage: RoomMessage;
  /** A policy was set for a contact, or taken away: then the account's counts. */
  readonly contactPolicy: { readonly peer: string; readonly policy: Policy | undefined };
  /** Something came in and was dropped or refused: a copy, a message or an invitation that the policy forbids. */
  readonly incomingRefused: IncomingRefusal;
}

export interface IncomingRefusal {
  readonly way: MessageWay;
  /** Who it seemed to be from. */
  readonly peer: string;
  readonly refusal: Refusal;
  /** What is kept of it in the history; absent for a copy. */
  readonly message?: ChatMessage;
}

/** What is still owed to the other side, for the user. */
export interface AccountOutbox {
  list(): readonly OutboxView[];
  /**
   * Tries what waits at once, whatever it waits for; a message that failed or was refused is taken up again at the end of its
   * conversation. Undefined when there is nothing of this id to be tried.
   */
  retry(id: string): Promise<ChatMessage | undefined>;
  /** Takes back what has not left, and ends the attempts at what may have. False when nothing of this id waits. */
  cancel(id: string): boolean;
}

export interface SendRequest {
  /** An address, or the id of a group that this account knows. */
  readonly to: string;
  readonly text: string;
  readonly way: MessageWay;
  /** For this message instead of the contact's. */
  readonly policy?: Policy;
  /** The user agrees, for this contact from now on, to the level that the last `consent-required` offered. */
  readonly consent?: boolean;
}

export interface SendToGroupRequest {
  /** Addresses of all but ourselves. */
  readonly recipients: readonly string[];
  readonly text: string;
  /** Instead of the strictest of its members'. */
  readonly policy?: Policy;
  /** The user agrees, for this group from now on, to the level that the last `consent-required` offered. */
  readonly consent?: boolean;
}

/** `asked`: as soon as it can be told end to end. `without-id`: its sender named no id in clear by which it could be asked for. */
export type AskResendOutcome = 'asked' | 'not-unreadable' | 'without-id' | 'asked-enough';

export interface ComposingRequest {
  readonly to: string;
  /** False when what was written is gone without having been sent. */
  readonly isWriting: boolean;
}

export interface SendFileRequest {
  readonly to: string;
  /** On this machine. */
  readonly path: string;
  /** A preview that goes with the offer: PNG, JPEG or WebP of at most 32 KiB; anything else is left out. */
  readonly icon?: Uint8Array;
  readonly policy?: Policy;
  readonly consent?: boolean;
}

export type SendFileOutcome =
  { readonly outcome: 'offered'; readonly file: FileView } | { readonly outcome: 'refused'; readonly refusal: Refusal };

export interface OpenSessionRequest {
  readonly to: string;
  readonly policy?: Policy;
  readonly consent?: boolean;
}

export interface AccountStatus {
  readonly identity: string;
  readonly policy: Policy;
  readonly registration: RegistrationState;
  /** Other devices that are registered under the same identity, as far as the network tells. */
  readonly ownDevices: readonly OwnDevice[];
  /** The connection to the SIP server; absent while there is none. */
  readonly flow?: FlowFacts;
  /** All flows of the account (RFC 5626), the first one first. */
  readonly flows: readonly FlowStatus[];
  readonly sessions: readonly SessionView[];
  readonly kms: KmsState;
  /** Where key tickets are kept. */
  readonly tickets: TicketKeeping;
  /** What end-to-end protection lacks on this device, if anything. */
  readonly endToEnd: { readonly keyManagementServer: string | null; readonly pskTls: boolean };
}
