import { describe, expect, it } from 'vitest';
import { judgeContacts } from '../../../src/engine/sip/network-decision.ts';
import type { ContactEvent, RegisteredContact, RegistrationElement } from '../../../src/protocol/reginfo/index.ts';

const identity = 'sip:alice@lab.test';

function contact(
  user: string,
  event: ContactEvent | undefined,
  more: Partial<RegisteredContact> = {},
): RegisteredContact {
  return {
    id: user,
    isActive: false,
    event,
    uri: `sip:${user}@192.0.2.1`,
    expires: undefined,
    retryAfter: undefined,
    displayName: undefined,
    instanceId: undefined,
    ...more,
  };
}

const of = (contacts: readonly RegisteredContact[], more: Partial<RegistrationElement> = {}): RegistrationElement[] => [
  { aor: identity, id: 'r', state: 'active', contacts, ...more },
];
/** As the flow whose contact is `user` sees it. */
const judge = (user: string, changed: RegistrationElement[], current: RegistrationElement[] = []): unknown =>
  judgeContacts(changed, current, { identity, isOwn: ({ uri }) => uri.startsWith(`sip:${user}@`) });

describe('what the network did to a flow', () => {
  it.each([
    ['deactivated', undefined, 0],
    ['expired', undefined, 0],
    ['probation', 120, 120],
    ['probation', undefined, 60],
    ['probation', 10_000_000, 86_400],
    ['rejected', undefined, undefined],
    ['unregistered', undefined, undefined],
    [undefined, undefined, undefined],
  ] as const)('%s, to be tried again after %s: %s', (event, retryAfter, againAfter) => {
    const decision = judge('one', of([contact('one', event, { retryAfter })]));
    expect(decision).toMatchObject({ kind: 'taken-back', explanation: expect.stringMatching(/\.$/) as string });
    expect((decision as { againAfter?: number }).againAfter).toBe(againAfter);
  });

  it('is about the flow whose contact it names', () => {
    const changed = of([contact('two', 'deactivated')]);
    const current = of([contact('one', 'registered', { isActive: true })]);
    expect(judge('two', changed, current)).toMatchObject({ kind: 'taken-back', againAfter: 0 });
    expect(judge('one', changed, current)).toBeUndefined();
  });

  it('is nothing while a contact of the flow is left', () => {
    const left = contact('one', 'created', { id: 'new', isActive: true });
    expect(judge('one', of([contact('one', 'expired'), left]), of([left]))).toBeUndefined();
  });

  it('is a shorter life where the network says how long', () => {
    const shortened = contact('one', 'shortened', { isActive: true, expires: 60 });
    expect(judge('one', of([shortened]), of([shortened]))).toEqual({ kind: 'shortened', seconds: 60 });
    const unsaid = contact('one', 'shortened', { isActive: true });
    expect(judge('one', of([unsaid]), of([unsaid]))).toBeUndefined();
  });

  it('is the end of all flows where the whole registration of our identity has ended', () => {
    const ended = of([], { state: 'terminated' });
    expect([judge('one', ended), judge('two', ended)]).toEqual([
      expect.objectContaining({ kind: 'taken-back' }),
      expect.objectContaining({ kind: 'taken-back' }),
    ]);
    expect(judge('one', of([], { state: 'terminated', aor: 'sip:other@lab.test' }))).toBeUndefined();
  });
});
