import type { ProtectionLevel } from '../../base/protection-level.ts';
import { identityText } from '../../protocol/mikey/index.ts';
import type { Evidence } from '../evidence.ts';
import { canonicalMembers, groupId } from '../groups/group.ts';
import { limits } from '../limits.ts';
import type { MessageContent } from '../message-content.ts';
import type { ReceivedMessage } from '../psk-mime/index.ts';

/** What came in a SIP MESSAGE, its protection taken off. */
export interface OpenedContent {
  /** KMS user identity of who proved to have sent it or, where nothing proves it, who the network says it is. */
  readonly peer: string;
  readonly content: MessageContent;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  readonly sealed: boolean;
  /** False when somebody else is named as its sender in one place or another. */
  readonly isHonest: boolean;
  /** Proven, or asserted by the network where we are registered: enough to believe that it is from a device of ours. */
  readonly isSenderSure: boolean;
  /** All to whom it went, in their one form: by the ticket, or else by what it says itself. */
  readonly recipients: readonly string[];
}

/** Where it is shown. */
export interface Place {
  readonly conversation: string;
  /** Of a group, its members. */
  readonly members?: readonly string[];
}

/** To whom a sealed message went: the KMS gives its key to these, and only to these. The sender's other devices are not counted. */
export function readersOf({ transfer }: ReceivedMessage): readonly string[] {
  const all = canonicalMembers(transfer.responders.map(identityText));
  const others = all.filter((reader) => reader !== identityText(transfer.initiator));
  return others.length === 0 ? all : others;
}

/** By the sender's word and that of the list service. */
export function claimedRecipients({ to, cc }: MessageContent, history: readonly string[]): readonly string[] {
  return canonicalMembers([...to, ...cc, ...history]);
}

/**
 * The conversation of a message that came in: with its sender, or with all whom it names where these are several.
 * @param isOurs another device of ours sent it: the conversation is that with the other side.
 */
export function placeOf({ peer, recipients }: Pick<OpenedContent, 'peer' | 'recipients'>, isOurs: boolean): Place {
  const others = recipients.filter((recipient) => recipient !== peer);
  const isGroup = others.length > 1 && others.length < limits.groupMembers;
  if (isGroup) {
    const members = [...others, peer];
    return { conversation: groupId(members), members };
  }
  const [other = peer] = others;
  return { conversation: isOurs ? other : peer };
}
