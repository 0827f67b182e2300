import type { ChatMessage } from '../../../src/engine/chat-message.ts';

export const bob = 'sip:bob@example.org';

/** A message that came from Bob, unless `over` says otherwise. */
export function chatMessage(id: string, over: Partial<ChatMessage> = {}): ChatMessage {
  return {
    id,
    conversation: bob,
    direction: 'in',
    from: bob,
    to: 'sip:alice@example.org',
    text: `text of ${id}`,
    at: 1_000,
    way: 'message',
    level: 'e2e',
    state: 'received',
    ...over,
  };
}
