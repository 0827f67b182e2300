import { describe, expect, test } from 'vitest';
import { chatroomLine, readChatroom, type MediaSection } from '../../../src/protocol/sdp/index.ts';

const section = (...attributes: string[]): MediaSection => ({
  lines: [{ type: 'm', value: 'message 7394 TCP/MSRP *' }, ...attributes.map((value) => ({ type: 'a', value }))],
});

describe('a=chatroom (RFC 7701 section 8)', () => {
  test.each([
    ['chatroom:nickname private-messages', { nicknames: true, privateMessages: true, more: [] }],
    ['chatroom:private-messages', { nicknames: false, privateMessages: true, more: [] }],
    ['chatroom:nickname', { nicknames: true, privateMessages: false, more: [] }],
    ['chatroom', { nicknames: false, privateMessages: false, more: [] }],
    [
      'chatroom:nickname private-messages com.example.chat.foo',
      { nicknames: true, privateMessages: true, more: ['com.example.chat.foo'] },
    ],
  ])('%s', (line, expected) => {
    const read = readChatroom(section(line));
    expect(read).toEqual(expected);
    expect(chatroomLine(read!)).toEqual({ type: 'a', value: line });
  });

  test('the word of the prose is understood too', () => {
    expect(readChatroom(section('chatroom:nicknames'))).toMatchObject({ nicknames: true });
  });

  test('without it there is no room', () => {
    expect(readChatroom(section('path:msrp://192.0.2.1:7394/s;tcp'))).toBeUndefined();
  });

  test.each([[['chatroom:nickname nickname']], [['chatroom:nickname', 'chatroom']]])('%j is refused', (lines) => {
    expect(() => readChatroom(section(...lines))).toThrow(/chatroom/);
  });
});
