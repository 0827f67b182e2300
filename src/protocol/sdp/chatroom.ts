import { ProtocolError } from '../../base/errors.ts';
import { attributeLine, attributeValues } from './edit.ts';
import type { MediaSection, SdpLine } from './session-description.ts';

/** What a side of a chat room can do and allows (RFC 7701 section 8). */
export interface ChatroomAttribute {
  readonly nicknames: boolean;
  readonly privateMessages: boolean;
  /** Tokens of others, as written. */
  readonly more: readonly string[];
}

/**
 * The `a=chatroom` of a stream; undefined without one, which says that the other side knows nothing of chat rooms.
 * @throws ProtocolError `malformed` for an attribute or a token that is there twice.
 */
export function readChatroom(section: MediaSection): ChatroomAttribute | undefined {
  const values = attributeValues(section.lines, 'chatroom');
  const [value] = values;
  if (value === undefined) return undefined;
  const tokens = value.split(' ').filter((token) => token !== '');
  // "A given 'chat-token' value MUST NOT appear more than once".
  if (values.length > 1 || new Set(tokens).size !== tokens.length) {
    throw new ProtocolError('malformed', 'given twice', {
      field: 'sdp.chatroom',
      expected: 'each token once',
      hint: { sip: 488 },
    });
  }
  return {
    // The prose of section 8 calls the first token "nicknames", its grammar and examples "nickname".
    nicknames: tokens.includes('nickname') || tokens.includes('nicknames'),
    privateMessages: tokens.includes('private-messages'),
    more: tokens.filter((token) => !['nickname', 'nicknames', 'private-messages'].includes(token)),
  };
}

export function chatroomLine({ nicknames, privateMessages, more }: ChatroomAttribute): SdpLine {
  const tokens = [...(nicknames ? ['nickname'] : []), ...(privateMessages ? ['private-messages'] : []), ...more];
  return attributeLine('chatroom', tokens.length === 0 ? undefined : tokens.join(' '));
}
