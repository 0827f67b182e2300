import { parseSipUri } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Flow } from '../edge/flow.ts';
import type { RequestHandler, RequestService } from '../edge/forwarding-tools.ts';
import type { LabRoom } from './room.ts';

/** The chat rooms of a lab; requests for their addresses end here. */
export class LabRooms implements RequestService {
  readonly #rooms = new Map<string, LabRoom>();

  add(name: string, room: LabRoom): void {
    this.#rooms.set(name, room);
  }

  /** For the room whose address or Contact a request goes to. */
  claim(request: SipMessage): RequestHandler | undefined {
    if (this.#rooms.size === 0 || request.start.kind !== 'request' || !/^sips?:/i.test(request.start.uri))
      return undefined;
    const room = this.#rooms.get(parseSipUri(request.start.uri).user ?? '');
    return room && ((flow, sender, claimed) => room.handle(flow, sender, claimed));
  }

  flowClosed(flow: Flow): void {
    for (const room of this.#rooms.values()) room.flowClosed(flow);
  }

  stop(): void {
    for (const room of this.#rooms.values()) room.stop();
  }
}
