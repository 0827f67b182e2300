import { describeError, ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { readConferenceInfo, Roster } from '../../protocol/conference/index.ts';
import { prepareNickname, type ReceivedMessage } from '../../protocol/msrp/index.ts';
import type { ChatroomAttribute } from '../../protocol/sdp/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { refuse } from '../refusal.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';
import type { EventSubscription, SipUserAgent } from '../sip/index.ts';
import { cpimText, readText } from '../text-content.ts';
import type { NicknameOutcome, RoomMessage, RoomView } from './room-view.ts';

export interface RoomOptions {
  readonly ports: EnginePorts;
  readonly userAgent: SipUserAgent;
  readonly self: string;
  readonly room: string;
  readonly stream: EstablishedStream;
  /** Undefined where the room said nothing about itself: then it allows neither. */
  readonly attribute: ChatroomAttribute | undefined;
  readonly onChange: (view: RoomView) => void;
  readonly onMessage: (message: RoomMessage) => void;
}

/** One chat room that we are in: a session with its focus, and a subscription to who is there (RFC 7701 section 4). */
export class Room {
  #view: RoomView;
  readonly #options: RoomOptions;
  readonly #roster = new Roster();
  #subscription: EventSubscription | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
    const { ports, room, stream, attribute } = options;
    this.#view = {
      id: randomId(ports.random),
      room,
      state: 'open',
      level: stream.level,
      evidence: stream.evidence,
      allows: { nicknames: attribute?.nicknames === true, privateMessages: attribute?.privateMessages === true },
      roster: [],
    };
    stream.channel.events.on('message', (message) => this.#receive(message));
    stream.channel.events.on('closed', ({ error }) => {
      void this.leave(error === undefined ? 'connection closed by the room' : describeError(error));
    });
    stream.sip.onEnded((why) => void this.leave(why));
    if (this.isOpen) this.#subscribe();
  }

  get view(): RoomView {
    return this.#view;
  }

  get isOpen(): boolean {
    return this.#view.state === 'open';
  }

  async nickname(text: string): Promise<NicknameOutcome> {
    if (!this.#view.allows.nicknames) return { outcome: 'refused', why: 'not-allowed' };
    let nickname: string;
    try {
      nickname = prepareNickname(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { outcome: 'refused', why: 'malformed' };
    }
    const status = await this.#options.stream.channel.nickname(nickname);
    if (status !== 200) return { outcome: 'refused', why: reasonOf(status), status };
    const { nickname: before, ...rest } = this.#view;
    this.#options.ports.log.log('info', 'room.nickname', { room: rest.id, replaces: before !== undefined });
    this.#change(nickname === '' ? rest : { ...rest, nickname });
    return { outcome: 'granted', nickname };
  }

  /**
   * Says something to all, or to one.
   * @throws RefusalError.
   */
  async send(text: string, to: string | undefined): Promise<RoomMessage> {
    const { ports, stream, self, room } = this.#options;
    if (!this.isOpen) throw refuse('connection-lost', 'message', { happened: 'The room was left' });
    if (to !== undefined && !this.#view.allows.privateMessages) {
      throw refuse('peer-incompatible', 'message', { happened: 'This room passes on no private messages' });
    }
    const at = ports.clock.now();
    const messageId = randomId(ports.random, 12);
    const { contentType, body } = cpimText({ from: self, to: to ?? room, at, messageId, text });
    // The reports of all who hear it would be those of strangers (RFC 7701 section 6.3): the room's own answer counts.
    const result = await withDeadline(
      ports.clock,
      limits.sessionSendMilliseconds,
      stream.channel.send({ messageId, contentType, bytes: body }),
      () => refuse('timeout', 'uncertain', { happened: 'The room did not confirm the message in time' }),
    );
    if (result.outcome === 'failed') throw refusalOf(result.status);
    return this.#message({ id: messageId, direction: 'out', from: self, text, at, privateTo: to });
  }

  /** Ends both halves; never rejects. */
  async leave(reason: string): Promise<void> {
    if (!this.isOpen) return;
    const { ports, stream } = this.#options;
    this.#view = { ...this.#view, state: 'closed', reason };
    this.#subscription?.end();
    stream.channel.close();
    this.#options.onChange(this.#view);
    await withDeadline(
      ports.clock,
      limits.sessionEndMilliseconds,
      stream.sip.end(),
      () => new Error('no answer'),
    ).catch((error: unknown) => ports.log.log('debug', 'room.end-unconfirmed', { reason: describeError(error) }));
  }

  #receive({ contentType, bytes, messageId }: ReceivedMessage): void {
    if (bytes.length === 0) return;
    const { ports, room } = this.#options;
    try {
      const { text, from = room, to } = readText(contentType, bytes);
      const isForAll = to === undefined || same(to, room);
      this.#options.onMessage(
        this.#message({
          id: messageId,
          direction: 'in',
          from,
          text,
          at: ports.clock.now(),
          privateTo: isForAll ? undefined : to,
        }),
      );
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      ports.log.log('warn', 'room.message-unreadable', { room: this.#view.id, reason: error.message });
    }
  }

  #message({
    privateTo,
    from,
    ...rest
  }: Pick<RoomMessage, 'id' | 'direction' | 'from' | 'text' | 'at'> & {
    readonly privateTo: string | undefined;
  }): RoomMessage {
    const { id, room, level } = this.#view;
    const entry = this.#view.roster.find(({ entity }) => same(entity, from));
    const name = entry?.nickname ?? entry?.displayText;
    return {
      ...rest,
      roomId: id,
      room,
      from,
      level,
      ...(name === undefined ? {} : { name }),
      ...(privateTo === undefined ? {} : { privateTo }),
    };
  }

  #subscribe(): void {
    const { ports, userAgent, room } = this.#options;
    try {
      this.#subscription?.end();
      this.#subscription = userAgent.subscribe({
        to: room,
        event: 'conference',
        accept: 'application/conference-info+xml',
        onNotify: ({ body }) => this.#notified(body),
        onEnded: () => ports.log.log('info', 'room.roster-ended', { room: this.#view.id }),
      });
    } catch (error) {
      // A room without a roster is a room all the same.
      ports.log.log('info', 'room.no-roster', { room: this.#view.id, reason: describeError(error) });
    }
  }

  #notified(body: Uint8Array): void {
    if (!this.isOpen) return;
    try {
      const info = readConferenceInfo(body);
      if (!same(info.entity, this.#view.room)) return;
      const change = this.#roster.apply(info);
      if (change === 'gap') this.#subscribe();
      else if (change === 'changed') {
        const { subject } = info;
        this.#change({ ...this.#view, roster: this.#roster.entries(), ...(subject === undefined ? {} : { subject }) });
      } else if (change === 'ended') void this.leave('the room was closed');
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.ports.log.log('warn', 'room.roster-unreadable', { room: this.#view.id, reason: error.message });
    }
  }

  #change(view: RoomView): void {
    this.#view = view;
    if (this.isOpen) this.#options.onChange(view);
  }
}

function same(a: string, b: string): boolean {
  return (tryKmsUserIdentity(a) ?? a) === (tryKmsUserIdentity(b) ?? b);
}

function reasonOf(status: number): 'taken' | 'malformed' | 'not-allowed' | 'no-answer' {
  if (status === 425) return 'taken';
  if (status === 424) return 'malformed';
  return status === 408 || status === 481 ? 'no-answer' : 'not-allowed';
}

function refusalOf(status: number) {
  if (status === 404)
    return refuse('peer-unreachable', 'message', { happened: 'Nobody of that address is in the room' });
  if (status === 408) return refuse('timeout', 'uncertain');
  if (status === 481) return refuse('connection-lost', 'uncertain');
  return refuse('peer-refused', 'message', { happened: `The room refused the message (MSRP status ${status})` });
}
