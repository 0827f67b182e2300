import type { CancelTimer, Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Events } from '../../base/events.ts';
import { randomId, type Random } from '../../base/random.ts';
import {
  bytesSource,
  MsrpSession,
  transactionMilliseconds,
  type IncomingDecision,
  type IncomingDescription,
  type MessageSource,
  type MsrpFramerEvent,
  type MsrpOutcome,
  type MsrpSessionAction,
  type MsrpSessionEvent,
} from '../../protocol/msrp/index.ts';
import { HeldEvents } from './held-events.ts';
import type { MsrpChannelEvents, MsrpChannelOptions, OutgoingContent } from './msrp-channel-types.ts';
import type { MsrpCarrier } from './msrp-carrier.ts';
import { MsrpLinkDriver, type LinkedParty } from './msrp-link-driver.ts';
import { SinkWriter, type MessageSink } from './sink-writer.ts';
import { StreamSource } from './stream-source.ts';

export type { MsrpChannelEvents, MsrpChannelOptions, OutgoingContent } from './msrp-channel-types.ts';

/** An MSRP session on a live connection, its own or a shared one: gives the machine its frames and its time. */
export class MsrpChannel implements LinkedParty {
  readonly events: Events<MsrpChannelEvents> = new HeldEvents<MsrpChannelEvents>();
  readonly #link: MsrpCarrier;
  readonly #chunkOctets: number | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #session: MsrpSession;
  readonly #outcomes = new Map<string, (outcome: MsrpOutcome) => void>();
  readonly #sources = new Map<string, StreamSource>();
  readonly #nicknames: ((status: number) => void)[] = [];
  readonly #sinks = new Map<string, SinkWriter>();
  readonly #openSink: (incoming: IncomingDescription) => MessageSink | number | undefined;
  /** Sinks that need time: no reading meanwhile. */
  readonly #busySinks = new Set<SinkWriter>();
  #isClosed = false;
  #heard = 0;
  #heardAt = 0;
  #cancelTimer: CancelTimer | undefined;

  /** Starts at once. @throws ProtocolError `malformed` when a path is not made of MSRP URIs. */
  constructor(options: MsrpChannelOptions) {
    const { connection } = options;
    this.#link = 'add' in connection ? connection : new MsrpLinkDriver({ connection, clock: options.clock });
    this.#chunkOctets = options.chunkOctets;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#openSink = options.openSink ?? ((): undefined => undefined);
    this.#session = new MsrpSession({
      localPath: options.localPath.at(-1) ?? '',
      remotePath: options.remotePath,
      role: options.active ? 'active' : 'passive',
      // TLS to a relay proves the relay, not who is behind it.
      isPeerAuthenticated: ['fingerprint', 'psk'].includes(this.#link.connection.security),
      random: options.random,
      decide: (incoming) => this.#decide(incoming),
      ...(options.judge === undefined ? {} : { judge: options.judge }),
      ...(options.holdsReports === undefined ? {} : { holdsReports: options.holdsReports }),
      ...(options.onNickname === undefined ? {} : { onNickname: options.onNickname }),
      ...(options.acceptTypes === undefined ? {} : { acceptTypes: options.acceptTypes }),
      ...(options.peerAcceptTypes === undefined ? {} : { peerAcceptTypes: options.peerAcceptTypes }),
      ...(options.peerMaxOctets === undefined ? {} : { peerMaxOctets: options.peerMaxOctets }),
      ...(options.maxMessageOctets === undefined ? {} : { maxMessageOctets: options.maxMessageOctets }),
    });
    this.#link.add(this);
    this.#run({ type: 'connected' });
  }

  get localUri(): string {
    return this.#session.localUri;
  }

  get nextHop(): string {
    return this.#session.nextHop;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  /** Grows with all that the far end sends in this session: whether it is still there. */
  get heard(): number {
    return this.#heard;
  }

  /** When `heard` last grew; 0 before. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Asks the far end for a sign of life; the session ends with an error when none comes within 30 s. */
  keepAlive(): void {
    if (!this.#isClosed) this.#run({ type: 'keep-alive' });
  }

  /**
   * Sends a message and resolves when the far end has acknowledged all of it, or when that has failed.
   * @throws ProtocolError `local` for an impossible message id or header.
   */
  async send(content: OutgoingContent): Promise<MsrpOutcome> {
    const { messageId = randomId(this.#random, 12), contentType, other, successReport, failureReport } = content;
    if (this.#isClosed) {
      if ('stream' in content) await content.stream[Symbol.asyncIterator]().return?.();
      return { outcome: 'failed', status: 481, failure: 'closed' };
    }
    const request = {
      messageId,
      contentType,
      ...(other === undefined ? {} : { other }),
      ...(successReport === undefined ? {} : { successReport }),
      ...(this.#chunkOctets === undefined ? {} : { chunkOctets: this.#chunkOctets }),
      ...(failureReport === undefined ? {} : { failureReport }),
    };
    if (this.#outcomes.has(messageId)) throw impossibleMessageId();
    const outcome = new Promise<MsrpOutcome>((resolve) => this.#outcomes.set(messageId, resolve));
    try {
      this.#run({ type: 'send', request: { ...request, source: this.#sourceOf(messageId, content) } });
    } catch (error) {
      this.#forget(messageId);
      throw error;
    }
    return outcome;
  }

  /**
   * Asks the chat room at the other end for a nickname, '' for none; resolves with its status (RFC 7701 section 7).
   * @throws ProtocolError `local` for what is no nickname.
   */
  nickname(nickname: string): Promise<number> {
    if (this.#isClosed) return Promise.resolve(481);
    this.#run({ type: 'nickname', nickname });
    // Answers come in the order of the questions, or all at once with the end of the session.
    return new Promise((resolve) => this.#nicknames.push(resolve));
  }

  /** With `holdsReports`: a message was taken for good (200), or why it was not. Does nothing after the end of the session. */
  confirm(messageId: string, status: number): void {
    if (!this.#isClosed) this.#run({ type: 'stored', messageId, status });
  }

  /** Gives a message up that is being sent; its `send` resolves as failed. */
  cancel(messageId: string): void {
    this.#run({ type: 'cancel', messageId });
  }

  /** Ends the session: what is not yet acknowledged counts as failed. */
  close(): void {
    this.#run({ type: 'close' });
  }

  nextOutput(now: number): readonly Uint8Array[] | undefined {
    return this.#session.nextOutput(now);
  }

  take(event: MsrpFramerEvent, now: number): void {
    this.#heard += 1;
    this.#heardAt = now;
    for (const action of this.#session.handle({ type: 'frame', event }, now)) this.#perform(action);
    if (event.type !== 'body' && !this.#isClosed) this.#link.ready(this);
  }

  settle(now: number): void {
    if (this.#isClosed) return;
    if (this.#session.hasNews) this.#run({ type: 'tick' }, now);
    this.#link.setPause(this, this.#session.isOutputCongested || this.#busySinks.size > 0);
    this.#armTimer();
  }

  lost(error: ProtocolError | undefined): void {
    this.#run({ type: 'disconnected', ...(error === undefined ? {} : { error }) });
  }

  #run(event: MsrpSessionEvent, now = this.#clock.now()): void {
    for (const action of this.#session.handle(event, now)) this.#perform(action);
    if (!this.#isClosed) this.#link.ready(this);
  }

  #perform(action: MsrpSessionAction): void {
    switch (action.type) {
      case 'bound':
        this.events.emit('bound', undefined);
        return;
      case 'message':
        this.events.emit('message', action.message);
        return;
      case 'nickname-answer':
        this.#nicknames.shift()?.(action.status);
        return;
      case 'data':
        this.#sinks.get(action.messageId)?.write(action.position, action.bytes);
        return;
      case 'data-end':
        this.#sinks.get(action.messageId)?.finish(action.octets);
        return;
      case 'data-aborted':
        this.#dropSink(action.messageId);
        return;
      case 'outcome':
        this.#settle(action.messageId, action.result);
        return;
      case 'late-failure':
        this.events.emit('lateFailure', { messageId: action.messageId, status: action.status });
        return;
      case 'closed':
        this.#finish(action.error);
        return;
      case 'data-begin':
    }
  }

  #decide(incoming: IncomingDescription): IncomingDecision {
    const sink = this.#openSink(incoming);
    if (sink === undefined) return 'memory';
    if (typeof sink === 'number') return { refuse: sink };
    const { messageId } = incoming;
    const writer = new SinkWriter(sink, {
      onBusy: (isBusy) => this.#setBusy(writer, isBusy),
      onStored: () => this.#stored(messageId, 200),
      onFailed: () => this.#stored(messageId, 413),
    });
    this.#sinks.set(messageId, writer);
    return 'stream';
  }

  #stored(messageId: string, status: number): void {
    this.#sinks.delete(messageId);
    this.#run({ type: 'stored', messageId, status });
  }

  #dropSink(messageId: string): void {
    const writer = this.#sinks.get(messageId);
    if (writer === undefined) return;
    this.#sinks.delete(messageId);
    this.#setBusy(writer, false);
    writer.abort();
  }

  #sourceOf(messageId: string, content: OutgoingContent): MessageSource {
    if ('bytes' in content) return bytesSource(content.bytes);
    const source = new StreamSource(content.stream, content.octets, {
      onReady: () => this.#link.ready(this),
      onError: () => this.cancel(messageId),
    });
    this.#sources.set(messageId, source);
    return source;
  }

  #settle(messageId: string, result: MsrpOutcome): void {
    const resolve = this.#outcomes.get(messageId);
    this.#forget(messageId);
    resolve?.(result);
  }

  #forget(messageId: string): void {
    this.#sources.get(messageId)?.stop();
    this.#sources.delete(messageId);
    this.#outcomes.delete(messageId);
  }

  #setBusy(writer: SinkWriter, isBusy: boolean): void {
    if (isBusy) this.#busySinks.add(writer);
    else this.#busySinks.delete(writer);
    if (!this.#isClosed) this.#link.setPause(this, this.#session.isOutputCongested || this.#busySinks.size > 0);
  }

  /**
   * No deadline is set nearer than one transaction ahead, so a timer that looks again that often misses none and need
   * not be moved with every chunk.
   */
  #armTimer(): void {
    if (this.#cancelTimer !== undefined) return;
    const { deadline } = this.#session;
    if (deadline === undefined) return;
    const wait = Math.min(Math.max(0, deadline - this.#clock.now()), transactionMilliseconds);
    this.#cancelTimer = this.#clock.after(wait, () => {
      this.#cancelTimer = undefined;
      this.#run({ type: 'tick' });
    });
  }

  #finish(error: ProtocolError | undefined): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    for (const messageId of [...this.#sinks.keys()]) this.#dropSink(messageId);
    this.#link.leave(this);
    this.events.emit('closed', error === undefined ? {} : { error });
  }
}

function impossibleMessageId(): ProtocolError {
  return new ProtocolError('local', 'already being sent', { field: 'msrp.Message-ID', expected: 'a new one' });
}
