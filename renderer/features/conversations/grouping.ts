import type { MessageList } from '../../bridge/state.ts';
import type { ConversationNotice, FileView, MessageView } from '../../../src/contract/index.ts';

/** What stands in a conversation. */
export type TranscriptItem = MessageView | FileView | ConversationNotice;

export function isFile(item: TranscriptItem): item is FileView {
  return 'transferred' in item;
}

export function isNotice(item: TranscriptItem): item is ConversationNotice {
  return 'kind' in item;
}

type Side = 'in' | 'out' | 'notice';

/** Messages and files of one sender that follow each other closely. */
export interface ItemGroup {
  readonly id: string;
  /** `notice`: what the user is told by this program. */
  readonly direction: Side;
  readonly items: readonly TranscriptItem[];
}

export interface Day {
  /** Midnight of the day where the user is, in milliseconds. */
  readonly start: number;
  readonly groups: readonly ItemGroup[];
}

const groupGapMilliseconds = 5 * 60_000;

/**
 * Messages in their order with what else happened at the same time between them. What is from before the oldest message that is
 * loaded, or from after the newest, comes with the messages that were around it.
 */
export function withOthers(
  { messages, hasMore, hasNewer }: MessageList,
  others: readonly (FileView | ConversationNotice)[],
): readonly TranscriptItem[] {
  const oldest = hasMore ? (messages[0]?.at ?? 0) : -Infinity;
  const newest = hasNewer ? (messages.at(-1)?.at ?? 0) : Infinity;
  const waiting = others.filter(({ at }) => at >= oldest && at <= newest).sort((a, b) => a.at - b.at);
  const items: TranscriptItem[] = [];
  for (const message of messages) {
    while (waiting[0] !== undefined && waiting[0].at < message.at) items.push(...waiting.splice(0, 1));
    items.push(message);
  }
  return [...items, ...waiting];
}

/** Messages and files, oldest first, by local day and then by sender. */
export function groupByDay(all: readonly TranscriptItem[]): readonly Day[] {
  const days: { start: number; groups: { id: string; direction: Side; items: TranscriptItem[] }[] }[] = [];
  for (const item of all) {
    const start = startOfDay(item.at);
    let day = days.at(-1);
    if (day?.start !== start) {
      day = { start, groups: [] };
      days.push(day);
    }
    const group = day.groups.at(-1);
    const previous = group?.items.at(-1);
    const direction = isNotice(item) ? 'notice' : item.direction;
    const isSameBurst = group?.direction === direction && item.at - (previous?.at ?? 0) <= groupGapMilliseconds;
    if (group !== undefined && isSameBurst) group.items.push(item);
    else day.groups.push({ id: item.id, direction, items: [item] });
  }
  return days;
}

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
