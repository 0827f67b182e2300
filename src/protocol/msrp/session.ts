import { ProtocolError } from '../../base/errors.ts';
import { encodeFrame, encodeResponseTo, mayRespond } from './codec.ts';
import type { MsrpFramerEvent } from './framer.ts';
import type { MsrpHead, MsrpHeaders, MsrpRequestHead } from './head.ts';
import { IdSource } from './id-source.ts';
import type { IncomingMessage } from './incoming.ts';
import { malformedMsrp } from './msrp-error.ts';
import type { MsrpParty } from './link.ts';
import { NicknameRequests, readNicknameRequest } from './nickname.ts';
import { PeerPath } from './peer-path.ts';
import { MessageReceiver } from './receiver.ts';
import { MessageSender, transactionMilliseconds, type SenderVerdict } from './sender.ts';
import type { MsrpSessionAction, MsrpSessionEvent, MsrpSessionOptions } from './session-types.ts';
import { parseMsrpUri, sameMsrpSession, type MsrpUri } from './uri.ts';

const maxWaitingAnswers = 256;
const nothing: readonly MsrpSessionAction[] = [];

/**
 * One MSRP session (RFC 4975), without input or output of its own; an `MsrpLink` says which frames are its.
 *
 *   idle --connected--> open --481, 506, close, disconnected--> closed
 *
 * Feed events to `handle`; it returns what to do. Whenever the connection has room, write what `nextOutput` gives
 * until it gives `undefined`: answers and reports first, then chunks of the messages in turn. Call `handle` with
 * `tick` at `deadline`.
 */
export class MsrpSession implements MsrpParty {
  readonly #options: MsrpSessionOptions;
  readonly #local: MsrpUri;
  readonly #peer: PeerPath;
  readonly #ids: IdSource;
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  readonly #nicknames: NicknameRequests;
  /** Answers and reports, which go before chunks. */
  readonly #control: Uint8Array[] = [];
  #state: 'idle' | 'open' | 'closed' = 'idle';
  #isBound = false;
  #owesBinding = false;
  #isReadingSend = false;
  #actions: MsrpSessionAction[] = [];

  /** @throws ProtocolError `malformed` when a path is not made of MSRP URIs. */
  constructor(options: MsrpSessionOptions) {
    this.#options = options;
    this.#local = parseMsrpUri(options.localPath, 'localPath');
    if (options.remotePath.length === 0) throw malformedMsrp('remotePath', 0, 'empty', 'an MSRP URI');
    const { localPath, remotePath, maxUnanswered = 64, peerAcceptTypes = ['*'], peerMaxOctets = Infinity } = options;
    this.#peer = new PeerPath(remotePath);
    this.#ids = new IdSource(options.random);
    this.#sender = new MessageSender(
      { localPath, remotePath, ids: this.#ids, maxUnanswered, peerAcceptTypes, peerMaxOctets },
      {
        onOutcome: (messageId, result) => this.#actions.push({ type: 'outcome', messageId, result }),
        onLateFailure: (messageId, status) => this.#actions.push({ type: 'late-failure', messageId, status }),
      },
    );
    this.#nicknames = new NicknameRequests(
      { localPath, remotePath, ids: this.#ids, waitMilliseconds: transactionMilliseconds },
      (nickname, status) => this.#actions.push({ type: 'nickname-answer', nickname, status }),
    );
    this.#receiver = new MessageReceiver(
      {
        decide: options.decide ?? ((): 'memory' => 'memory'),
        judge: options.judge ?? ((): number => 200),
        holdsReports: options.holdsReports ?? false,
        acceptTypes: options.acceptTypes ?? ['*'],
        maxMessageOctets: options.maxMessageOctets ?? 1024 * 1024,
        maxStreamOctets: options.maxStreamOctets ?? 2 ** 40,
        maxIncoming: options.maxIncoming ?? 16,
      },
      {
        respond: (request, status) => this.#respond(request, status),
        report: (message, status) => this.#report(message, status),
        emit: (action) => this.#actions.push(action),
      },
    );
  }

  get localUri(): string {
    return this.#options.localPath;
  }

  get nextHop(): string {
    return this.#options.remotePath[0] ?? '';
  }

  /** True when `nextOutput` caused something to tell: a `tick` is due at once. */
  get hasNews(): boolean {
    return this.#actions.length > 0;
  }

  /** Time at which a `tick` is due, in the terms of `now`; never set nearer than `transactionMilliseconds` ahead. */
  get deadline(): number | undefined {
    if (this.#state === 'closed') return undefined;
    const { deadline } = this.#sender;
    const nickname = this.#nicknames.deadline;
    return nickname === undefined ? deadline : Math.min(nickname, deadline ?? Infinity);
  }

  /** True when the peer sends but does not read: take nothing more from it until answers could be written. */
  get isOutputCongested(): boolean {
    return this.#control.length > maxWaitingAnswers;
  }

  /** @throws ProtocolError `local` for an impossible `send`; what the peer does never throws. */
  handle(event: MsrpSessionEvent, now: number): readonly MsrpSessionAction[] {
    if (this.#state !== 'closed') this.#take(event, now);
    if (this.#actions.length === 0) return nothing;
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** The next frame to write, in pieces that follow each other; none of them may be changed before it is written. */
  nextOutput(now: number): readonly Uint8Array[] | undefined {
    const control = this.#control.shift();
    if (control !== undefined) return [control];
    if (this.#state !== 'open') return undefined;
    if (this.#mustWait) return undefined;
    if (this.#owesBinding) {
      this.#owesBinding = false;
      // "This initial SEND request MAY have a body if the sender has content to send".
      if (this.#sender.isIdle) return [this.#sender.emptySend(now)];
    }
    return this.#sender.next(now);
  }

  /** RFC 4975 section 5.4: without TLS that proves the peer, "the listening device MUST wait until it receives a request". */
  get #mustWait(): boolean {
    return this.#options.role === 'passive' && !this.#isBound && !this.#options.isPeerAuthenticated;
  }

  #take(event: MsrpSessionEvent, now: number): void {
    switch (event.type) {
      case 'connected':
        this.#state = 'open';
        // RFC 4975 section 5.4: "the active endpoint MUST immediately issue a SEND request".
        this.#owesBinding = this.#options.role === 'active';
        return;
      case 'frame': {
        this.#frameEvent(event.event, now);
        return;
      }
      case 'send': {
        this.#sender.add(event.request);
        return;
      }
      case 'nickname': {
        this.#control.push(this.#nicknames.request(event.nickname, now));
        return;
      }
      case 'cancel': {
        this.#sender.cancel(event.messageId);
        return;
      }
      case 'keep-alive': {
        if (!this.#mustWait) this.#control.push(this.#sender.emptySend(now));
        return;
      }
      case 'stored': {
        this.#receiver.stored(event.messageId, event.status);
        return;
      }
      case 'tick':
        this.#nicknames.expire(now);
        if (this.#sender.expire(now)) this.#endBecause(408);
        return;
      case 'disconnected': {
        this.#close(event.error, 'connection-lost');
        return;
      }
      case 'close': {
        this.#close(undefined, 'closed');
        return;
      }
    }
  }

  #frameEvent(event: MsrpFramerEvent, now: number): void {
    if (event.type === 'head') this.#head(event.head, event.hasBody, now);
    else if (!this.#isReadingSend) return;
    else if (event.type === 'body') this.#receiver.body(event.bytes);
    else this.#receiver.end(event.flag);
  }

  #head(head: MsrpHead, hasBody: boolean, now: number): void {
    this.#isReadingSend = false;
    if (head.kind === 'response') {
      if (!this.#peer.isResponder(head.headers.fromPath)) return;
      if (this.#nicknames.answered(head.transactionId, head.status)) return;
      this.#judge(this.#sender.answered(head.transactionId, head.status, now));
      return;
    }
    const refusal = this.#refusalOf(head);
    if (refusal !== undefined) {
      this.#respond(head, refusal);
      return;
    }
    this.#bind();
    if (head.method === 'REPORT') {
      this.#judge(this.#sender.reported(head.headers, now));
      return;
    }
    if (head.method === 'NICKNAME') {
      const asked = readNicknameRequest(head);
      this.#respond(head, 'status' in asked ? asked.status : (this.#options.onNickname?.(asked.nickname) ?? 501));
      return;
    }
    this.#isReadingSend = true;
    this.#receiver.begin(head, hasBody);
  }

  /** RFC 4975 section 7.3: the To-Path is checked before anything else of a request is. */
  #refusalOf(request: MsrpRequestHead): number | undefined {
    if (this.#options.isBoundElsewhere === true) return 506;
    const [first, ...more] = request.headers.toPath;
    if (first === undefined || more.length > 0 || !this.#isOurs(first)) return 481;
    // The session is ours and the peer's together: what comes from somebody else belongs to none.
    if (!this.#peer.isSender(request.headers.fromPath)) return 481;
    if (request.method === 'NICKNAME' && this.#options.onNickname !== undefined) return undefined;
    return request.method === 'SEND' || request.method === 'REPORT' ? undefined : 501;
  }

  #isOurs(uri: string): boolean {
    return uri === this.#options.localPath || sameMsrpSession(parseMsrpUri(uri), this.#local);
  }

  #judge(verdict: SenderVerdict): void {
    if (verdict === 'bound') this.#bind();
    else if (verdict !== 'go-on') this.#endBecause(verdict.endSession);
  }

  #bind(): void {
    if (this.#isBound) return;
    this.#isBound = true;
    this.#actions.push({ type: 'bound' });
  }

  #respond(request: MsrpRequestHead, status: number): void {
    if (!mayRespond(request, status)) return;
    this.#control.push(encodeResponseTo(request, status, this.#options.localPath));
  }

  /** RFC 4975 sections 7.1.3 and 7.1.4. */
  #report(message: IncomingMessage, status: number): void {
    const { messageId, fromPath } = message.description;
    const total = message.length;
    const headers: MsrpHeaders = {
      toPath: fromPath,
      fromPath: [this.#options.localPath],
      messageId,
      byteRange: { start: 1, end: total, total },
      status: { namespace: '000', code: status },
      other: [],
    };
    const transactionId = this.#ids.next();
    this.#control.push(encodeFrame({ head: { kind: 'request', transactionId, method: 'REPORT', headers }, flag: '$' }));
  }

  #endBecause(status: number): void {
    const problem = status === 408 ? 'the peer does not answer' : `the peer answered ${status}`;
    const error = new ProtocolError(status === 408 ? 'expired' : 'peer-misbehaved', problem, {
      field: 'msrp.session',
      expected: '200 within 30 s',
    });
    this.#close(error, status === 408 ? 'timeout' : 'closed');
  }

  #close(error: ProtocolError | undefined, failure: 'connection-lost' | 'closed' | 'timeout'): void {
    this.#state = 'closed';
    this.#nicknames.abandon();
    this.#receiver.abandon();
    this.#sender.abandon(failure);
    this.#actions.push({ type: 'closed', ...(error === undefined ? {} : { error }) });
  }
}
