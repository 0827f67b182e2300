export { chatroomLine, readChatroom, type ChatroomAttribute } from './chatroom.ts';
export * from './session-description.ts';
export * from './media-line.ts';
export * from './edit.ts';
export * from './fingerprint.ts';
export * from './key-mgmt.ts';
export * from './msrp-media.ts';
export * from './file-transfer.ts';
