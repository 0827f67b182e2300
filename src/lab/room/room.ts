import { ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { DeviceCertificate, MsrpSockets } from '../../engine/ports.ts';
import { decodeCpim } from '../../protocol/cpim/index.ts';
import { sameNickname, type ReceivedMessage } from '../../protocol/msrp/index.ts';
import { parseNameAddress } from '../../protocol/sip/headers.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { SipMessage } from '../../protocol/sip/message.ts';
import { utf8 } from '../../base/bytes.ts';
import type { Flow } from '../edge/flow.ts';
import { replyTo } from '../edge/replies.ts';
import { edgeUri, edgeVia } from '../edge/transports.ts';
import type { LabUser } from '../users.ts';
import { conferenceDocument } from './conference-document.ts';
import { openMemberMedia, type MemberMedia } from './room-member.ts';

export interface LabRoomOptions {
  /** `sip:rain@lab.test`. */
  readonly uri: string;
  readonly sockets: MsrpSockets;
  readonly certificate: DeviceCertificate;
}

interface Member {
  readonly flow: Flow;
  readonly user: LabUser;
  readonly media: MemberMedia;
  readonly callId: string;
  nickname: string | undefined;
}

interface Watcher {
  readonly flow: Flow;
  /** From and To of the NOTIFY requests, with both tags. */
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly target: string;
  sequence: number;
}

const subscriptionSeconds = 3600;

/** A chat room: focus, MSRP switch, and notifier of who is there, as far as trying clients needs it (RFC 7701, RFC 4575). */
export class LabRoom {
  readonly uri: string;
  readonly #options: LabRoomOptions;
  readonly #members = new Set<Member>();
  readonly #watchers = new Map<string, Watcher>();
  #version = 0;

  constructor(options: LabRoomOptions) {
    this.uri = options.uri;
    this.#options = options;
  }

  /** Whoever is in the room now, by address. */
  get members(): readonly string[] {
    return [...this.#members].map(({ user }) => user.identity);
  }

  handle(flow: Flow, user: LabUser, request: SipMessage): void {
    if (request.method === 'INVITE') void this.#invited(flow, user, request);
    else if (request.method === 'BYE') this.#bye(flow, request);
    else if (request.method === 'SUBSCRIBE') this.#subscribed(flow, request);
    else flow.send(replyTo(request, 405, 'Method Not Allowed'));
  }

  flowClosed(flow: Flow): void {
    for (const member of this.#members) if (member.flow === flow) this.#gone(member);
    for (const [key, watcher] of this.#watchers) if (watcher.flow === flow) this.#watchers.delete(key);
  }

  stop(): void {
    for (const member of this.#members) member.media.close();
    this.#members.clear();
    this.#watchers.clear();
  }

  async #invited(flow: Flow, user: LabUser, request: SipMessage): Promise<void> {
    const callId = request.headers.get('Call-ID') ?? '';
    const isAgain = [...this.#members].some((member) => member.flow === flow && member.callId === callId);
    const current: { member?: Member } = {};
    try {
      if (isAgain) throw new RangeError('the room changes nothing of a session');
      const media = await openMemberMedia({
        sockets: this.#options.sockets,
        certificate: this.#options.certificate,
        offer: request.body,
        judge: (message) => (current.member === undefined ? 403 : this.#said(current.member, message)),
        onNickname: (nickname) => (current.member === undefined ? 403 : this.#named(current.member, nickname)),
      });
      const member: Member = { flow, user, media, callId, nickname: undefined };
      current.member = member;
      this.#members.add(member);
      const reply = replyTo(request, 200);
      reply.headers.add('Contact', this.#contact(flow));
      reply.headers.add('Content-Type', 'application/sdp');
      reply.body = utf8(media.answer);
      flow.send(reply);
      const channel = await media.channel;
      channel.events.on('closed', () => this.#gone(member));
      this.#notifyAll();
    } catch {
      if (current.member === undefined) flow.send(replyTo(request, 488));
      else this.#gone(current.member);
    }
  }

  #bye(flow: Flow, request: SipMessage): void {
    const callId = request.headers.get('Call-ID') ?? '';
    const member = [...this.#members].find((each) => each.flow === flow && each.callId === callId);
    flow.send(replyTo(request, member === undefined ? 481 : 200));
    if (member !== undefined) this.#gone(member);
  }

  #gone(member: Member): void {
    if (!this.#members.delete(member)) return;
    member.media.close();
    this.#notifyAll();
  }

  /** RFC 7701 sections 6.1 and 6.2; the status is the answer to the SEND. */
  #said(sender: Member, { contentType, bytes }: ReceivedMessage): number {
    // RFC 4975 section 5.4: an empty one binds the connection.
    if (bytes.length === 0) return 200;
    if (contentType.toLowerCase() !== 'message/cpim') return 415;
    let from: string | undefined;
    let to: string;
    try {
      const cpim = decodeCpim(bytes);
      from = cpim.from?.uri;
      if (cpim.to.length !== 1) return 403;
      to = cpim.to[0]?.uri ?? '';
    } catch (error) {
      if (error instanceof ProtocolError) return 400;
      throw error;
    }
    // "MUST reject the request with a 403 response" what comes under the name of somebody else.
    if (from === undefined || !same(from, sender.user.identity)) return 403;
    const others = [...this.#members].filter((member) => member !== sender);
    const hearers = same(to, this.uri) ? others : others.filter(({ user }) => same(user.identity, to));
    const able = same(to, this.uri) ? hearers : hearers.filter(({ media }) => media.privateMessages);
    if (!same(to, this.uri) && hearers.length === 0) return 404;
    if (!same(to, this.uri) && able.length === 0) return 428;
    for (const { media } of able) {
      void media.channel.then(
        (channel) => channel.send({ contentType: 'message/cpim', bytes: Uint8Array.from(bytes) }),
        () => undefined,
      );
    }
    return 200;
  }

  #named(member: Member, nickname: string): number {
    const isTaken = [...this.#members].some(
      (other) => other.nickname !== undefined && other.user !== member.user && sameNickname(other.nickname, nickname),
    );
    if (nickname !== '' && isTaken) return 425;
    member.nickname = nickname === '' ? undefined : nickname;
    this.#notifyAll();
    return 200;
  }

  #subscribed(flow: Flow, request: SipMessage): void {
    const event = request.headers.get('Event') ?? '';
    if (event.split(';')[0]?.trim().toLowerCase() !== 'conference') {
      const refused = replyTo(request, 489, 'Bad Event');
      refused.headers.add('Allow-Events', 'conference');
      flow.send(refused);
      return;
    }
    const seconds = Number(request.headers.get('Expires') ?? subscriptionSeconds);
    const callId = request.headers.get('Call-ID') ?? '';
    const key = `${flow.id} ${callId}`;
    const reply = replyTo(request, 200);
    reply.headers.add('Contact', this.#contact(flow));
    reply.headers.add('Expires', String(Math.min(seconds, subscriptionSeconds)));
    flow.send(reply);
    const watcher = this.#watchers.get(key) ?? {
      flow,
      from: reply.headers.get('To') ?? '',
      to: request.headers.get('From') ?? '',
      callId,
      target: parseNameAddress(request.headers.get('Contact') ?? '', 'sip.Contact').uri,
      sequence: 0,
    };
    if (seconds === 0) {
      this.#watchers.delete(key);
      this.#notify(watcher, 'terminated;reason=timeout');
    } else {
      this.#watchers.set(key, watcher);
      this.#version += 1;
      this.#notify(watcher, `active;expires=${Math.min(seconds, subscriptionSeconds)}`);
    }
  }

  #notifyAll(): void {
    this.#version += 1;
    for (const watcher of this.#watchers.values()) this.#notify(watcher, `active;expires=${subscriptionSeconds}`);
  }

  #notify(watcher: Watcher, state: string): void {
    const { flow } = watcher;
    const notify = SipMessage.request('NOTIFY', watcher.target);
    watcher.sequence += 1;
    notify.headers
      .add('Via', edgeVia(flow, `z9hG4bK${randomId(secureRandom)}`))
      .add('Max-Forwards', '70')
      .add('From', watcher.from)
      .add('To', watcher.to)
      .add('Call-ID', watcher.callId)
      .add('CSeq', `${watcher.sequence} NOTIFY`)
      .add('Contact', this.#contact(flow))
      .add('Event', 'conference')
      .add('Subscription-State', state)
      .add('Content-Type', 'application/conference-info+xml');
    const users = [...this.#members].map(({ user, nickname }) => ({
      entity: user.identity,
      name: user.name,
      nickname,
    }));
    notify.body = conferenceDocument(this.uri, this.#version, users);
    flow.send(notify);
  }

  #contact(flow: Flow): string {
    const user = /^sips?:([^@]+)@/i.exec(this.uri)?.[1] ?? '';
    return `<${edgeUri(flow, '', user)}>;isfocus`;
  }
}

function same(a: string, b: string): boolean {
  return (tryKmsUserIdentity(a) ?? a) === (tryKmsUserIdentity(b) ?? b);
}
