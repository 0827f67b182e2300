import { BulkPace } from './bulk-pace.ts';
import { ChunkEncoder, encodeFrame } from './codec.ts';
import { containsEndLine, OctetSearch } from './end-line.ts';
import type { IdSource } from './id-source.ts';
import type { MsrpHeaders, MsrpRequestHead } from './head.ts';
import { isAcceptable } from './media-type-list.ts';
import { impossibleMsrp } from './msrp-error.ts';
import { OutgoingMessage, type OutgoingChunk, type OutgoingRequest } from './outgoing.ts';
import type { MsrpFailure, MsrpOutcome } from './session-types.ts';

/** RFC 4975 section 7.1.1: "If a 200 response to the transaction is not received within 30 seconds". */
export const transactionMilliseconds = 30_000;
/** RFC 4975 leaves the wait for a success report to us and names 2 minutes for many applications. */
const reportMilliseconds = 120_000;

export interface SenderOptions {
  readonly localPath: string;
  readonly remotePath: readonly string[];
  readonly ids: IdSource;
  readonly maxUnanswered: number;
  /** The far end's `a=accept-types`; `*` for anything. */
  readonly peerAcceptTypes: readonly string[];
  /** The far end's `a=max-size`. */
  readonly peerMaxOctets: number;
}

export interface SenderEvents {
  readonly onOutcome: (messageId: string, result: MsrpOutcome) => void;
  /** A message that counts as written was refused after all. */
  readonly onLateFailure: (messageId: string, status: number) => void;
}

interface Transaction {
  /** Absent for the SEND that binds the session. */
  readonly message: OutgoingMessage | undefined;
  readonly deadline: number;
  /** Octets of a chunk of a long message, 0 for everything else. */
  readonly bulkOctets: number;
}

/** Messages and chunks with `Failure-Report: partial` that a refusal may still speak of. */
const rememberedQuiet = 256;

/** What the peer's answer means for the session as a whole. */
export type SenderVerdict = 'go-on' | 'bound' | { readonly endSession: number };

/** The sending half of a session: messages in, chunks out in turn, answers and reports gathered. */
export class MessageSender {
  readonly #options: SenderOptions;
  readonly #events: SenderEvents;
  readonly #messages = new Map<string, OutgoingMessage>();
  /** Messages with octets to send; the first is next, then goes to the end. */
  readonly #turn: OutgoingMessage[] = [];
  /** In the order of their deadlines, as all wait equally long. */
  readonly #transactions = new Map<string, Transaction>();
  /** Messages that wait only for their success report, with the time when we stop waiting. */
  readonly #awaitingReport = new Map<OutgoingMessage, number>();
  readonly #aborts: OutgoingMessage[] = [];
  /** Transactions of chunks with `Failure-Report: partial`: the latest, as no answer says that one is over. */
  readonly #quiet = new Map<string, string>();
  /** Messages with `Failure-Report: partial` that were written whole: the latest. */
  readonly #written = new Set<string>();
  /** Media types that the peer answered 415. */
  readonly #refusedTypes = new Set<string>();
  readonly #search = new OctetSearch();
  readonly #pace = new BulkPace();

  constructor(options: SenderOptions, events: SenderEvents) {
    this.#options = options;
    this.#events = events;
  }

  get isIdle(): boolean {
    return this.#turn.length === 0;
  }

  /** @throws ProtocolError `local` when the message id is in use or not an identifier. */
  add(request: OutgoingRequest): void {
    if (this.#messages.has(request.messageId)) throw impossibleMsrp('Message-ID', 'already being sent', 'a new one');
    const message = new OutgoingMessage(request, this.#encoderFor(request), this.#options.peerMaxOctets);
    this.#messages.set(request.messageId, message);
    const unwanted = this.#unwanted(request);
    if (unwanted === undefined) this.#turn.push(message);
    else this.#fail(message, unwanted, 'not-accepted');
  }

  /**
   * RFC 4975 section 7.1: a SEND without content binds the connection to the session, or keeps it alive.
   * It waits for an answer like any other.
   */
  emptySend(now: number): Uint8Array {
    const headers = {
      ...this.#paths(),
      messageId: this.#options.ids.next(),
      byteRange: { start: 1, end: 0, total: 0 },
    };
    const transactionId = this.#open(undefined, now);
    const head: MsrpRequestHead = {
      kind: 'request',
      transactionId,
      method: 'SEND',
      headers: { ...headers, other: [] },
    };
    return encodeFrame({ head, flag: '$' });
  }

  /** The next chunk in turn, or undefined when there is none, or too many are unanswered. */
  next(now: number): readonly Uint8Array[] | undefined {
    const aborted = this.#aborts.shift();
    if (aborted !== undefined) return this.#abortFrame(aborted);
    if (this.#transactions.size >= this.#options.maxUnanswered) return undefined;
    for (let tries = this.#turn.length; tries > 0; tries--) {
      const message = this.#turn.shift();
      if (message === undefined) break;
      if (message.isLong && !this.#pace.hasRoom) {
        this.#turn.push(message);
        continue;
      }
      const chunk = message.nextChunk(this.#pace.chunkOctets);
      if (chunk === 'too-long') {
        // Its length was not known before.
        this.#fail(message, 413, 'not-accepted');
        return this.next(now);
      }
      if (!message.isSent) this.#turn.push(message);
      if (chunk !== 'wait') return this.#chunkFrame(message, chunk, now);
    }
    return undefined;
  }

  /** Takes a response, or a REPORT's status for the message it names. */
  answered(transactionId: string, status: number, now: number): SenderVerdict {
    const transaction = this.#transactions.get(transactionId);
    if (transaction === undefined) return this.#answeredQuiet(transactionId, status);
    this.#close(transactionId, transaction);
    const { message, deadline, bulkOctets } = transaction;
    if (bulkOctets >= this.#pace.chunkOctets) this.#pace.answered(now - (deadline - transactionMilliseconds));
    if (message === undefined) return status === 200 ? 'bound' : { endSession: status };
    message.unanswered--;
    if (status === 200) {
      this.#settle(message, now);
      return 'bound';
    }
    this.#refused(message, status);
    return endsSession(status) ? { endSession: status } : 'go-on';
  }

  /** RFC 4975 section 7.3.2; a REPORT for an unknown message, or with a status of another namespace, is ignored. */
  reported({ messageId = '', status, byteRange }: MsrpHeaders, now: number): SenderVerdict {
    if (status?.namespace !== '000') return 'go-on';
    const message = this.#messages.get(messageId);
    if (message === undefined) return this.#reportedQuiet(messageId, status.code);
    if (status.code === 200) {
      message.addReport(byteRange);
      this.#settle(message, now);
      return 'go-on';
    }
    this.#refused(message, status.code);
    return isLoss(status.code) ? { endSession: status.code } : 'go-on';
  }

  cancel(messageId: string): void {
    const message = this.#messages.get(messageId);
    if (message !== undefined) this.#fail(message, 400, 'cancelled');
  }

  /** When `expire` has something to do next. */
  get deadline(): number | undefined {
    const [transaction] = this.#transactions.values();
    const [report] = this.#awaitingReport.values();
    if (transaction === undefined) return report;
    return Math.min(transaction.deadline, report ?? Infinity);
  }

  /** True when the binding SEND itself was not answered in time: nobody is there. */
  expire(now: number): boolean {
    let isBindingLost = false;
    for (const [id, transaction] of this.#transactions) {
      const { message, deadline } = transaction;
      if (deadline > now) break;
      this.#close(id, transaction);
      if (message === undefined) isBindingLost = true;
      else this.#fail(message, 408, 'timeout');
    }
    for (const [message, deadline] of this.#awaitingReport) {
      if (deadline <= now) this.#fail(message, 408, 'timeout');
    }
    return isBindingLost;
  }

  /** Ends every message that has not arrived. */
  abandon(failure: MsrpFailure): void {
    for (const message of [...this.#messages.values()]) this.#fail(message, 481, failure);
    this.#transactions.clear();
    this.#quiet.clear();
    this.#written.clear();
    this.#aborts.length = 0;
  }

  /** The status that the peer would give, as far as its SDP and its answers so far tell. */
  #unwanted({ contentType, source }: OutgoingRequest): number | undefined {
    const type = mediaTypeOf(contentType);
    // RFC 4975 section 10.6: nothing more of a type that was answered 415.
    if (!isAcceptable(contentType, this.#options.peerAcceptTypes) || this.#refusedTypes.has(type)) return 415;
    // RFC 4975 section 8.6: max-size is not to be exceeded.
    return (source.total ?? 0) > this.#options.peerMaxOctets ? 413 : undefined;
  }

  #refused(message: OutgoingMessage, status: number): void {
    const type = mediaTypeOf(message.request.contentType);
    // A 415 to a container may speak of what is in it.
    if (status === 415 && !/^(message|multipart)\//.test(type)) this.#refusedTypes.add(type);
    // RFC 4975 section 10.4: 408 is treated "in the same manner as ... a local timeout".
    this.#fail(message, status, status === 408 ? 'timeout' : 'rejected');
  }

  /** RFC 4975 section 7.1.1: with `partial` no timer runs, but the user is told of a refusal. */
  #answeredQuiet(transactionId: string, status: number): SenderVerdict {
    const messageId = this.#quiet.get(transactionId);
    if (messageId === undefined || status === 200) return 'go-on';
    this.#quiet.delete(transactionId);
    const message = this.#messages.get(messageId);
    if (message === undefined) this.#tellLate(messageId, status);
    else this.#refused(message, status);
    return endsSession(status) ? { endSession: status } : 'go-on';
  }

  #reportedQuiet(messageId: string, status: number): SenderVerdict {
    if (status === 200 || !this.#written.has(messageId)) return 'go-on';
    this.#tellLate(messageId, status);
    return isLoss(status) ? { endSession: status } : 'go-on';
  }

  /** Once for a message, however many of its chunks are refused. */
  #tellLate(messageId: string, status: number): void {
    if (this.#written.delete(messageId)) this.#events.onLateFailure(messageId, status);
  }

  /** When the oldest are forgotten, a refusal of them is not heard any more. */
  #rememberQuiet(transactionId: string, messageId: string): void {
    this.#quiet.set(transactionId, messageId);
    const [oldest] = this.#quiet.keys();
    if (this.#quiet.size > rememberedQuiet && oldest !== undefined) this.#quiet.delete(oldest);
  }

  #rememberWritten(messageId: string): void {
    this.#written.add(messageId);
    const [oldest] = this.#written;
    if (this.#written.size > rememberedQuiet && oldest !== undefined) this.#written.delete(oldest);
  }

  #chunkFrame(message: OutgoingMessage, { body, byteRange, last }: OutgoingChunk, now: number): readonly Uint8Array[] {
    const isAnswerDue = message.failureReport === 'yes';
    if (isAnswerDue) message.unanswered++;
    const transactionId = this.#open(isAnswerDue ? message : 'no-answer', now, body);
    if (message.failureReport === 'partial') this.#rememberQuiet(transactionId, message.request.messageId);
    if (message.isSent) this.#settle(message, now);
    return message.encoder.encode(transactionId, byteRange, body, last ? '$' : '+');
  }

  /** RFC 4975 section 7.1: "If the sender is aborting an incomplete message ... the flag MUST be a "#"". */
  #abortFrame(message: OutgoingMessage): readonly Uint8Array[] {
    return message.encoder.encode(this.#options.ids.next(), message.abortRange, new Uint8Array(0), '#');
  }

  #encoderFor(request: OutgoingRequest): ChunkEncoder {
    const { messageId, contentType, other = [], successReport, failureReport = 'yes' } = request;
    return new ChunkEncoder({
      ...this.#paths(),
      messageId,
      ...(successReport === true ? { successReport: 'yes' } : {}),
      ...(failureReport === 'yes' ? {} : { failureReport }),
      other,
      contentType,
    });
  }

  #paths(): { toPath: readonly string[]; fromPath: readonly string[] } {
    return { toPath: this.#options.remotePath, fromPath: [this.#options.localPath] };
  }

  /** An id for a new transaction, registered when an answer to it is due. */
  #open(message: OutgoingMessage | 'no-answer' | undefined, now: number, body?: Uint8Array): string {
    let id = this.#options.ids.next();
    while (this.#isInUse(id) || (body !== undefined && containsEndLine(body, id, this.#search)))
      id = this.#options.ids.next();
    if (message !== 'no-answer') {
      const bulkOctets = message?.isLong === true ? (body?.length ?? 0) : 0;
      this.#pace.sent(bulkOctets);
      this.#transactions.set(id, { message, bulkOctets, deadline: now + transactionMilliseconds });
    }
    return id;
  }

  #close(id: string, { bulkOctets }: Transaction): void {
    this.#transactions.delete(id);
    this.#pace.over(bulkOctets);
  }

  #isInUse(id: string): boolean {
    return this.#transactions.has(id) || this.#quiet.has(id);
  }

  #settle(message: OutgoingMessage, now: number): void {
    if (message.isDone) {
      const isConfirmed = message.failureReport === 'yes' || message.request.successReport === true;
      if (message.failureReport === 'partial') this.#rememberWritten(message.request.messageId);
      this.#end(message, isConfirmed ? { outcome: 'delivered', status: 200 } : { outcome: 'written' });
    } else if (message.isSent && message.unanswered === 0 && !this.#awaitingReport.has(message)) {
      this.#awaitingReport.set(message, now + reportMilliseconds);
    }
  }

  #fail(message: OutgoingMessage, status: number, failure: MsrpFailure): void {
    // RFC 4975 section 10.5: after a 413 of the peer no further chunk of the message may be sent, so not even the aborting one.
    const isStopped = status === 413 && failure === 'rejected';
    const isToldTo = message.hasBegun && !message.isSent && !isStopped;
    if (isToldTo && this.#messages.has(message.request.messageId)) this.#aborts.push(message);
    this.#end(message, { outcome: 'failed', status, failure });
  }

  #end(message: OutgoingMessage, result: MsrpOutcome): void {
    if (!this.#messages.delete(message.request.messageId)) return;
    const turn = this.#turn.indexOf(message);
    if (turn >= 0) this.#turn.splice(turn, 1);
    this.#awaitingReport.delete(message);
    this.#events.onOutcome(message.request.messageId, result);
  }
}

/** RFC 4975 sections 10.8 and 10.10: no such session, or bound to another connection. */
function endsSession(status: number): boolean {
  return status === 481 || status === 506;
}

/** Statuses by which a receiver says that it does not want a message; it got what it speaks of. */
const refusals: ReadonlySet<number> = new Set([400, 403, 413, 415, 423]);

/**
 * RFC 4975 section 7.3.2: by a failure report "that a particular byte range was not received" the session has failed.
 * A report that only refuses the message is none of these.
 */
function isLoss(status: number): boolean {
  return !refusals.has(status);
}

function mediaTypeOf(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}
