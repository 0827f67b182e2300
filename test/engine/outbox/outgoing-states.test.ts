import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  advance,
  isSettled,
  outgoingEvents,
  outgoingStates,
  type OutgoingEvent,
  type OutgoingState,
} from '../../../src/engine/outbox/outgoing-states.ts';

/** All that moves anything; everything else leaves a state as it is. */
const moves: readonly [OutgoingState, OutgoingEvent, OutgoingState][] = [
  ['queued', 'left', 'sent'],
  ['queued', 'failed', 'failed'],
  ['queued', 'refused', 'refused'],
  ['sent', 'accepted', 'accepted'],
  ['sent', 'delivered', 'delivered'],
  ['sent', 'displayed', 'displayed'],
  ['sent', 'failed', 'failed'],
  ['accepted', 'delivered', 'delivered'],
  ['accepted', 'displayed', 'displayed'],
  ['accepted', 'failed', 'failed'],
  ['delivered', 'displayed', 'displayed'],
];

test.each(outgoingStates.flatMap((state) => outgoingEvents.map((event) => [state, event] as const)))(
  '%s, then %s',
  (state, event) => {
    const move = moves.find(([from, what]) => from === state && what === event);
    expect(advance(state, event)).toBe(move?.[2] ?? state);
  },
);

const ways: Readonly<Record<OutgoingState, number>> = {
  queued: 0,
  sent: 1,
  accepted: 2,
  delivered: 3,
  displayed: 4,
  failed: 5,
  refused: 5,
};

test('no sequence of events moves a message back or out of an end', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...outgoingEvents), { maxLength: 30 }), (events) => {
      let state: OutgoingState = 'queued';
      for (const event of events) {
        const next: OutgoingState = advance(state, event);
        if (next !== state) {
          expect(ways[next]).toBeGreaterThan(ways[state]);
          expect(['displayed', 'failed', 'refused']).not.toContain(state);
          if (next === 'refused') expect(state).toBe('queued');
          if (isSettled(state)) expect(isSettled(next)).toBe(true);
        }
        state = next;
      }
    }),
    { seed: 20_261_130, numRuns: 2_000 },
  );
});
