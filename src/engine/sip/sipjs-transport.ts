import { Core, EmitterImpl, StateTransitionError, TransportState, type Emitter, type Transport } from 'sip.js';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { checkMandatoryHeaders, headerList } from '../../protocol/sip/headers.ts';
import {
  answerableHeaders,
  parseSipMessage,
  serialiseSipMessage,
  SipMessage,
  type SipHeaders,
} from '../../protocol/sip/message.ts';
import { SipStreamFramer, type SipFrame } from '../../protocol/sip/stream-framer.ts';
import { withDeadline } from '../deadline.ts';
import type { EnginePorts, SipConnection, SipTarget, SipTransport } from '../ports.ts';
import { KeepAlive } from './keep-alive.ts';
import { OutstandingRequests } from './outstanding-requests.ts';
import { checkRequest, refusalOf } from './request-check.ts';
import type { WireTranslation } from './wire-translation.ts';

export interface SipJsTransportOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'sip'>;
  readonly target: SipTarget;
  readonly translation: WireTranslation;
  /** Last change to a request before it leaves (security agreement). */
  readonly secure: (request: SipMessage) => void;
  /**
   * First look at a message that came in, and its last change before SIP.js reads it (challenges).
   * @param isAwaited a response to a request of that method that has no final answer yet.
   */
  readonly inspect: (message: SipMessage, isAwaited: boolean) => void;
}

const connectMilliseconds = 15_000;
const disconnectMilliseconds = 2_000;
const crlf = Uint8Array.of(0x0d, 0x0a);
const ping = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a);

/**
 * SIP.js over a byte stream:
 *
 *   Disconnected -> Connecting -> Connected -> Disconnecting -> Disconnected
 *                        `-> Disconnected  `-> Disconnected (connection lost)
 *
 * It frames, keeps alive, translates and answers open requests when the connection breaks. It does not reconnect.
 */
export class SipJsTransport implements Transport {
  onConnect: (() => void) | undefined;
  onDisconnect: ((error?: Error) => void) | undefined;
  onMessage: ((message: string) => void) | undefined;
  readonly #options: SipJsTransportOptions;
  readonly #parserLog: Core.Logger;
  readonly #stateChange = new EmitterImpl<TransportState>();
  readonly #outstanding: OutstandingRequests;
  #state = TransportState.Disconnected;
  #isInCallback = false;
  #connection: SipConnection | undefined;
  #connecting: Promise<void> | undefined;
  #keepAlive: KeepAlive | undefined;

  constructor(logger: Core.Logger, options: SipJsTransportOptions) {
    this.#parserLog = logger;
    this.#options = options;
    this.#outstanding = new OutstandingRequests(options.ports.clock);
  }

  /** The Via sent-protocol. */
  get protocol(): string {
    return (this.#connection?.protocol ?? this.#options.target.protocol ?? 'tls').toUpperCase();
  }

  get state(): TransportState {
    return this.#state;
  }

  get stateChange(): Emitter<TransportState> {
    return this.#stateChange;
  }

  get connection(): SipConnection | undefined {
    return this.#state === TransportState.Connected ? this.#connection : undefined;
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
    const connection = this.#connection;
    this.#connection = undefined;
    this.#keepAlive?.stop();
    this.#changeState(TransportState.Disconnecting);
    if (connection !== undefined) await this.#close(connection);
    // Another connect may have come meanwhile, which SIP.js allows.
    if (this.state === TransportState.Disconnecting) this.#changeState(TransportState.Disconnected);
    if (wasConnected) this.#callBack(() => this.onDisconnect?.());
    this.#answerOpenRequests();
  }

  dispose(): Promise<void> {
    return this.disconnect();
  }

  async send(text: string): Promise<void> {
    const connection = this.connection;
    if (connection === undefined) throw new Error('not connected');
    const { translation, secure, ports } = this.#options;
    const { localAddress, localPort } = connection;
    const message = translation.outgoing(text, { host: localAddress, port: localPort });
    if (message.start.kind === 'request') secure(message);
    this.#outstanding.sent(parseSipMessage(utf8(text)));
    ports.log.log('debug', 'sip.sent', summary(message));
    await connection.send(serialiseSipMessage(message));
  }

  async #open(): Promise<void> {
    const { ports, target } = this.#options;
    const abandon = (late: SipConnection): void => late.close();
    const attempt = withDeadline(
      ports.clock,
      connectMilliseconds,
      connectToFirst(ports.sip, target),
      () => new Error(`cannot connect to ${target.host}: timed out`),
      abandon,
    );
    let connection: SipConnection;
    try {
      connection = await attempt;
    } catch (error) {
      if (this.#state === TransportState.Connecting) this.#changeState(TransportState.Disconnected);
      throw error;
    }
    if (this.#state !== TransportState.Connecting) {
      connection.close();
      throw new Error('disconnected while connecting');
    }
    this.#use(connection);
  }

  #use(connection: SipConnection): void {
    const framer = new SipStreamFramer({ side: 'client' });
    this.#connection = connection;
    this.#keepAlive = new KeepAlive({
      clock: this.#options.ports.clock,
      ping: () => void connection.send(ping).catch(() => undefined),
      dead: () => this.#lose(connection, new Error('no answer to keep-alive')),
    });
    connection.onClose((error) => this.#lose(connection, error ?? new Error('connection closed')));
    connection.onData((bytes) => {
      for (const frame of framer.push(bytes)) if (this.#connection === connection) this.#handle(frame, connection);
    });
    this.#changeState(TransportState.Connected);
    this.#callBack(() => this.onConnect?.());
  }

  #handle(frame: SipFrame, connection: SipConnection): void {
    switch (frame.kind) {
      case 'message': {
        this.#receive(frame.bytes);
        return;
      }
      case 'pong':
        return this.#keepAlive?.pong();
      case 'ping':
        return void connection.send(crlf).catch(() => undefined);
      case 'error': {
        this.#lose(connection, frame.error);
        return;
      }
    }
  }

  #receive(bytes: Uint8Array): void {
    const { log } = this.#options.ports;
    let message: SipMessage | undefined;
    try {
      message = parseSipMessage(bytes);
      log.log('debug', 'sip.received', summary(message));
      checkMandatoryHeaders(message);
      checkRequest(message);
      const translated = this.#options.translation.incoming(message);
      this.#options.inspect(translated, this.#outstanding.awaits(translated));
      const text = fromUtf8(serialiseSipMessage(translated));
      const parsed = Core.Parser.parseMessage(text, this.#parserLog);
      if (parsed === undefined) {
        throw new ProtocolError('malformed', 'not understood', { field: 'sip.message', hint: { sip: 400 } });
      }
      this.#outstanding.received(translated);
      this.onMessage?.(text);
    } catch (error) {
      log.log('warn', 'sip.message-refused', { reason: describeError(error) });
      if (error instanceof ProtocolError) this.#refuse(answerable(message, bytes), error);
    }
  }

  #refuse(request: SipHeaders | undefined, error: ProtocolError): void {
    if (request !== undefined) {
      this.#connection?.send(serialiseSipMessage(refusalOf(request, error))).catch(() => undefined);
    }
  }

  #lose(connection: SipConnection, error: Error): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#keepAlive?.stop();
    connection.close();
    this.#options.ports.log.log('warn', 'sip.connection-lost', { reason: describeError(error) });
    this.#changeState(TransportState.Disconnected);
    this.#callBack(() => this.onDisconnect?.(error));
    this.#answerOpenRequests();
  }

  #answerOpenRequests(): void {
    for (const answer of this.#outstanding.connectionLost()) {
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

/** The best place of the server that answers. */
async function connectToFirst(sip: SipTransport, target: SipTarget): Promise<SipConnection> {
  let failure: unknown;
  for (const hop of await sip.locate(target)) {
    try {
      return await sip.connect(hop);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
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
