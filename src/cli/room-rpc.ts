import { z } from 'zod';
import { policies } from '../base/protection-level.ts';
import type { Rooms } from '../engine/rooms/rooms.ts';
import { checkParams, RpcError } from './json-rpc.ts';

const id = z.string();
const address = z.string().trim().min(1).max(1000);

/** Chat rooms over docs/ue-rpc.md. */
export const roomParams = {
  'room.join': z.strictObject({
    room: address,
    nickname: z.string().max(1023).optional(),
    policy: z.enum(policies).optional(),
    consent: z.boolean().optional(),
  }),
  'room.nickname': z.strictObject({ id, nickname: z.string().max(1023) }),
  'room.send': z.strictObject({ id, text: z.string().min(1), to: address.optional() }),
  'room.leave': z.strictObject({ id }),
} as const;
export type RoomMethod = keyof typeof roomParams;

export function isRoomMethod(method: string): method is RoomMethod {
  return Object.hasOwn(roomParams, method);
}

export async function runRoomMethod(rooms: Rooms, method: RoomMethod, given: unknown): Promise<unknown> {
  switch (method) {
    case 'room.join': {
      const { room, nickname, policy, consent } = checkParams(roomParams[method], given);
      return rooms.join({
        room,
        ...(nickname === undefined ? {} : { nickname }),
        ...(policy === undefined ? {} : { policy }),
        ...(consent === undefined ? {} : { consent }),
      });
    }
    case 'room.nickname': {
      const asked = checkParams(roomParams[method], given);
      const outcome = await rooms.nickname(asked.id, asked.nickname);
      if (outcome.outcome === 'refused' && outcome.why === 'no-such-room') throw noSuchRoom();
      return outcome;
    }
    case 'room.send': {
      const message = checkParams(roomParams[method], given);
      return rooms.send(message.id, message.text, message.to);
    }
    case 'room.leave':
      if (!(await rooms.leave(checkParams(roomParams[method], given).id))) throw noSuchRoom();
      return {};
  }
}

function noSuchRoom(): RpcError {
  return new RpcError('no-such-room', 'There is no such room.', 'id');
}
