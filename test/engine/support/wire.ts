import type { OutgoingMessage } from '../../../src/engine/sip/index.ts';
import { readMessageContent, type MessageContent } from '../../../src/engine/message-content.ts';
import { decodeCpim, type CpimMessage } from '../../../src/protocol/cpim/index.ts';
import type { World } from './world.ts';

/** What a device sent, in order. */
export function sentBy(world: World, name: string): readonly OutgoingMessage[] {
  return world.sip.messages.flatMap(({ from, message }) => (from === `sip:${name}@lab.test` ? [message] : []));
}

export function isSealed({ contentType }: OutgoingMessage): boolean {
  return contentType.startsWith('multipart/mixed');
}

/** Of messages that are not sealed. */
export function contentOf({ contentType, body }: OutgoingMessage): MessageContent {
  return readMessageContent(contentType, body);
}

export function cpimOf({ body }: OutgoingMessage): CpimMessage {
  return decodeCpim(body);
}

/** `delivery delivered`, for each receipt that is not sealed. */
export function receiptsIn(messages: readonly OutgoingMessage[]): readonly string[] {
  return messages.flatMap((message) => {
    const content = contentOf(message);
    return content.kind === 'receipts' ? content.receipts.map(({ kind, status }) => `${kind} ${status}`) : [];
  });
}
