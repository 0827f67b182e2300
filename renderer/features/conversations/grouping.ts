import type { FileView, MessageView } from '../../../src/contract/index.ts';

/** What stands in a conversation. */
export type TranscriptItem = MessageView | FileView;

export function isFile(item: TranscriptItem): item is FileView {
  return 'transferred' in item;
}

/** Messages and files of one sender that follow each other closely. */
export interface ItemGroup {
  readonly id: string;
  readonly direction: 'in' | 'out';
  readonly items: readonly TranscriptItem[];
}

export interface Day {
  /** Midnight of the day where the user is, in milliseconds. */
  readonly start: number;
  readonly groups: readonly ItemGroup[];
}

const groupGapMilliseconds = 5 * 60_000;

/**
 * Messages in their order with the files of the same time between them. Files from before the oldest message that is loaded
 * come with the messages that were around them.
 */
export function withFiles(
  messages: readonly MessageView[],
  files: readonly FileView[],
  hasMore: boolean,
): readonly TranscriptItem[] {
  const oldest = hasMore ? (messages[0]?.at ?? 0) : -Infinity;
  const waiting = files.filter(({ at }) => at >= oldest).sort((a, b) => a.at - b.at);
  const items: TranscriptItem[] = [];
  for (const message of messages) {
    while (waiting[0] !== undefined && waiting[0].at < message.at) items.push(...waiting.splice(0, 1));
    items.push(message);
  }
  return [...items, ...waiting];
}

/** Messages and files, oldest first, by local day and then by sender. */
export function groupByDay(all: readonly TranscriptItem[]): readonly Day[] {
  const days: { start: number; groups: { id: string; direction: 'in' | 'out'; items: TranscriptItem[] }[] }[] = [];
  for (const item of all) {
    const start = startOfDay(item.at);
    let day = days.at(-1);
    if (day?.start !== start) {
      day = { start, groups: [] };
      days.push(day);
    }
    const group = day.groups.at(-1);
    const previous = group?.items.at(-1);
    const isSameBurst = group?.direction === item.direction && item.at - (previous?.at ?? 0) <= groupGapMilliseconds;
    if (group !== undefined && isSameBurst) group.items.push(item);
    else day.groups.push({ id: item.id, direction: item.direction, items: [item] });
  }
  return days;
}

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
