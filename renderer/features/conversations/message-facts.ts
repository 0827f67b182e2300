import type { MessageView } from '../../../src/contract/index.ts';

/** Whether `level` says something: a message that is still going, never went, could not be opened or was imported has none. */
export function hasLevel(message: MessageView): boolean {
  const isUnderWay = message.state === 'queued' || message.state === 'sent';
  return (
    !isUnderWay && message.imported === undefined && message.state !== 'undecryptable' && message.state !== 'refused'
  );
}

/** Outgoing, and not gone: the conversation shows why and what can be done. */
export function isStranded(message: MessageView): boolean {
  return message.direction === 'out' && (message.state === 'refused' || message.state === 'failed');
}

/** Outgoing, and owed: it waits, or was sent in vain and goes again by itself. */
export function isWaiting(message: MessageView): boolean {
  return message.state === 'queued' || (message.state === 'sent' && message.problem !== undefined);
}
