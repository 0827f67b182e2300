import { isAtLeast, type ProtectionLevel } from '../../src/base/protection-level.ts';
import type { PartyName, PlannedMessage } from './plan.ts';

/** A message as a UE shows it at the end; what is used of `ChatMessage`. */
export interface ShownMessage {
  readonly id: string;
  readonly direction: 'in' | 'out';
  readonly text: string;
  readonly state: string;
  readonly level: ProtectionLevel;
  readonly problem?: { readonly code: string };
}

/** How the UE answered when it was asked to send. */
export type Answer = 'sent' | 'waiting' | 'refused' | 'none';

/** Everything that is known at the end. */
export interface Evidence {
  readonly planned: readonly PlannedMessage[];
  readonly answers: ReadonlyMap<string, Answer>;
  /** The whole conversation of each party, oldest first. */
  readonly conversations: Readonly<Record<PartyName, readonly ShownMessage[]>>;
  /** Texts that each party told as received, once for each id under which it did. */
  readonly told: Readonly<Record<PartyName, ReadonlyMap<string, ReadonlySet<string>>>>;
  /** Texts that the UE did not have after it was killed, so that they were written again, later. */
  readonly rewritten: ReadonlySet<string>;
}

export interface Verdict {
  readonly message: PlannedMessage;
  /** What is wrong; `fine` for nothing. */
  readonly what:
    | 'fine'
    | 'failed, as the sender sees'
    | 'refused, as the sender sees'
    | 'lost'
    | 'shown twice'
    | 'forgotten by its sender'
    | 'sent twice'
    | 'in no final state'
    | 'weaker than promised'
    | 'out of order';
  readonly sender: ShownMessage | undefined;
  readonly receiver: readonly ShownMessage[];
}

const floors = { 'require-e2e': 'e2e', 'require-e2ae': 'e2ae', any: 'none' } as const;
const finalStates = new Set(['accepted', 'delivered', 'displayed', 'failed', 'refused']);

/** Judges each message that was to be sent. */
export function judge({ planned, answers, conversations, told, rewritten }: Evidence): Verdict[] {
  const peers = { alice: 'bob', bob: 'alice' } as const;
  const outgoing = { alice: byText(conversations.alice, 'out'), bob: byText(conversations.bob, 'out') };
  const incoming = { alice: byText(conversations.alice, 'in'), bob: byText(conversations.bob, 'in') };
  const verdicts = planned.map((message): Verdict => {
    const peer = peers[message.from];
    const sent = outgoing[message.from].get(message.text) ?? [];
    const receiver = incoming[peer].get(message.text) ?? [];
    const ids = told[peer].get(message.text)?.size ?? 0;
    const answer = answers.get(message.text) ?? 'none';
    return { message, sender: sent[0], receiver, what: judgeOne(message, sent, receiver, ids, answer) };
  });
  return withOrder(verdicts, conversations, rewritten);
}

function judgeOne(
  message: PlannedMessage,
  sent: readonly ShownMessage[],
  receiver: readonly ShownMessage[],
  idsTold: number,
  answer: Answer,
): Verdict['what'] {
  const [mine] = sent;
  const shown = receiver.filter(({ state }) => state === 'received');
  if (receiver.length > 1 || idsTold > 1) return 'shown twice';
  if (sent.length > 1) return 'sent twice';
  if (mine === undefined)
    return answer === 'refused' && receiver.length === 0 ? 'refused, as the sender sees' : 'forgotten by its sender';
  if (!finalStates.has(mine.state)) return 'in no final state';
  const [theirs] = shown;
  const floor = floors[message.policy];
  if (theirs !== undefined && !isAtLeast(theirs.level, floor)) return 'weaker than promised';
  if (mine.state === 'failed') return 'failed, as the sender sees';
  if (mine.state === 'refused') return theirs === undefined ? 'refused, as the sender sees' : 'weaker than promised';
  // What the sender is told counts too: nobody may believe in more than there was.
  if (!isAtLeast(mine.level, floor) || (theirs !== undefined && !isAtLeast(theirs.level, mine.level))) {
    return 'weaker than promised';
  }
  return theirs === undefined ? 'lost' : 'fine';
}

/**
 * In each direction and each way, what arrived without a failure is shown in the order in which it was written. Between the ways there
 * is no order that a UE could keep: the network may take a MESSAGE for a device that is away (202), and the session that follows gets
 * to that device first when it is back.
 */
function withOrder(
  verdicts: readonly Verdict[],
  conversations: Evidence['conversations'],
  rewritten: ReadonlySet<string>,
): Verdict[] {
  const places = new Map<string, number>();
  for (const messages of Object.values(conversations)) {
    for (const [place, { direction, text }] of messages.entries()) if (direction === 'in') places.set(text, place);
  }
  const last = new Map<string, number>();
  return verdicts
    .toSorted((a, b) => a.message.number - b.message.number)
    .map((verdict) => {
      const { from, way, text } = verdict.message;
      const lane = `${from} ${way}`;
      if (verdict.what !== 'fine' || rewritten.has(text)) return verdict;
      const place = places.get(text) ?? -1;
      if (place < (last.get(lane) ?? -1)) return { ...verdict, what: 'out of order' };
      last.set(lane, place);
      return verdict;
    });
}

export function isWrong({ what }: Verdict): boolean {
  return !['fine', 'failed, as the sender sees', 'refused, as the sender sees'].includes(what);
}

function byText(messages: readonly ShownMessage[], direction: 'in' | 'out'): ReadonlyMap<string, ShownMessage[]> {
  const found = new Map<string, ShownMessage[]>();
  for (const message of messages) {
    if (message.direction === direction) found.set(message.text, [...(found.get(message.text) ?? []), message]);
  }
  return found;
}
