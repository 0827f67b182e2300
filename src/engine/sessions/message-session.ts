import { describeError, ProtocolError } from '../../base/errors.ts';
import type { CancelTimer } from '../../base/clock.ts';
import type { SessionView } from '../chat-message.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { MsrpChannel } from '../msrp/msrp-channel.ts';
import type { EnginePorts } from '../ports.ts';
import { randomId } from '../../base/random.ts';
import { composingContentType, type ComposingStatus } from '../../protocol/composing/index.ts';
import { imdnContentType, type ImdnKind, type ImdnPayload } from '../../protocol/imdn/index.ts';
import { isAcceptable, type MsrpOutcome, type ReceivedMessage } from '../../protocol/msrp/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { refuse, RefusalError } from '../refusal.ts';
import type { SipSession } from '../sip/index.ts';
import { plainText, type TextContent, type TextToSend } from '../text-content.ts';
import { ComposingExchange } from './composing-exchange.ts';
import {
  readSessionContent,
  writeComposing,
  writeReceipt,
  writeText,
  type SessionContent,
  type SessionText,
} from './session-content.ts';
import type { SessionEnd } from './session-recovery.ts';

export interface MessageSessionOptions {
  readonly ports: EnginePorts;
  readonly view: SessionView;
  readonly sip: SipSession;
  readonly channel: MsrpChannel;
  /** Our own address. */
  readonly self: string;
  /** The far end's `a=accept-types` and `a=accept-wrapped-types`. */
  readonly peerAcceptTypes: readonly string[];
  readonly peerAcceptWrappedTypes: readonly string[];
  readonly habits: SessionHabits;
  /**
   * Resolves when the text is kept for good, or is a copy of one that is; rejects when it could not be kept, with a
   * RefusalError when it is not wanted.
   * @param source tells one message of this peer from every other where the text itself names no id
   */
  readonly onText: (text: SessionText, source: ReceivedMessage) => Promise<void>;
  /** The peer's device tells what became of a text of ours. */
  readonly onReceipt: (receipt: ImdnPayload) => void;
  readonly onComposing: (isWriting: boolean) => void;
  /** Called once, whoever ended it. */
  readonly onClosed: (reason: string, end: SessionEnd) => void;
  /** Called once, later: the dialog is over too. */
  readonly onEnded: () => void;
}

/** What is told to the peers of an account. */
export interface SessionHabits {
  /** That a text has arrived on this device. */
  readonly tellDelivery: boolean;
  /** That the user has seen a text. */
  readonly tellDisplay: boolean;
  /** That the user is writing. */
  readonly tellComposing: boolean;
}

/** Begins the ids of messages that are no texts: what becomes of them is of no interest but for a 415. */
const asideIds = { receipt: 'imdn-', composing: 'isc-' } as const;
type Aside = keyof typeof asideIds;

/** An open session: a SIP dialog and the MSRP connection that it set up. Both end together. */
export class MessageSession {
  readonly view: SessionView;
  readonly #options: MessageSessionOptions;
  #closed = false;
  #isEnding = false;
  #hasEndedThere = false;
  #stopWaiting: () => void = () => undefined;
  #sending = 0;
  #cancelIdle: CancelTimer = () => undefined;
  readonly #composing: ComposingExchange;
  /** What the peer was found not to take. */
  readonly #refusedAsides = new Set<Aside>();

  constructor(options: MessageSessionOptions) {
    this.#options = options;
    this.view = options.view;
    const { channel, sip, ports } = options;
    this.#composing = new ComposingExchange({
      clock: ports.clock,
      tell: (status) => this.#tellComposing(status),
      onChange: options.onComposing,
    });
    channel.events.on('lateFailure', ({ messageId, status }) => this.#asideFailed(messageId, status));
    channel.events.on('message', (message) => this.#receive(message));
    channel.events.on('closed', ({ error }) => {
      if (error === undefined) void this.close('connection closed by the other side', 'closed');
      // What cannot be read does not come from a network that failed: the other side is not asked for more of it.
      else void this.close(describeError(error), error.kind === 'malformed' ? 'there' : 'lost');
    });
    sip.onEnded((why) => {
      if (!this.#isEnding) this.#hasEndedThere = true;
      this.#stopWaiting();
      void this.close(why, 'there');
    });
    // The connection may have been closed before we listened.
    if (!this.#closed) this.#active();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether the far end can tell a copy of a text from a new one: by the Message-ID of its envelope. */
  get tellsCopies(): boolean {
    return this.#takesWrapped('text/plain');
  }

  /** Whether the other side ended the dialog; after an orderly close of the connection this may come a little later. */
  get hasEndedThere(): boolean {
    return this.#hasEndedThere;
  }

  /**
   * Sends a text and waits until the far end reports that it has all of it.
   * @throws RefusalError `peer-incompatible`, `peer-refused`, `timeout` or `connection-lost`.
   */
  async send(message: TextToSend): Promise<void> {
    if (this.#closed) throw refuse('connection-lost', 'message', { happened: 'The session has ended' });
    const { ports, channel } = this.#options;
    const { contentType, body } = this.#content(message);
    this.#active();
    this.#composing.sent();
    this.#sending += 1;
    try {
      const result = await withDeadline(
        ports.clock,
        limits.sessionSendMilliseconds,
        channel.send({ messageId: message.messageId, contentType, bytes: body, successReport: true }),
        () => refuse('timeout', 'uncertain', { happened: 'The other side did not confirm the message in time' }),
      );
      if (result.outcome === 'failed') throw failureOf(result);
    } finally {
      this.#sending -= 1;
    }
  }

  /** Ends both halves; never rejects. */
  async close(reason: string, end: SessionEnd = 'here'): Promise<void> {
    if (end === 'here') this.#stopWaiting();
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelIdle();
    this.#composing.close();
    const { ports, channel, sip, onClosed, onEnded } = this.#options;
    channel.close();
    onClosed(reason, end);
    if (end !== 'here' && end !== 'there') await this.#byeOfTheOtherSide();
    this.#isEnding = true;
    try {
      await withDeadline(ports.clock, limits.sessionEndMilliseconds, sip.end(), () => new Error('no answer to BYE'));
    } catch (error) {
      ports.log.log('debug', 'session.end-unconfirmed', { session: this.view.id, reason: describeError(error) });
    }
    onEnded();
  }

  /** The user writes, or has taken away what was written. False when the peer is not told. */
  composing(isWriting: boolean): boolean {
    if (this.#closed || !this.#options.habits.tellComposing || this.#composingWay() === undefined) return false;
    this.#active();
    if (isWriting) this.#composing.typed();
    else this.#composing.cleared();
    return true;
  }

  /** A text of the peer came by another way (RFC 3994 3.3). */
  textArrived(): void {
    if (!this.#closed) this.#composing.messageArrived();
  }

  /** The user has seen a text of the peer. False when the peer is not told. */
  tellDisplayed(messageId: string): boolean {
    return this.#tellReceipt('display', messageId);
  }

  #content(message: TextToSend): TextContent {
    if (this.#takesWrapped('text/plain')) return writeText(message);
    if (this.#takes('text/plain')) return plainText(message.text);
    throw refuse('peer-incompatible', 'message', { happened: 'The other side takes no text in this session' });
  }

  #takes(type: string): boolean {
    return isAcceptable(type, this.#options.peerAcceptTypes);
  }

  /** RFC 4975 8.6: a type may be wrapped when either list names it. */
  #takesWrapped(type: string): boolean {
    const { peerAcceptWrappedTypes } = this.#options;
    return this.#takes('message/cpim') && (this.#takes(type) || isAcceptable(type, peerAcceptWrappedTypes));
  }

  #tellReceipt(kind: ImdnKind, messageId: string): boolean {
    const { habits, ports, self } = this.#options;
    const isWanted = kind === 'delivery' ? habits.tellDelivery : habits.tellDisplay;
    if (this.#closed || !isWanted || !this.#takesWrapped(imdnContentType)) return false;
    const status = kind === 'delivery' ? 'delivered' : 'displayed';
    const receipt = { kind, status, messageId, dateTime: ports.clock.now(), recipientUri: self } as const;
    return this.#sendAside('receipt', (id) => writeReceipt(this.#envelope(id), receipt));
  }

  #composingWay(): 'wrapped' | 'bare' | undefined {
    if (this.#takesWrapped(composingContentType)) return 'wrapped';
    return this.#takes(composingContentType) ? 'bare' : undefined;
  }

  #tellComposing(status: ComposingStatus): void {
    const way = this.#composingWay();
    if (way === undefined) return;
    this.#sendAside('composing', (id) => writeComposing(way === 'wrapped' ? this.#envelope(id) : undefined, status));
  }

  #envelope(messageId: string) {
    const { self, view, ports } = this.#options;
    return { from: self, to: view.peer, at: ports.clock.now(), messageId };
  }

  /** Its loss harms nobody: no answer is waited for, a refusal ends its kind. */
  #sendAside(aside: Aside, write: (messageId: string) => TextContent): boolean {
    if (this.#refusedAsides.has(aside)) return false;
    const { ports, channel } = this.#options;
    const messageId = asideIds[aside] + randomId(ports.random, 12);
    const { contentType, body } = write(messageId);
    channel
      .send({ messageId, contentType, bytes: body, failureReport: 'partial' })
      .then((result) => result.outcome === 'failed' && this.#asideFailed(messageId, result.status))
      .catch((error: unknown) => ports.log.log('warn', 'session.aside-failed', { reason: describeError(error) }));
    return true;
  }

  #asideFailed(messageId: string, status: number): void {
    const aside = (['receipt', 'composing'] as const).find((one) => messageId.startsWith(asideIds[one]));
    if (aside === undefined) return;
    this.#options.ports.log.log('debug', 'session.aside-refused', { session: this.view.id, aside, status });
    if (status === 415) this.#refusedAsides.add(aside);
  }

  /**
   * Who ends a session closes its connection first: only what follows tells that from a connection that was cut. And our
   * BYE must not come before the other side has noticed a loss by itself, or it would take the session for ended.
   */
  #byeOfTheOtherSide(): Promise<void> {
    if (this.#hasEndedThere) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#options.ports.clock.after(limits.sessionByeMilliseconds, resolve);
      this.#stopWaiting = () => {
        cancel();
        resolve();
      };
    });
  }

  #receive(message: ReceivedMessage): void {
    const { messageId, contentType, bytes } = message;
    // An empty message binds the connection to the session (RFC 4975 5.4), or keeps it alive, and says nothing.
    if (bytes.length === 0) return;
    this.#active();
    const { ports, channel } = this.#options;
    try {
      const content = readSessionContent(contentType, bytes);
      if (content.kind === 'text') void this.#takeText(content, message);
      else {
        this.#take(content);
        channel.confirm(messageId, 200);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      ports.log.log('warn', 'session.message-unreadable', { session: this.view.id, reason: error.message });
      channel.confirm(messageId, 400);
    }
  }

  /** Its sender is told that it has arrived only once it survives the end of this program. */
  async #takeText(content: SessionText, message: ReceivedMessage): Promise<void> {
    const { ports, channel, onText } = this.#options;
    this.#composing.messageArrived();
    try {
      await onText(content, message);
    } catch (error) {
      if (error instanceof RefusalError) {
        // RFC 4975 10.4: not allowed, and no more so the next time.
        channel.confirm(message.messageId, 403);
        return;
      }
      ports.log.log('error', 'session.message-not-kept', { session: this.view.id, reason: describeError(error) });
      // RFC 4975 10.2: as if it had not come in time; its sender tries again later.
      channel.confirm(message.messageId, 408);
      return;
    }
    channel.confirm(message.messageId, 200);
    // RFC 5438 7.2.1: only for a text that says by which id.
    if (content.wants.delivery && content.messageId !== undefined) this.#tellReceipt('delivery', content.messageId);
  }

  #take(content: Exclude<SessionContent, SessionText>): void {
    const { onReceipt } = this.#options;
    switch (content.kind) {
      case 'receipt':
        if (this.#isHonest(content.from)) onReceipt(content.receipt);
        return;
      case 'composing':
        if (this.#isHonest(content.from)) this.#composing.told(content.status);
        return;
      case 'nothing':
    }
  }

  /** What speaks in another name than the session's other end is not believed. */
  #isHonest(from: string | undefined): boolean {
    return from === undefined || tryKmsUserIdentity(from) === this.view.peer;
  }

  #active(): void {
    this.#cancelIdle();
    // It may have been over before it began: the other side closes at once when its own checks fail.
    if (this.#closed) return;
    this.#cancelIdle = this.#options.ports.clock.after(limits.sessionIdleMilliseconds, () => {
      if (this.#sending > 0) this.#active();
      else void this.close('idle');
    });
  }
}

function failureOf({ status, failure }: Extract<MsrpOutcome, { outcome: 'failed' }>): RefusalError {
  if (failure === 'timeout' || status === 408) return refuse('timeout', 'uncertain');
  if ((failure !== 'rejected' && failure !== 'not-accepted') || status === 481)
    return refuse('connection-lost', 'uncertain');
  if (status === 413) return refuse('too-large');
  if (status === 415) return refuse('peer-incompatible');
  return refuse('peer-refused', 'message', { happened: `The other side refused the message (MSRP status ${status})` });
}
