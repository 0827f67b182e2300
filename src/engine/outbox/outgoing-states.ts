import type { MessageState } from '../chat-message.ts';

/** The states of a message of ours, in their order; the last two are ends beside it. */
export const outgoingStates = [
  'queued',
  'sent',
  'accepted',
  'delivered',
  'displayed',
  'failed',
  'refused',
] as const satisfies readonly MessageState[];
export type OutgoingState = (typeof outgoingStates)[number];

/**
 * What can happen to it:
 * - `left`: octets of it may have left this device
 * - `accepted`: the network or the peer's device took it
 * - `delivered`, `displayed`: the peer's device said so
 * - `failed`: it is given up, or its recipient's side said that it will not arrive
 * - `refused`: the policy or a missing key forbade it before anything left
 */
export const outgoingEvents = ['left', 'accepted', 'delivered', 'displayed', 'failed', 'refused'] as const;
export type OutgoingEvent = (typeof outgoingEvents)[number];

/**
 *     queued --left--> sent --accepted--> accepted --delivered--> delivered --displayed--> displayed
 *        \               \                   \
 *         +-> refused     +-----> failed <----+          (a receipt may skip states, and none goes back)
 */
const table: Readonly<Record<OutgoingState, Partial<Record<OutgoingEvent, OutgoingState>>>> = {
  queued: { left: 'sent', failed: 'failed', refused: 'refused' },
  sent: { accepted: 'accepted', delivered: 'delivered', displayed: 'displayed', failed: 'failed' },
  accepted: { delivered: 'delivered', displayed: 'displayed', failed: 'failed' },
  delivered: { displayed: 'displayed' },
  displayed: {},
  failed: {},
  refused: {},
};

/** The state after an event: the same one for what comes late, twice, or moves nothing. */
export function advance(state: OutgoingState, event: OutgoingEvent): OutgoingState {
  return table[state][event] ?? state;
}

/** Whether nothing more is owed to it: the peer's side has it, or it never will. */
export function isSettled(state: OutgoingState): boolean {
  return state !== 'queued' && state !== 'sent';
}

export function isOutgoingState(state: MessageState): state is OutgoingState {
  return (outgoingStates as readonly MessageState[]).includes(state);
}
