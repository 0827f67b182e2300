import { describe, expect, test } from 'vitest';
import { isWrong, judge, type Evidence, type ShownMessage } from './ledger.ts';
import { createPlan, type PlannedMessage } from './plan.ts';

const planned = createPlan({ seed: 'ledger', minutes: 1, messages: 6 }).messages;
const peerOf = { alice: 'bob', bob: 'alice' } as const;
const levelOf = { 'require-e2e': 'e2e', 'require-e2ae': 'e2ae', any: 'e2ae' } as const;

/** What both sides have when all went well. */
function wellDone(): Evidence & { readonly conversations: Record<'alice' | 'bob', ShownMessage[]> } {
  const conversations: Record<'alice' | 'bob', ShownMessage[]> = { alice: [], bob: [] };
  const told = { alice: new Map<string, Set<string>>(), bob: new Map<string, Set<string>>() };
  for (const { from, text, policy } of planned) {
    const level = levelOf[policy];
    conversations[from].push({ id: `out ${text}`, direction: 'out', text, state: 'delivered', level });
    conversations[peerOf[from]].push({ id: `in ${text}`, direction: 'in', text, state: 'received', level });
    told[peerOf[from]].set(text, new Set([`in ${text}`]));
  }
  return {
    planned,
    answers: new Map(planned.map(({ text }) => [text, 'sent'])),
    conversations,
    told,
    rewritten: new Set(),
  };
}

const first = planned.find(({ from, policy }) => from === 'alice' && policy === 'require-e2e') as PlannedMessage;
const verdictOf = (evidence: Evidence, { text }: PlannedMessage = first): string =>
  judge(evidence).find(({ message }) => message.text === text)?.what ?? '';

function change(messages: ShownMessage[], change: Partial<ShownMessage> | undefined, text = first.text): void {
  const at = messages.findIndex((message) => message.text === text);
  messages.splice(at, 1, ...(change === undefined ? [] : [{ ...messages[at]!, ...change }]));
}

describe('the ledger of the chaos test', () => {
  test('finds nothing wrong where all went well', () => {
    expect(judge(wellDone()).filter(isWrong)).toEqual([]);
    expect(judge(wellDone())).toHaveLength(12);
  });

  test.each<[string, (evidence: ReturnType<typeof wellDone>) => void]>([
    ['lost', ({ conversations }) => change(conversations.bob, undefined)],
    ['lost', ({ conversations }) => change(conversations.bob, { state: 'undecryptable' })],
    [
      'shown twice',
      ({ conversations }) =>
        conversations.bob.push({ ...conversations.bob.find(({ text }) => text === first.text)!, id: 'x' }),
    ],
    ['shown twice', ({ told }) => void (told.bob.get(first.text) as Set<string>).add('another id')],
    [
      'sent twice',
      ({ conversations }) =>
        conversations.alice.push({ ...conversations.alice.find(({ text }) => text === first.text)!, id: 'x' }),
    ],
    ['forgotten by its sender', ({ conversations }) => change(conversations.alice, undefined)],
    ['in no final state', ({ conversations }) => change(conversations.alice, { state: 'queued' })],
    ['weaker than promised', ({ conversations }) => change(conversations.bob, { level: 'e2ae' })],
    ['weaker than promised', ({ conversations }) => change(conversations.alice, { level: 'none' })],
    ['failed, as the sender sees', ({ conversations }) => change(conversations.alice, { state: 'failed' })],
  ])('says %s', (what, spoil) => {
    const evidence = wellDone();
    spoil(evidence);
    expect(verdictOf(evidence)).toBe(what);
  });

  test('a refusal counts as seen only when nothing of the message arrived', () => {
    const refused = wellDone();
    change(refused.conversations.alice, undefined);
    change(refused.conversations.bob, undefined);
    (refused.answers as Map<string, string>).set(first.text, 'refused');
    (refused.told.bob as Map<string, unknown>).delete(first.text);
    expect(verdictOf(refused)).toBe('refused, as the sender sees');
    const arrived = wellDone();
    change(arrived.conversations.alice, { state: 'refused' });
    expect(verdictOf(arrived)).toBe('weaker than promised');
  });

  test('the order is that of writing, for each direction by itself, without what was written again', () => {
    // Not the first of its way.
    const written = planned.filter(({ from, way }) => from === 'alice' && way === 'message');
    const third = written.at(-1);
    const moved = wellDone();
    const list = moved.conversations.bob;
    const at = list.findIndex(({ text, direction }) => direction === 'in' && text === third!.text);
    list.unshift(...list.splice(at, 1));
    const wrong = judge(moved).filter(isWrong);
    expect(wrong.map(({ what }) => what)).toEqual(['out of order']);
    expect(judge({ ...moved, rewritten: new Set([third!.text]) }).filter(isWrong)).toEqual([]);
  });
});
