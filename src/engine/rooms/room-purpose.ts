import { chatroomLine, readChatroom, type ChatroomAttribute } from '../../protocol/sdp/index.ts';
import { chatPurpose } from '../sessions/chat-purpose.ts';
import type { StreamPurpose } from '../sessions/stream-purpose.ts';
import type { EnginePorts } from '../ports.ts';
import { refuse } from '../refusal.ts';

/** A stream to a room: everything in CPIM (RFC 7701 section 5.2), and what we can do in rooms (section 8). */
export function roomPurpose(ports: EnginePorts, onRoom: (room: ChatroomAttribute | undefined) => void): StreamPurpose {
  const chat = chatPurpose(ports);
  return {
    ...chat,
    acceptTypes: ['message/cpim'],
    more: [chatroomLine({ nicknames: true, privateMessages: true, more: [] })],
    checkAnswer: (remote) => {
      if (!remote.media.acceptTypes.some((type) => ['*', 'message/cpim'].includes(type.toLowerCase()))) {
        throw refuse('peer-incompatible', 'session', {
          happened: 'This is no chat room: it takes no wrapped messages',
        });
      }
      onRoom(readChatroom(remote.section));
    },
  };
}
