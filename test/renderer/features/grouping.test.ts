import { expect, it } from 'vitest';
import { groupByDay } from '../../../renderer/features/conversations/grouping.ts';
import type { MessageView } from '../../../src/contract/index.ts';

const noon = new Date(2026, 5, 10, 12).getTime();
const minute = 60_000;

function message(direction: 'in' | 'out', at: number): MessageView {
  const id = `${direction}${at}`;
  const base = {
    accountId: 'a',
    conversation: 'sip:b@c',
    from: '',
    to: '',
    text: '',
    way: 'message',
    level: 'e2e',
  } as const;
  return { ...base, id, direction, at, state: 'received' };
}

it('groups by day, sender and burst', () => {
  const days = groupByDay([
    message('in', noon - 24 * 60 * minute),
    message('in', noon),
    message('in', noon + 4 * minute),
    message('out', noon + 5 * minute),
    message('out', noon + 11 * minute),
    message('in', noon + 12 * minute),
  ]);
  expect(days.map((day) => day.groups.map((group) => `${group.direction}${group.items.length}`))).toEqual([
    ['in1'],
    ['in2', 'out1', 'out1', 'in1'],
  ]);
});

it('starts days at local midnight', () => {
  const beforeMidnight = new Date(2026, 5, 10, 23, 59, 59).getTime();
  const afterMidnight = new Date(2026, 5, 11, 0, 0, 1).getTime();
  expect(groupByDay([message('in', beforeMidnight), message('in', afterMidnight)])).toHaveLength(2);
});
