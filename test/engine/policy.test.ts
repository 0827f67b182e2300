import { describe, expect, test } from 'vitest';
import { policies, protectionLevels, type Policy, type ProtectionLevel } from '../../src/base/protection-level.ts';
import { acceptsIncoming, aimOf, ContactPolicies, judgeSending } from '../../src/engine/policy.ts';

type Row = readonly [Policy, ProtectionLevel, agreed: ProtectionLevel | undefined, ReturnType<typeof judgeSending>];

const sending: readonly Row[] = [
  ['require-e2e', 'e2e', undefined, 'satisfied'],
  ['require-e2e', 'e2ae', undefined, 'not-met'],
  ['require-e2e', 'unverified', undefined, 'not-met'],
  ['require-e2e', 'none', undefined, 'not-met'],
  ['require-e2e', 'e2ae', 'none', 'not-met'],
  ['prefer-e2e', 'e2e', undefined, 'satisfied'],
  ['prefer-e2e', 'e2ae', undefined, 'consent-required'],
  ['prefer-e2e', 'unverified', undefined, 'consent-required'],
  ['prefer-e2e', 'none', undefined, 'consent-required'],
  ['prefer-e2e', 'e2ae', 'e2ae', 'satisfied'],
  ['prefer-e2e', 'unverified', 'e2ae', 'consent-required'],
  ['prefer-e2e', 'none', 'e2ae', 'consent-required'],
  ['prefer-e2e', 'e2ae', 'none', 'satisfied'],
  ['prefer-e2e', 'none', 'none', 'satisfied'],
  ['require-e2ae', 'e2e', undefined, 'satisfied'],
  ['require-e2ae', 'e2ae', undefined, 'satisfied'],
  ['require-e2ae', 'unverified', undefined, 'not-met'],
  ['require-e2ae', 'none', undefined, 'not-met'],
  ['any', 'e2e', undefined, 'satisfied'],
  ['any', 'none', undefined, 'satisfied'],
];

test.each(sending)('sending under %s at %s, agreed to %s: %s', (policy, level, agreed, verdict) => {
  expect(judgeSending(policy, level, agreed)).toBe(verdict);
});

test('what comes in is taken down to the floor of the policy', () => {
  const taken = policies.map((policy) => [policy, protectionLevels.filter((level) => acceptsIncoming(policy, level))]);
  expect(Object.fromEntries(taken)).toEqual({
    'require-e2e': ['e2e'],
    'require-e2ae': ['e2e', 'e2ae'],
    'prefer-e2e': [...protectionLevels],
    any: [...protectionLevels],
  });
});

test('what is aimed at', () => {
  expect(policies.map(aimOf)).toEqual(['e2e', 'e2e', 'e2ae', 'e2ae']);
});

describe('consent', () => {
  const bob = 'sip:bob@lab.test';

  test('covers the level that was offered, for this contact only', () => {
    const contacts = new ContactPolicies('prefer-e2e');
    contacts.noteOffer(bob, 'unverified');
    contacts.consent(bob);
    expect(contacts.agreedLevel(bob)).toBe('unverified');
    expect(contacts.agreedLevel('sip:carol@lab.test')).toBeUndefined();
  });

  test('given unasked covers the network edge and nothing below', () => {
    const contacts = new ContactPolicies('prefer-e2e');
    contacts.consent(bob);
    expect(contacts.agreedLevel(bob)).toBe('e2ae');
  });

  test('covers no more than the least of what is asked at the same time', () => {
    const contacts = new ContactPolicies('prefer-e2e');
    contacts.noteOffer(bob, 'e2ae');
    contacts.noteOffer(bob, 'none');
    contacts.consent(bob);
    expect(contacts.agreedLevel(bob)).toBe('e2ae');
    contacts.noteOffer(bob, 'none');
    contacts.consent(bob);
    expect(contacts.agreedLevel(bob)).toBe('none');
  });

  test('is not taken back by a later consent to a better level', () => {
    const contacts = new ContactPolicies('prefer-e2e');
    contacts.noteOffer(bob, 'none');
    contacts.consent(bob);
    contacts.consent(bob);
    expect(contacts.agreedLevel(bob)).toBe('none');
  });

  test('ends when the policy for the contact is set anew', () => {
    const contacts = new ContactPolicies('any');
    contacts.consent(bob);
    contacts.setPolicy(bob, 'prefer-e2e');
    expect(contacts.agreedLevel(bob)).toBeUndefined();
    expect(contacts.policyFor(bob)).toBe('prefer-e2e');
    contacts.setPolicy(bob, undefined);
    expect(contacts.policyFor(bob)).toBe('any');
  });
});
