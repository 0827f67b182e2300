import { describeError, ProtocolError } from '../../base/errors.ts';
import type { CancelTimer } from '../../base/clock.ts';
import type { SessionView } from '../chat-message.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { MsrpChannel } from '../msrp/msrp-channel.ts';
import type { EnginePorts } from '../ports.ts';
import type { MsrpOutcome } from '../../protocol/msrp/index.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { SipSession } from '../sip/index.ts';
import { cpimText, plainText, readText, type ReadText, type TextToSend } from '../text-content.ts';

export interface MessageSessionOptions {
  readonly ports: EnginePorts;
  readonly view: SessionView;
  readonly sip: SipSession;
  readonly channel: MsrpChannel;
  /** The far end's `a=accept-types`. */
  readonly peerAcceptTypes: readonly string[];
  readonly onText: (text: ReadText) => void;
  /** Called once, whoever ended it. */
  readonly onClosed: (reason: string) => void;
}

/** An open session: a SIP dialog and the MSRP connection that it set up. Both end together. */
export class MessageSession {
  readonly view: SessionView;
  readonly #options: MessageSessionOptions;
  #closed = false;
  #sending = 0;
  #cancelIdle: CancelTimer = () => undefined;

  constructor(options: MessageSessionOptions) {
    this.#options = options;
    this.view = options.view;
    const { channel, sip } = options;
    channel.events.on('message', ({ contentType, bytes }) => this.#receive(contentType, bytes));
    channel.events.on('closed', ({ error }) => {
      void this.close(error === undefined ? 'connection closed by the other side' : describeError(error));
    });
    sip.onEnded((why) => void this.close(why));
    this.#active();
  }

  get closed(): boolean {
    return this.#closed;
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
  async close(reason: string): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelIdle();
    const { ports, channel, sip, onClosed } = this.#options;
    channel.close();
    onClosed(reason);
    try {
      await withDeadline(ports.clock, limits.sessionEndMilliseconds, sip.end(), () => new Error('no answer to BYE'));
    } catch (error) {
      ports.log.log('debug', 'session.end-unconfirmed', { session: this.view.id, reason: describeError(error) });
    }
  }

  #content(message: TextToSend): { contentType: string; body: Uint8Array } {
    const accepts = (type: string): boolean =>
      this.#options.peerAcceptTypes.some((accepted) => accepted === '*' || accepted.toLowerCase() === type);
    if (accepts('message/cpim')) return cpimText(message);
    if (accepts('text/plain')) return plainText(message.text);
    throw refuse('peer-incompatible', 'message', { happened: 'The other side takes no text in this session' });
  }

  #receive(contentType: string, bytes: Uint8Array): void {
    this.#active();
    // An empty message binds the connection to the session (RFC 4975 5.4) and says nothing.
    if (bytes.length === 0) return;
    const { ports, onText } = this.#options;
    try {
      onText(readText(contentType, bytes));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      ports.log.log('warn', 'session.message-unreadable', { session: this.view.id, reason: error.message });
    }
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
