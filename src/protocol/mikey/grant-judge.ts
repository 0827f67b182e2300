import type { TicketFlags } from './flags.ts';

type FlagName = keyof TicketFlags;

/** One way in which a granted policy differs from the one that was asked for, and that may still be acceptable. */
export type GrantDifference =
  | { readonly what: 'flag'; readonly name: FlagName; readonly granted: boolean }
  /** The ticket's life begins later, ends earlier, or its keys are to be replaced more often. */
  | { readonly what: 'life' | 'rekeying' }
  /** Somebody whom we named may not resolve the ticket. */
  | { readonly what: 'fewer-responders' }
  /** Only some applications may use the ticket. */
  | { readonly what: 'applications' };

/**
 * Decides about each difference; `false` refuses the ticket. What would protect worse than asked never comes before it:
 * such a ticket is refused whatever the judge thinks (`neverGranted`).
 */
export type GrantJudge = (difference: GrantDifference) => boolean;

/** Changes of a flag that take protection away: refused without asking anybody. */
export const neverGranted: readonly { readonly name: FlagName; readonly granted: boolean; readonly loses: string }[] = [
  { name: 'D', granted: false, loses: 'a ticket made by the KMS' },
  { name: 'E', granted: false, loses: 'the check of the KMS on who resolves' },
  { name: 'F', granted: false, loses: 'confirmation by the responder' },
  { name: 'G', granted: false, loses: 'freshness from the responder' },
  { name: 'H', granted: false, loses: 'freshness from the initiator' },
  { name: 'I', granted: false, loses: 'keys of its own for each endpoint and proof of the initiator' },
  { name: 'J', granted: true, loses: 'single use' },
  { name: 'L', granted: true, loses: 'keys from the KMS only' },
  { name: 'M', granted: true, loses: 'keys from the KMS only' },
  { name: 'N', granted: false, loses: 'processing that we know' },
  { name: 'O', granted: false, loses: 'processing that we know' },
];

/** Flags that a KMS may turn into the stricter value without changing how the exchange goes on. */
const stricter: Partial<Record<FlagName, boolean>> = {
  E: true,
  J: false,
  L: false,
  M: false,
  N: true,
  O: true,
};

/**
 * The judge of who names none: shorter lives, more frequent keys and stricter flags are taken. A flag that changes the course of
 * the exchange (F, G, H or I set unasked) and a ticket for fewer people or applications are not what was asked for.
 */
export const acceptsStricter: GrantJudge = (difference) => {
  switch (difference.what) {
    case 'flag':
      return stricter[difference.name] === difference.granted;
    case 'life':
    case 'rekeying':
      return true;
    case 'fewer-responders':
    case 'applications':
      return false;
  }
};
