import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { RosterEntry } from '../../protocol/conference/index.ts';
import type { Evidence } from '../evidence.ts';
import type { Refusal } from '../refusal.ts';
import type { Policy } from '../../base/protection-level.ts';

/** A chat room that this account is or was in (RFC 7701). Whoever runs the room reads all that is said in it. */
export interface RoomView {
  readonly id: string;
  /** Address of the room. */
  readonly room: string;
  readonly state: 'open' | 'closed';
  /** Of the way to the room. */
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  /** The room lets its users be known by nicknames, and speak to one another alone. */
  readonly allows: { readonly nicknames: boolean; readonly privateMessages: boolean };
  /** Ours, once the room granted it. */
  readonly nickname?: string;
  readonly subject?: string;
  /** Who is there, as far as the room tells. */
  readonly roster: readonly RosterEntry[];
  /** Of a room that is closed. */
  readonly reason?: string;
}

export interface RoomMessage {
  /** Id of the room. */
  readonly roomId: string;
  readonly room: string;
  readonly id: string;
  readonly direction: 'in' | 'out';
  /** By the word of the room. */
  readonly from: string;
  /** The nickname or name of the sender, where the roster has one. */
  readonly name?: string;
  /** Said to one user alone, by whom it was meant for. */
  readonly privateTo?: string;
  readonly text: string;
  readonly at: number;
  readonly level: ProtectionLevel;
}

export interface JoinRequest {
  readonly room: string;
  readonly nickname?: string;
  readonly policy?: Policy;
  readonly consent?: boolean;
}

export type JoinOutcome =
  | { readonly outcome: 'joined'; readonly room: RoomView; readonly nickname?: NicknameOutcome }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

/** What the room said to a nickname (RFC 7701 section 7.1). */
export type NicknameOutcome =
  | { readonly outcome: 'granted'; readonly nickname: string }
  | {
      readonly outcome: 'refused';
      readonly why: 'taken' | 'malformed' | 'not-allowed' | 'no-answer' | 'no-such-room';
      /** MSRP status of the room, where it answered. */
      readonly status?: number;
    };

export type RoomSendOutcome =
  | { readonly outcome: 'sent'; readonly message: RoomMessage }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };
