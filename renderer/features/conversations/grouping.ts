import type { MessageView } from '../../../src/contract/index.ts';

/** Messages of one sender that follow each other closely. */
export interface MessageGroup {
  readonly id: string;
  readonly direction: MessageView['direction'];
  readonly messages: readonly MessageView[];
}

export interface Day {
  /** Midnight of the day where the user is, in milliseconds. */
  readonly start: number;
  readonly groups: readonly MessageGroup[];
}

const groupGapMilliseconds = 5 * 60_000;

/** Messages, oldest first, by local day and then by sender. */
export function groupByDay(messages: readonly MessageView[]): readonly Day[] {
  const days: { start: number; groups: { id: string; direction: 'in' | 'out'; messages: MessageView[] }[] }[] = [];
  for (const message of messages) {
    const start = startOfDay(message.at);
    let day = days.at(-1);
    if (day?.start !== start) {
      day = { start, groups: [] };
      days.push(day);
    }
    const group = day.groups.at(-1);
    const previous = group?.messages.at(-1);
    const isSameBurst =
      group?.direction === message.direction && message.at - (previous?.at ?? 0) <= groupGapMilliseconds;
    if (group !== undefined && isSameBurst) group.messages.push(message);
    else day.groups.push({ id: message.id, direction: message.direction, messages: [message] });
  }
  return days;
}

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
