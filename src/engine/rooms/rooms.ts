import type { Policy } from '../../base/protection-level.ts';
import type { ChatroomAttribute } from '../../protocol/sdp/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { limits } from '../limits.ts';
import { judgeSending, type ContactPolicies } from '../policy.ts';
import { asRefusalError, refuse, type Refusal } from '../refusal.ts';
import { judgeLevel, openUnderPolicy, openWithoutEndToEnd } from '../sessions/protection-choice.ts';
import type { SessionContext } from '../sessions/session-context.ts';
import { openOutgoing, type EstablishedStream } from '../sessions/session-opener.ts';
import { Room } from './room.ts';
import { roomPurpose } from './room-purpose.ts';
import type { JoinOutcome, JoinRequest, NicknameOutcome, RoomMessage, RoomSendOutcome, RoomView } from './room-view.ts';

export interface RoomsOptions {
  readonly context: SessionContext;
  readonly policies: ContactPolicies;
  /** KMS user identity of this account. */
  readonly self: string;
  /** Resolves when the account is registered; throws RefusalError when it is not. */
  readonly ready: () => Promise<void>;
  readonly onChange: (view: RoomView) => void;
  readonly onMessage: (message: RoomMessage) => void;
}

/** The chat rooms of one account (RFC 7701, the client's side). */
export class Rooms {
  readonly #options: RoomsOptions;
  readonly #rooms = new Map<string, Room>();

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  views(): RoomView[] {
    return [...this.#rooms.values()].map(({ view }) => view);
  }

  /** Never rejects. A nickname that the room refuses leaves us in it without one. */
  async join({ room, nickname, policy, consent }: JoinRequest): Promise<JoinOutcome> {
    const { policies, ready } = this.#options;
    try {
      const address = tryKmsUserIdentity(room);
      if (address === undefined) throw refuse('invalid-address', 'session');
      await ready();
      if (consent === true) policies.consent(address);
      if (this.#rooms.size >= limits.sessionsPerAccount) {
        throw refuse('peer-refused', 'session', { happened: 'Too many rooms are open' });
      }
      const joined = await this.#open(address, policy ?? policies.policyFor(address));
      if (nickname === undefined) return { outcome: 'joined', room: joined.view };
      const answer = await joined.nickname(nickname);
      return { outcome: 'joined', room: joined.view, nickname: answer };
    } catch (error) {
      return { outcome: 'refused', refusal: this.#refusal(error, 'session') };
    }
  }

  /** '' gives the nickname up. */
  nickname(id: string, nickname: string): Promise<NicknameOutcome> {
    const room = this.#rooms.get(id);
    return room?.nickname(nickname) ?? Promise.resolve({ outcome: 'refused', why: 'no-such-room' });
  }

  /** Never rejects. @param to one user of the room; all when absent. */
  async send(id: string, text: string, to?: string): Promise<RoomSendOutcome> {
    try {
      const room = this.#rooms.get(id);
      if (room === undefined) throw refuse('connection-lost', 'message', { happened: 'There is no such room' });
      const recipient = to === undefined ? undefined : tryKmsUserIdentity(to);
      if (to !== undefined && recipient === undefined) throw refuse('invalid-address');
      this.#requireSatisfied(room.view);
      return { outcome: 'sent', message: await room.send(text, recipient) };
    } catch (error) {
      return { outcome: 'refused', refusal: this.#refusal(error, 'message') };
    }
  }

  /** False when there is no such room. */
  async leave(id: string): Promise<boolean> {
    const room = this.#rooms.get(id);
    await room?.leave('left');
    return room !== undefined;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#rooms.values()].map((room) => room.leave('account stopped')));
  }

  async #open(address: string, policy: Policy): Promise<Room> {
    const { context, policies, self, onChange, onMessage } = this.#options;
    let attribute: ChatroomAttribute | undefined;
    const purpose = roomPurpose(context.ports, (read) => (attribute = read));
    const stream = await this.#openStream(address, policy, (protection, judged) =>
      openOutgoing(context, address, protection, (level) => judgeLevel(judged, level), purpose),
    );
    // RFC 7701 section 5.2: a conference says so; one that speaks of itself as a room is taken for one too.
    if (stream.sip.isFocus !== true && attribute === undefined) {
      close(stream);
      throw refuse('peer-incompatible', 'session', { happened: 'This address is no chat room' });
    }
    const verdict = judgeSending(policy, stream.level, policies.agreedLevel(address));
    if (verdict !== 'satisfied') {
      close(stream);
      if (verdict === 'not-met') throw refuse('policy-not-met', 'session', { reached: stream.level, required: policy });
      policies.noteOffer(address, stream.level);
      throw refuse('consent-required', 'session', { offered: stream.level, required: policy });
    }
    const room = new Room({
      ports: context.ports,
      userAgent: context.userAgent,
      self,
      room: address,
      stream,
      attribute,
      onChange: (view) => {
        if (view.state === 'closed') this.#rooms.delete(view.id);
        onChange(view);
      },
      onMessage,
    });
    if (!room.isOpen) throw refuse('connection-lost', 'session');
    this.#rooms.set(room.view.id, room);
    onChange(room.view);
    return room;
  }

  /** A room reads what is said in it: end to end there is nothing to be had, and nothing is tried. */
  #openStream(
    address: string,
    policy: Policy,
    open: Parameters<typeof openUnderPolicy<EstablishedStream>>[4],
  ): Promise<EstablishedStream> {
    const { context, policies } = this.#options;
    const happened = 'A chat room reads what is said in it, so nothing in it can be protected end to end';
    if (policy === 'require-e2e') throw refuse('policy-not-met', 'session', { happened, required: policy });
    if (policy !== 'prefer-e2e') return openUnderPolicy(context, policies, address, policy, open);
    return openWithoutEndToEnd(context, policies, address, refuse('peer-incompatible', 'session', { happened }), open);
  }

  /** The policy for the room may have changed since it was joined. */
  #requireSatisfied({ room, level }: RoomView): void {
    const { policies } = this.#options;
    const policy = policies.policyFor(room);
    if (policy === 'require-e2e' || policy === 'require-e2ae') {
      if (judgeSending(policy, level) !== 'satisfied') {
        throw refuse('policy-not-met', 'message', { reached: level, required: policy });
      }
    }
  }

  #refusal(error: unknown, meaning: 'session' | 'message'): Refusal {
    const known = asRefusalError(error, 'connection-lost');
    if (known !== error) {
      this.#options.context.ports.log.log('error', 'room.unexpected', { reason: known.happened });
    }
    return known.meaning === 'uncertain' ? known.refusal() : known.refusal(meaning);
  }
}

function close(stream: EstablishedStream): void {
  stream.channel.close();
  void stream.sip.end();
}
