import { isPossibleByteRange } from './byte-range.ts';
import type { ContinuationFlag, MsrpRequestHead } from './head.ts';
import { isAcceptable } from './media-type-list.ts';
import { IncomingMessage, type IncomingDecision, type IncomingDescription } from './incoming.ts';
import type { MsrpSessionAction, ReceivedMessage } from './session-types.ts';

export interface ReceiverOptions {
  readonly decide: (incoming: IncomingDescription) => IncomingDecision;
  readonly judge: (message: ReceivedMessage) => number;
  /** Whole messages too are reported as arrived only when `stored` says so. */
  readonly holdsReports: boolean;
  readonly acceptTypes: readonly string[];
  readonly maxMessageOctets: number;
  readonly maxStreamOctets: number;
  readonly maxIncoming: number;
}

/** What the receiver says to its session besides actions. */
export interface ReceiverReplies {
  /** Answers the request, where RFC 4975 lets it be answered. */
  respond(request: MsrpRequestHead, status: number): void;
  /** Sends a REPORT over the whole message. */
  report(message: IncomingMessage, status: number): void;
  emit(action: MsrpSessionAction): void;
}

/** Ids of ended messages that are remembered, so that repeated or late chunks are not shown again. */
const rememberedIds = 1024;

/** The receiving half of a session: SEND requests in, whole messages or streams out (RFC 4975 section 7.3.1). */
export class MessageReceiver {
  readonly #options: ReceiverOptions;
  readonly #replies: ReceiverReplies;
  readonly #incoming = new Map<string, IncomingMessage>();
  /** Messages that arrived whole and wait for `stored`. */
  readonly #storing = new Map<string, IncomingMessage>();
  /** Ended messages and the status that a further chunk of them gets. */
  readonly #ended = new Map<string, number>();
  #request: MsrpRequestHead | undefined;
  #message: IncomingMessage | undefined;

  constructor(options: ReceiverOptions, replies: ReceiverReplies) {
    this.#options = options;
    this.#replies = replies;
  }

  /** Begins a SEND whose To-Path was found right. */
  begin(request: MsrpRequestHead, hasBody: boolean): void {
    this.#request = request;
    this.#message = undefined;
    const status = this.#open(request, hasBody);
    // A refusal is told before the body has arrived, so that the sender can stop.
    if (status !== undefined) this.#answer(status);
  }

  body(bytes: Uint8Array): void {
    const message = this.#message;
    if (message === undefined) return;
    const { position } = message;
    if (!message.write(bytes)) this.#refuse(message, 413);
    else if (message.take === 'stream') {
      this.#replies.emit({ type: 'data', messageId: message.description.messageId, position, bytes });
    }
  }

  end(flag: ContinuationFlag): void {
    const message = this.#message;
    this.#message = undefined;
    const progress = message?.endChunk(flag);
    if (message !== undefined && progress === 'contradiction') this.#refuse(message, 400);
    if (message !== undefined && progress === 'complete' && message.take === 'memory') {
      this.#take(message);
      return;
    }
    this.#answer(200);
    if (message === undefined) return;
    if (progress === 'aborted') this.#drop(message);
    else if (progress === 'complete') this.#store(message);
  }

  stored(messageId: string, status: number): void {
    const message = this.#storing.get(messageId) ?? this.#incoming.get(messageId);
    if (message === undefined) return;
    if (this.#storing.delete(messageId)) this.#remember(messageId, status);
    else if (this.#message === message) this.#refuse(message, status);
    else this.#drop(message, status);
    const isWanted = status === 200 ? message.successReport : message.failureReport !== 'no';
    if (isWanted) this.#replies.report(message, status);
  }

  /** The session ends: nothing unfinished will be finished. */
  abandon(): void {
    for (const message of this.#incoming.values()) this.#drop(message);
    this.#message = undefined;
  }

  /** Status of a refusal, or undefined when the request may go on. */
  #open(request: MsrpRequestHead, hasBody: boolean): number | undefined {
    const { messageId, byteRange, contentType } = request.headers;
    if (messageId === undefined || (byteRange !== undefined && !isPossibleByteRange(byteRange))) return 400;
    if (hasBody !== (contentType !== undefined)) return 400;
    const known = this.#incoming.get(messageId);
    // A SEND without content binds or keeps alive; one that ends a known message is its last chunk.
    if (contentType === undefined && known === undefined) return undefined;
    const ended = this.#ended.get(messageId);
    if (ended !== undefined || this.#storing.has(messageId)) return ended === 200 ? undefined : ended;
    const message = known ?? this.#admit(request, messageId, contentType ?? '');
    if (typeof message === 'number') return message;
    if (!message.beginChunk(byteRange)) {
      this.#drop(message, 413);
      return 413;
    }
    this.#message = message;
    return undefined;
  }

  #admit(request: MsrpRequestHead, messageId: string, contentType: string): IncomingMessage | number {
    const { byteRange, other, fromPath } = request.headers;
    const refuse = (status: number): number => {
      this.#remember(messageId, status);
      return status;
    };
    if (!isAcceptable(contentType, this.#options.acceptTypes)) return refuse(415);
    if (this.#incoming.size >= this.#options.maxIncoming) return refuse(413);
    const total = byteRange?.total;
    const description = { messageId, contentType, other, fromPath, ...(total === undefined ? {} : { total }) };
    const decision = this.#options.decide(description);
    if (typeof decision === 'object') return refuse(decision.refuse);
    const maxOctets = decision === 'stream' ? this.#options.maxStreamOctets : this.#options.maxMessageOctets;
    if (total !== undefined && total > maxOctets) return refuse(413);
    const reports = {
      success: request.headers.successReport === 'yes',
      failure: request.headers.failureReport ?? 'yes',
    } as const;
    const message = new IncomingMessage(description, decision, reports, maxOctets);
    this.#incoming.set(messageId, message);
    if (decision === 'stream') this.#replies.emit({ type: 'data-begin', description });
    return message;
  }

  /** Judged before the last chunk is answered, so that the answer is the truth about the whole. */
  #take(message: IncomingMessage): void {
    const { messageId, contentType, fromPath, other } = message.description;
    const received = { messageId, contentType, bytes: message.bytes(), fromPath, other };
    const status = this.#options.judge(received);
    if (status !== 200) {
      this.#refuse(message, status);
      return;
    }
    this.#answer(200);
    this.#incoming.delete(messageId);
    this.#remember(messageId, 200);
    const isHeld = message.successReport && this.#options.holdsReports;
    if (isHeld) this.#storing.set(messageId, message);
    this.#replies.emit({ type: 'message', message: received });
    if (message.successReport && !isHeld) this.#replies.report(message, 200);
  }

  #store(message: IncomingMessage): void {
    const { messageId } = message.description;
    this.#incoming.delete(messageId);
    this.#remember(messageId, 200);
    this.#storing.set(messageId, message);
    this.#replies.emit({ type: 'data-end', messageId, octets: message.length });
  }

  /** Refuses the message whose chunk is being read; the rest of the chunk is passed over. */
  #refuse(message: IncomingMessage, status: number): void {
    this.#answer(status);
    this.#drop(message, status);
    this.#message = undefined;
  }

  /** Without a status nothing is remembered: a message that its sender gave up may come again. */
  #drop(message: IncomingMessage, status?: number): void {
    const { messageId } = message.description;
    this.#incoming.delete(messageId);
    if (status !== undefined) this.#remember(messageId, status);
    if (message.take === 'stream') this.#replies.emit({ type: 'data-aborted', messageId });
  }

  #remember(messageId: string, status: number): void {
    this.#ended.set(messageId, status);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= rememberedIds) break;
      this.#ended.delete(oldest);
    }
  }

  /** Each request is answered once. */
  #answer(status: number): void {
    if (this.#request === undefined) return;
    this.#replies.respond(this.#request, status);
    this.#request = undefined;
  }
}
