import { randomId } from '../../base/random.ts';
import type { ChatMessage, MessageWay } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import type { Refusal } from '../refusal.ts';
import type { MessageStore } from '../store/index.ts';

export interface RefusalKeeper {
  readonly ports: Pick<EnginePorts, 'clock' | 'random' | 'log'>;
  /** KMS user identity of the account. */
  readonly self: string;
  readonly messages: MessageStore;
}

/**
 * Shows in the conversation with `peer` that something came in and was refused, without its text.
 * @returns undefined where it is not kept: strangers may begin a bounded number of conversations by what is not shown, refusals in a
 * row are bounded, and the storage may fail
 */
export function keepRefusal(
  { ports, self, messages }: RefusalKeeper,
  way: MessageWay,
  peer: string,
  problem: Refusal,
): ChatMessage | undefined {
  const isKnown = messages.summary(peer) !== undefined;
  if (!isKnown && messages.conversations().length >= limits.refusedConversations) return undefined;
  const { messages: last } = messages.page(peer, limits.refusalsTogether);
  if (last.length === limits.refusalsTogether && last.every(({ state }) => state === 'refused')) return undefined;
  const message: ChatMessage = {
    id: randomId(ports.random, 12),
    conversation: peer,
    direction: 'in',
    from: peer,
    to: self,
    text: '',
    at: ports.clock.now(),
    way,
    level: problem.reached ?? 'none',
    state: 'refused',
    problem,
  };
  try {
    messages.add(message);
    return message;
  } catch (error) {
    ports.log.log('warn', 'message.refusal-not-kept', { reason: String(error) });
    return undefined;
  }
}
