import { describeError, ProtocolError } from '../../base/errors.ts';
import type { CancelTimer } from '../../base/clock.ts';
import type { SessionView } from '../chat-message.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { MsrpChannel } from '../msrp/msrp-channel.ts';
import type { EnginePorts } from '../ports.ts';
import type { MsrpOutcome, ReceivedMessage } from '../../protocol/msrp/index.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { SipSession } from '../sip/index.ts';
import type { SessionEnd } from './session-recovery.ts';
import { cpimText, plainText, readText, type ReadText, type TextToSend } from '../text-content.ts';

export interface MessageSessionOptions {
  readonly ports: EnginePorts;
  readonly view: SessionView;
  readonly sip: SipSession;
  readonly channel: MsrpChannel;
  /** The far end's `a=accept-types`. */
  readonly peerAcceptTypes: readonly string[];
  /** Whether a message came before, in whichever session: it is confirmed again, and not shown again. */
  readonly isCopy: (message: ReceivedMessage) => boolean;
  readonly onText: (text: ReadText) => void;
  /** Called once, whoever ended it. */
  readonly onClosed: (reason: string, end: SessionEnd) => void;
  /** Called once, later: the dialog is over too. */
  readonly onEnded: () => void;
}

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

  constructor(options: MessageSessionOptions) {
    this.#options = options;
    this.view = options.view;
    const { channel, sip } = options;
    channel.events.on('message', (message) => this.#receive(message));
    channel.events.on('closed', ({ error }) => {
      if (error === undefined) void this.close('connection closed by the other side', 'closed');
      else void this.close(describeError(error), 'lost');
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

  #content(message: TextToSend): { contentType: string; body: Uint8Array } {
    const accepts = (type: string): boolean =>
      this.#options.peerAcceptTypes.some((accepted) => accepted === '*' || accepted.toLowerCase() === type);
    if (accepts('message/cpim')) return cpimText(message);
    if (accepts('text/plain')) return plainText(message.text);
    throw refuse('peer-incompatible', 'message', { happened: 'The other side takes no text in this session' });
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
    const { contentType, bytes } = message;
    // An empty message binds the connection to the session (RFC 4975 5.4), or keeps it alive, and says nothing.
    if (bytes.length === 0) return;
    this.#active();
    const { ports, onText, isCopy } = this.#options;
    if (isCopy(message)) {
      ports.log.log('debug', 'session.copy-dropped', { session: this.view.id });
      return;
    }
    try {
      onText(readText(contentType, bytes));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      ports.log.log('warn', 'session.message-unreadable', { session: this.view.id, reason: error.message });
    }
  }

  #active(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#options.ports.clock.after(limits.sessionIdleMilliseconds, () => {
      if (this.#sending > 0) this.#active();
      else void this.close('idle');
    });
  }
}

function failureOf({ status, failure }: Extract<MsrpOutcome, { outcome: 'failed' }>): RefusalError {
  if (failure === 'timeout' || status === 408) return refuse('timeout', 'uncertain');
  if (failure !== 'rejected' || status === 481) return refuse('connection-lost', 'uncertain');
  if (status === 413) return refuse('too-large');
  if (status === 415) return refuse('peer-incompatible');
  return refuse('peer-refused', 'message', { happened: `The other side refused the message (MSRP status ${status})` });
}
