import type { RegisteredContact, RegistrationElement } from '../../protocol/reginfo/index.ts';

/** What the network has done to our registration, and what follows (RFC 3680 clause 4.2, TS 24.229 clauses 5.1.1.4 to 5.1.1.7). */
export type NetworkDecision =
  /** It ends sooner: it is renewed before. */
  | { readonly kind: 'shortened'; readonly seconds: number }
  | {
      readonly kind: 'taken-back';
      /** Seconds after which to register anew, 0 for at once; never when absent. */
      readonly againAfter?: number;
      /** For people. */
      readonly explanation: string;
    };

/** For a contact in probation that names no time. */
const probationSeconds = 60;
const longestProbationSeconds = 24 * 3600;

/**
 * A flow's binding is taken back when a contact of it has ended and none is left, or when the whole registration has ended.
 * It can have several contacts at a time: one that is about to end after a reconnection is not what is meant.
 * @param changed what the last document told. @param current what is registered now.
 */
export function judgeContacts(
  changed: readonly RegistrationElement[],
  current: readonly RegistrationElement[],
  who: { readonly identity: string; readonly isOwn: (contact: RegisteredContact) => boolean },
): NetworkDecision | undefined {
  const isRegistered = current.some(({ contacts }) => contacts.some(who.isOwn));
  const contacts = changed.flatMap((registration) => registration.contacts.filter(who.isOwn));
  if (isRegistered) return shortening(contacts);
  const ended = contacts.find(({ isActive }) => !isActive);
  if (ended !== undefined) return takenBack(ended);
  const hasEnded = changed.some(({ aor, state }) => state === 'terminated' && aor === who.identity);
  return hasEnded ? { kind: 'taken-back', explanation: explanations.ended } : undefined;
}

function shortening(contacts: readonly RegisteredContact[]): NetworkDecision | undefined {
  const shortened = contacts.find(({ isActive, event }) => isActive && event === 'shortened');
  return shortened?.expires === undefined ? undefined : { kind: 'shortened', seconds: shortened.expires };
}

function takenBack({ event, retryAfter }: RegisteredContact): NetworkDecision {
  switch (event) {
    case 'deactivated':
      return { kind: 'taken-back', againAfter: 0, explanation: explanations.deactivated };
    case 'expired':
      return { kind: 'taken-back', againAfter: 0, explanation: explanations.expired };
    case 'probation': {
      const againAfter = Math.min(retryAfter ?? probationSeconds, longestProbationSeconds);
      return { kind: 'taken-back', againAfter, explanation: explanations.probation };
    }
    case 'unregistered':
      return { kind: 'taken-back', explanation: explanations.unregistered };
    case 'rejected':
      return { kind: 'taken-back', explanation: explanations.rejected };
    default:
      return { kind: 'taken-back', explanation: explanations.ended };
  }
}

const explanations = {
  deactivated: 'The network has ended the registration of this device and wants it to register anew.',
  expired: 'The network says that the registration of this device has run out.',
  probation: 'The network has suspended this device and lets it register again later.',
  unregistered: 'Somebody has signed this device out: another device of yours, or the operator.',
  rejected: 'The operator does not let this device be registered any longer. Ask the operator why.',
  ended: 'The network has ended the registration of this device.',
} as const;
