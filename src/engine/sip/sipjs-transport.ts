import { EmitterImpl, StateTransitionError, TransportState, type Core, type Emitter, type Transport } from 'sip.js';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { checkMandatoryHeaders, headerList } from '../../protocol/sip/headers.ts';
import {
  answerableHeaders,
  parseSipMessage,
  serialiseSipMessage,
  type SipMessage,
  type SipHeaders,
} from '../../protocol/sip/message.ts';
import type { EnginePorts, SipConnection, SipHop, SipProtocol } from '../ports.ts';
import { AnswerableRequests } from './answerable-requests.ts';
import { openLink } from './links/open-link.ts';
import type { SipLink } from './links/sip-link.ts';
import { OutstandingRequests } from './outstanding-requests.ts';
import { parseForSipJs } from './parse-once.ts';
import { checkRequest, refusalOf, tooManyRequests } from './request-check.ts';
import type { WireTranslation } from './wire-translation.ts';

/** A connection with the place that it leads to. */
export interface ConnectedHop {
  readonly hop: SipHop;
  readonly connection: SipConnection;
}

export interface SipJsTransportOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'random' | 'sip'>;
  /** Connects to the best place of the server that answers, within a bounded time; tries no other one once it is not wanted any more. */
  readonly connect: (isWanted: () => boolean) => Promise<ConnectedHop>;
  /** Of the Via while there is no connection. */
  readonly usualProtocol: SipProtocol;
  readonly translation: WireTranslation;
  /** Last change to a request before it leaves (security agreement). */
  readonly secure: (request: SipMessage) => void;
  /** There is no room for another request whose end is up to its sender. */
  readonly isFull: () => boolean;
  /** From here on some of the request may have left. */
  readonly onLeaving: (request: SipMessage) => void;
  /**
   * First look at a message that came in, and its last change before SIP.js reads it (challenges).
   * @param isAwaited a response to a request of that method that has no final answer yet.
   */
  readonly inspect: (message: SipMessage, isAwaited: boolean) => void;
}

const disconnectMilliseconds = 2_000;

/**
 * SIP.js over a connection to one place:
 *
 *   Disconnected -> Connecting -> Connected -> Disconnecting -> Disconnected
 *                        `-> Disconnected  `-> Disconnected (connection lost)
 *
 * It translates and answers open requests when the connection breaks; its link frames, keeps alive and repeats. It does not reconnect.
 */
export class SipJsTransport implements Transport {
  onConnect: (() => void) | undefined;
  onDisconnect: ((error?: Error) => void) | undefined;
  onMessage: ((message: string) => void) | undefined;
  readonly #options: SipJsTransportOptions;
  readonly #parserLog: Core.Logger;
  readonly #stateChange = new EmitterImpl<TransportState>();
  readonly #outstanding: OutstandingRequests;
  /** Of the current connection. */
  #answerable = new AnswerableRequests();
  #state = TransportState.Disconnected;
  #isInCallback = false;
  #link: SipLink | undefined;
  #connecting: Promise<void> | undefined;
  /** Counts the attempts to connect: of two that overlap, as after `disconnect`, the last one counts. */
  #attempts = 0;
  #endedUndecided = false;

  constructor(logger: Core.Logger, options: SipJsTransportOptions) {
    this.#parserLog = logger;
    this.#options = options;
    this.#outstanding = new OutstandingRequests(options.ports.clock);
  }

  /** The Via sent-protocol. */
  get protocol(): string {
    return (this.#link?.connection.protocol ?? this.#options.usualProtocol).toUpperCase();
  }

  get state(): TransportState {
    return this.#state;
  }

  get stateChange(): Emitter<TransportState> {
    return this.#stateChange;
  }

  get link(): SipLink | undefined {
    return this.#state === TransportState.Connected ? this.#link : undefined;
  }

  get connection(): SipConnection | undefined {
    return this.link?.connection;
  }

  /** The last connection ended before the first answer to a keep-alive was there or overdue. */
  get endedUndecided(): boolean {
    return this.#endedUndecided;
  }

  isConnected(): boolean {
    return this.#state === TransportState.Connected;
  }

  connect(): Promise<void> {
    if (this.#isInCallback) return Promise.reject(new StateTransitionError('connect called inside a callback'));
    if (this.#state === TransportState.Connected) return Promise.resolve();
    if (this.#state === TransportState.Connecting && this.#connecting !== undefined) return this.#connecting;
    this.#changeState(TransportState.Connecting);
    const connecting = this.#open();
    this.#connecting = connecting;
    return connecting;
  }

  async disconnect(): Promise<void> {
    if (this.#isInCallback) throw new StateTransitionError('disconnect called inside a callback');
    if (this.#state !== TransportState.Connecting && this.#state !== TransportState.Connected) return;
    const wasConnected = this.#state === TransportState.Connected;
    const link = this.#link;
    this.#link = undefined;
    link?.stop();
    this.#changeState(TransportState.Disconnecting);
    if (link !== undefined) await this.#close(link.connection);
    // Another connect may have come meanwhile, which SIP.js allows.
    if (this.state === TransportState.Disconnecting) this.#changeState(TransportState.Disconnected);
    if (wasConnected) this.#callBack(() => this.onDisconnect?.());
    this.#answerLocally(this.#outstanding.connectionLost());
  }

  dispose(): Promise<void> {
    return this.disconnect();
  }

  /** The connection is of no use any more. */
  abandon(error: Error): void {
    if (this.#link !== undefined && this.isConnected()) this.#lose(this.#link, error);
  }

  async send(text: string): Promise<void> {
    const link = this.link;
    if (link === undefined) throw new Error('not connected');
    const { translation, secure, onLeaving, ports } = this.#options;
    const { localAddress, localPort } = link.connection;
    const original = parseSipMessage(utf8(text));
    const message = translation.outgoing(original, { host: localAddress, port: localPort });
    const isRequest = message.start.kind === 'request';
    if (!isRequest && !this.#answerable.takes(original)) throw new Error('it was asked over another connection');
    if (isRequest) secure(message);
    this.#outstanding.sent(original);
    ports.log.log('debug', 'sip.sent', summary(message));
    if (isRequest) onLeaving(message);
    try {
      await link.send(message);
    } catch (error) {
      if (!isRequest || !(error instanceof ProtocolError) || error.hint.sip === undefined) throw error;
      // SIP.js would make a 503 of it, as if the connection were at fault.
      this.#answerLocally(this.#outstanding.notSent(original, error.hint.sip));
    }
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempts;
    const isWanted = (): boolean => this.#attempts === attempt && this.#state === TransportState.Connecting;
    let connected: ConnectedHop;
    try {
      connected = await this.#options.connect(isWanted);
    } catch (error) {
      if (isWanted()) this.#changeState(TransportState.Disconnected);
      throw error;
    }
    if (!isWanted()) {
      connected.connection.close();
      throw new Error('disconnected while connecting');
    }
    this.#use(connected);
  }

  #use({ hop, connection }: ConnectedHop): void {
    const whileInUse = (action: () => void): void => {
      if (this.#link === link) action();
    };
    const link = openLink({
      ports: this.#options.ports,
      hop,
      connection,
      listener: {
        onMessage: (bytes) => whileInUse(() => this.#receive(bytes)),
        onLost: (error) => whileInUse(() => this.#lose(link, error)),
        onUnanswerable: (branches) => whileInUse(() => this.#answerLocally(this.#outstanding.connectionLost(branches))),
      },
    });
    this.#link = link;
    this.#answerable = new AnswerableRequests();
    this.#changeState(TransportState.Connected);
    this.#callBack(() => this.onConnect?.());
  }

  #receive(bytes: Uint8Array): void {
    const { log } = this.#options.ports;
    let message: SipMessage | undefined;
    try {
      message = parseSipMessage(bytes);
      log.log('debug', 'sip.received', summary(message));
      checkMandatoryHeaders(message);
      checkRequest(message);
      // An INVITE is remembered until its ACK, and nothing makes a sender send that. Of a 503 nothing is remembered here.
      if (message.method === 'INVITE' && this.#options.isFull()) throw tooManyRequests();
      const translated = this.#options.translation.incoming(message);
      this.#options.inspect(translated, this.#outstanding.awaits(translated));
      const text = fromUtf8(serialiseSipMessage(translated));
      if (!parseForSipJs(text, this.#parserLog)) {
        throw new ProtocolError('malformed', 'not understood', { field: 'sip.message', hint: { sip: 400 } });
      }
      this.#outstanding.received(translated);
      this.#answerable.received(translated);
      this.onMessage?.(text);
    } catch (error) {
      log.log('warn', 'sip.message-refused', { reason: describeError(error) });
      if (error instanceof ProtocolError) this.#refuse(answerable(message, bytes), error);
    }
  }

  #refuse(request: SipHeaders | undefined, error: ProtocolError): void {
    const link = this.#link;
    if (request === undefined || link === undefined) return;
    const answer = refusalOf(request, error);
    // Where there is no transaction to remember it with, it is sent once.
    link.send(answer).catch(() => link.sendOnce(serialiseSipMessage(answer)));
  }

  #lose(link: SipLink, error: Error): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#endedUndecided = link.isUndecided;
    link.stop();
    link.connection.close();
    this.#options.ports.log.log('warn', 'sip.connection-lost', { reason: describeError(error) });
    this.#changeState(TransportState.Disconnected);
    this.#callBack(() => this.onDisconnect?.(error));
    this.#answerLocally(this.#outstanding.connectionLost());
  }

  #answerLocally(answers: readonly string[]): void {
    for (const answer of answers) {
      try {
        this.onMessage?.(answer);
      } catch (error) {
        this.#options.ports.log.log('warn', 'sip.answer-failed', { reason: describeError(error) });
      }
    }
  }

  #close(connection: SipConnection): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.ports.clock.after(disconnectMilliseconds, resolve);
      connection.onClose(() => {
        cancel();
        resolve();
      });
      connection.close();
    });
  }

  #changeState(state: TransportState): void {
    this.#state = state;
    if (state !== TransportState.Connecting) this.#connecting = undefined;
    this.#callBack(() => this.#stateChange.emit(state));
  }

  #callBack(action: () => void): void {
    const outer = this.#isInCallback;
    this.#isInCallback = true;
    try {
      action();
    } catch (error) {
      this.#options.ports.log.log('error', 'sip.callback-failed', { reason: describeError(error) });
    } finally {
      this.#isInCallback = outer;
    }
  }
}

/** Of a request other than ACK, when it says whom to answer. */
function answerable(message: SipMessage | undefined, bytes: Uint8Array): SipHeaders | undefined {
  if (message === undefined) return answerableHeaders(bytes);
  const needsAnswer = message.method !== undefined && message.method !== 'ACK' && message.headers.has('Via');
  return needsAnswer ? message.headers : undefined;
}

function summary(message: SipMessage): Record<string, string> {
  const what = message.start.kind === 'request' ? message.start.method : String(message.start.status);
  const cseq = headerList(message, 'CSeq')[0] ?? '';
  return { what, cseq, callId: message.headers.get('Call-ID') ?? '' };
}
