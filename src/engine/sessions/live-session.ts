import type { SessionView } from '../chat-message.ts';
import type { EnginePorts } from '../ports.ts';
import type { RefusalError } from '../refusal.ts';
import { MessageSession, type MessageSessionOptions } from './message-session.ts';
import type { EstablishedStream } from './session-opener.ts';
import { SessionOutbox } from './session-outbox.ts';
import type { SessionEnd } from './session-recovery.ts';
import { SessionWatch } from './session-watch.ts';
import type { UnsettledMessage } from './unsettled-message.ts';

/** What is passed on as it is. */
type SessionPart = Pick<MessageSessionOptions, 'self' | 'habits' | 'onText' | 'onReceipt' | 'onComposing'>;

export interface LiveSessionOptions extends SessionPart {
  readonly ports: EnginePorts;
  readonly view: SessionView;
  readonly stream: EstablishedStream;
  /** Our address towards the network when the session began. */
  readonly localAddress: string | undefined;
  readonly judge: (message: UnsettledMessage) => RefusalError | undefined;
  /** Called once; `unsettled` are the messages that nobody has any more. */
  readonly onClosed: (reason: string, end: SessionEnd, unsettled: readonly UnsettledMessage[]) => void;
  /** The dialog is over too. */
  readonly onEnded: () => void;
}

/** An open session with the messages that it has to bring over, watched so that its loss does not go unseen. */
export class LiveSession {
  readonly view: SessionView;
  readonly #localAddress: string | undefined;
  readonly #session: MessageSession;
  readonly #outbox: SessionOutbox;
  readonly #watch: SessionWatch;

  constructor(options: LiveSessionOptions) {
    const { ports, view, stream } = options;
    const { channel, sip, peerAcceptTypes, peerAcceptWrappedTypes } = stream;
    const { self, habits, onText, onReceipt, onComposing } = options;
    this.view = view;
    this.#localAddress = options.localAddress;
    this.#watch = new SessionWatch({
      clock: ports.clock,
      channel,
      isWaiting: () => this.#outbox.isWaiting,
      onSilent: () => void this.close('the other side does not answer', 'lost'),
    });
    this.#outbox = new SessionOutbox({
      session: { view, send: (message) => this.#session.send(message) },
      judge: options.judge,
      onHanded: () => this.#watch.expectAnswer(),
    });
    this.#session = new MessageSession({
      ports,
      view,
      sip,
      channel,
      peerAcceptTypes,
      peerAcceptWrappedTypes,
      self,
      habits,
      onText,
      onReceipt,
      onComposing,
      onClosed: (reason, end) => {
        this.#watch.stop();
        options.onClosed(reason, end, this.#outbox.end());
      },
      onEnded: options.onEnded,
    });
  }

  get closed(): boolean {
    return this.#session.closed;
  }

  /** Whether the far end can tell a copy of a text from a new one. */
  get tellsCopies(): boolean {
    return this.#session.tellsCopies;
  }

  get hasEndedThere(): boolean {
    return this.#session.hasEndedThere;
  }

  send(message: UnsettledMessage): void {
    this.#outbox.add(message);
  }

  /** Carries on with what lost sessions left. */
  adopt(messages: readonly UnsettledMessage[]): void {
    this.#outbox.adopt(messages);
  }

  /** Gives what is not settled to `newer`: which of two sessions to a peer still lives is not known, and copies are harmless. */
  handOver(newer: LiveSession): void {
    newer.adopt(this.#outbox.release());
  }

  /** False when the peer is not told. */
  composing(isWriting: boolean): boolean {
    return this.#session.composing(isWriting);
  }

  /** A text of the peer came by another way. */
  textArrived(): void {
    this.#session.textArrived();
  }

  /** False when the peer is not told. */
  tellDisplayed(messageId: string): boolean {
    return this.#session.tellDisplayed(messageId);
  }

  probe(): void {
    this.#watch.probe();
  }

  /** Our address towards the network is this one now. */
  followAddress(address: string | undefined): void {
    if (address === undefined || this.#localAddress === undefined || address === this.#localAddress) return;
    void this.close('the address of this device changed', 'moved');
  }

  /** Resolves when both halves are over; never rejects. */
  close(reason: string, end: SessionEnd = 'here'): Promise<void> {
    return this.#session.close(reason, end);
  }
}
