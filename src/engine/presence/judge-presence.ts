import type { PresenceDocument } from '../../protocol/presence/index.ts';
import type { PresenceState } from './presence-types.ts';

/** Activities of RFC 4480 section 3.2 in which somebody is not to be disturbed; every other known one means that they are away. */
const busy: readonly string[] = [
  'appointment',
  'busy',
  'in-transit',
  'looking-for-work',
  'meeting',
  'on-the-phone',
  'performance',
  'playing',
  'presentation',
  'steering',
  'tv',
  'working',
  'worship',
];
const away: readonly string[] = [
  'away',
  'breakfast',
  'dinner',
  'holiday',
  'meal',
  'permanent-absence',
  'sleeping',
  'spectator',
  'travel',
  'vacation',
];

/** One word for a whole document: the best of its devices, and what the person is said to be doing. */
export function judgePresence({ tuples, activities, notes }: PresenceDocument): {
  readonly state: PresenceState;
  readonly note?: string;
} {
  const open = tuples.filter(({ basic }) => basic === 'open');
  const note = open.find((tuple) => tuple.note !== undefined)?.note ?? notes[0] ?? tuples[0]?.note;
  const shown = note === undefined ? {} : { note };
  if (open.length === 0) return { state: 'offline', ...shown };
  if (activities.some((activity) => busy.includes(activity))) return { state: 'busy', ...shown };
  return { state: activities.some((activity) => away.includes(activity)) ? 'away' : 'available', ...shown };
}
