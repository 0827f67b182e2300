import { parseSipUri } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Flow } from '../edge/flow.ts';
import type { LabRoom } from './room.ts';

/** The chat rooms of a lab; requests for their addresses end here. */
export class LabRooms {
  readonly #rooms = new Map<string, LabRoom>();

  add(name: string, room: LabRoom): void {
    this.#rooms.set(name, room);
  }

  /** The room whose address or Contact a request goes to. @throws ProtocolError for a Request-URI that is none. */
  roomOf(request: SipMessage): LabRoom | undefined {
    if (this.#rooms.size === 0 || request.start.kind !== 'request') return undefined;
    return this.#rooms.get(parseSipUri(request.start.uri).user ?? '');
  }

  flowClosed(flow: Flow): void {
    for (const room of this.#rooms.values()) room.flowClosed(flow);
  }

  stop(): void {
    for (const room of this.#rooms.values()) room.stop();
  }
}
