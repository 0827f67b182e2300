import type { ChatMessage } from '../../engine/chat-message.ts';

/** A message as it stands in the database, with the peer of its conversation. */
export interface MessageRow {
  readonly seq: number;
  readonly id: string;
  readonly peer: string;
  readonly incoming: number;
  readonly state: string;
  readonly at: number;
  readonly message_id: string | null;
  readonly text: string;
  readonly detail: string;
}

/** Columns of a `MessageRow` from `message` joined with `conversation`. */
export const messageColumns = `message.seq, message.id, conversation.peer, message.incoming, message.state, message.at,
  message.message_id, message.text, message.detail`;

/** What has no column of its own. `exactText`: where that of the column had to differ. */
type Detail = Omit<ChatMessage, 'id' | 'conversation' | 'direction' | 'state' | 'at' | 'messageId' | 'text'> & {
  readonly exactText?: string;
};

export function messageOf({ id, peer, incoming, state, at, message_id, text, detail }: MessageRow): ChatMessage {
  const { exactText = text, ...rest } = JSON.parse(detail) as Detail;
  return {
    ...rest,
    id,
    conversation: peer,
    direction: incoming === 1 ? 'in' : 'out',
    state: state as ChatMessage['state'],
    at,
    text: exactText,
    ...(message_id === null ? {} : { messageId: message_id }),
  };
}

export function detailOf(message: ChatMessage): string {
  const { from, to, subject, sentAt, way, level, evidence, problem, fromOtherDevice, recipients, imported, text } =
    message;
  const exactText = indexedText(text) === text ? undefined : text;
  // What is undefined is left out of JSON.
  const told = { from, to, subject, sentAt, way, level, evidence, problem };
  const detail = { ...told, fromOtherDevice, recipients, imported, exactText };
  return JSON.stringify(detail satisfies Record<keyof Detail, unknown>);
}

/**
 * The text as SQLite keeps and searches it, of the same length: without NUL, at which SQLite ends a text here and there, without half
 * surrogate pairs, which UTF-8 has not, and without the sign that begins the words of the program's own.
 */
export function indexedText(text: string): string {
  // eslint-disable-next-line no-control-regex -- NUL is what it is about
  return text.toWellFormed().replace(/[\u0000\ue000]/g, ' ');
}
