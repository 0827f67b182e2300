import {
  serverEnvelope,
  type CallEnvelope,
  type EventEnvelope,
  type ReplyEnvelope,
  type ServerEnvelope,
} from '../../src/contract/index.ts';
import { LinkDownError, type Transport } from './transport.ts';

const firstRetryMilliseconds = 400;
const longestRetryMilliseconds = 8_000;

interface Pending {
  readonly resolve: (reply: ReplyEnvelope) => void;
  readonly reject: (error: Error) => void;
}

/** The lab console's WebSocket, opened again whenever it breaks. */
export class WebSocketTransport implements Transport {
  readonly #url: string;
  readonly #eventListeners = new Set<(event: EventEnvelope) => void>();
  readonly #linkListeners = new Set<(isUp: boolean) => void>();
  readonly #pending = new Map<number, Pending>();
  #socket: WebSocket | undefined;
  #retryMilliseconds = firstRetryMilliseconds;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(url: string) {
    this.#url = url;
    this.#connect();
  }

  call(envelope: CallEnvelope): Promise<ReplyEnvelope> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return Promise.reject(new LinkDownError('not connected'));
    return new Promise((resolve, reject) => {
      this.#pending.set(envelope.id, { resolve, reject });
      socket.send(JSON.stringify(envelope));
    });
  }

  onEvent(listener: (event: EventEnvelope) => void): void {
    this.#eventListeners.add(listener);
  }

  onLink(listener: (isUp: boolean) => void): void {
    this.#linkListeners.add(listener);
    listener(this.#socket?.readyState === WebSocket.OPEN);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#retryMilliseconds = firstRetryMilliseconds;
      this.#tellLink(true);
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    socket.onclose = () => this.#lose(socket);
  }

  #receive(data: unknown): void {
    const envelope = readEnvelope(data);
    if (envelope === undefined) return;
    if ('event' in envelope) {
      for (const listener of this.#eventListeners) listener(envelope);
    } else if (envelope.id !== null) {
      this.#pending.get(envelope.id)?.resolve(envelope);
      this.#pending.delete(envelope.id);
    }
  }

  #lose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    for (const { reject } of this.#pending.values()) reject(new LinkDownError('connection lost'));
    this.#pending.clear();
    this.#tellLink(false);
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMilliseconds);
    this.#retryMilliseconds = Math.min(this.#retryMilliseconds * 2, longestRetryMilliseconds);
  }

  #tellLink(isUp: boolean): void {
    for (const listener of this.#linkListeners) listener(isUp);
  }
}

function readEnvelope(data: unknown): ServerEnvelope | undefined {
  try {
    return serverEnvelope.parse(typeof data === 'string' ? JSON.parse(data) : undefined);
  } catch {
    // Not ours or from a newer version: the gap in the event numbers makes the state ask for a snapshot.
    return undefined;
  }
}
