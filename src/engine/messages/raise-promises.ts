import type { ContactPolicies } from '../contact-policies.ts';
import type { Groups } from '../groups/group.ts';
import type { Outbox } from '../outbox/outbox.ts';
import { strictest } from '../policy.ts';

/**
 * A policy for a contact was set: what was agreed for a group that it is in ends, and what waits for it, alone or as one of a group,
 * leaves from now on at what its policy promises or not at all.
 */
export function raisePromises(
  peer: string,
  {
    outbox,
    groups,
    policies,
    self,
  }: {
    readonly outbox: Pick<Outbox, 'list' | 'raise'>;
    readonly groups: Groups;
    readonly policies: ContactPolicies;
    readonly self: string;
  },
): void {
  for (const conversation of policies.withConsent()) {
    if (groups.membersOf(conversation)?.includes(peer) === true) policies.endConsent(conversation);
  }
  outbox.raise(peer, policies.policyFor(peer), policies.agreedLevel(peer));
  const waiting = new Set(outbox.list().map(({ message }) => message.conversation));
  for (const conversation of waiting) {
    const members = groups.membersOf(conversation);
    if (members?.includes(peer) !== true) continue;
    const demanded = strictest(members.filter((one) => one !== self).map((one) => policies.policyFor(one)));
    // What was agreed for the group was agreed before this decision.
    outbox.raise(conversation, demanded, undefined);
  }
}
