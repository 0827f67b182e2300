import { ChunkEncoder, encodeFrame } from './codec.ts';
import { containsEndLine, OctetSearch } from './end-line.ts';
import type { IdSource } from './id-source.ts';
import type { MsrpHeaders, MsrpRequestHead } from './head.ts';
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
}

interface Transaction {
  /** Absent for the SEND that binds the session. */
  readonly message: OutgoingMessage | undefined;
  readonly deadline: number;
}

/** What the peer's answer means for the session as a whole. */
export type SenderVerdict = 'go-on' | 'bound' | { readonly endSession: number };

/** The sending half of a session: messages in, chunks out in turn, answers and reports gathered. */
export class MessageSender {
  readonly #options: SenderOptions;
  readonly #onOutcome: (messageId: string, result: MsrpOutcome) => void;
  readonly #messages = new Map<string, OutgoingMessage>();
  /** Messages with octets to send; the first is next, then goes to the end. */
  readonly #turn: OutgoingMessage[] = [];
  /** In the order of their deadlines, as all wait equally long. */
  readonly #transactions = new Map<string, Transaction>();
  /** Messages that wait only for their success report, with the time when we stop waiting. */
  readonly #awaitingReport = new Map<OutgoingMessage, number>();
  readonly #aborts: OutgoingMessage[] = [];
  readonly #search = new OctetSearch();

  constructor(options: SenderOptions, onOutcome: (messageId: string, result: MsrpOutcome) => void) {
    this.#options = options;
    this.#onOutcome = onOutcome;
  }

  get isIdle(): boolean {
    return this.#turn.length === 0;
  }

  /** @throws ProtocolError `local` when the message id is in use or not an identifier. */
  add(request: OutgoingRequest): void {
    if (this.#messages.has(request.messageId)) throw impossibleMsrp('Message-ID', 'already being sent', 'a new one');
    const message = new OutgoingMessage(request, this.#encoderFor(request));
    this.#messages.set(request.messageId, message);
    this.#turn.push(message);
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
      const chunk = message.nextChunk();
      if (!message.isSent) this.#turn.push(message);
      if (chunk !== 'wait') return this.#chunkFrame(message, chunk, now);
    }
    return undefined;
  }

  /** Takes a response, or a REPORT's status for the message it names. */
  answered(transactionId: string, status: number, now: number): SenderVerdict {
    const transaction = this.#transactions.get(transactionId);
    if (transaction === undefined) return 'go-on';
    this.#transactions.delete(transactionId);
    const { message } = transaction;
    if (message === undefined) return status === 200 ? 'bound' : { endSession: status };
    message.unanswered--;
    if (status === 200) {
      this.#settle(message, now);
      return 'bound';
    }
    this.#fail(message, status, 'rejected');
    return endsSession(status) ? { endSession: status } : 'go-on';
  }

  /** RFC 4975 section 7.3.2; a REPORT for an unknown message is ignored. */
  reported(headers: MsrpHeaders, now: number): SenderVerdict {
    const message = this.#messages.get(headers.messageId ?? '');
    const { status } = headers;
    if (message === undefined || status?.namespace !== '000') return 'go-on';
    if (status.code === 200) {
      message.addReport(headers.byteRange);
      this.#settle(message, now);
      return 'go-on';
    }
    this.#fail(message, status.code, 'rejected');
    return endsSession(status.code) || status.code === 408 ? { endSession: status.code } : 'go-on';
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
    for (const [id, { message, deadline }] of this.#transactions) {
      if (deadline > now) break;
      this.#transactions.delete(id);
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
    this.#aborts.length = 0;
  }

  #chunkFrame(message: OutgoingMessage, { body, byteRange, last }: OutgoingChunk, now: number): readonly Uint8Array[] {
    const isAnswerDue = message.failureReport === 'yes';
    if (isAnswerDue) message.unanswered++;
    const transactionId = this.#open(isAnswerDue ? message : 'no-answer', now, body);
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
    while (this.#transactions.has(id) || (body !== undefined && containsEndLine(body, id, this.#search)))
      id = this.#options.ids.next();
    if (message !== 'no-answer') this.#transactions.set(id, { message, deadline: now + transactionMilliseconds });
    return id;
  }

  #settle(message: OutgoingMessage, now: number): void {
    if (message.isDone) {
      const isConfirmed = message.failureReport === 'yes' || message.request.successReport === true;
      this.#end(message, isConfirmed ? { outcome: 'delivered', status: 200 } : { outcome: 'written' });
    } else if (message.isSent && message.unanswered === 0 && !this.#awaitingReport.has(message)) {
      this.#awaitingReport.set(message, now + reportMilliseconds);
    }
  }

  #fail(message: OutgoingMessage, status: number, failure: MsrpFailure): void {
    // RFC 4975 section 10.5: after 413 no further chunk of the message may be sent, so not even the aborting one.
    const isToldTo = message.hasBegun && !message.isSent && status !== 413;
    if (isToldTo && this.#messages.has(message.request.messageId)) this.#aborts.push(message);
    this.#end(message, { outcome: 'failed', status, failure });
  }

  #end(message: OutgoingMessage, result: MsrpOutcome): void {
    if (!this.#messages.delete(message.request.messageId)) return;
    const turn = this.#turn.indexOf(message);
    if (turn >= 0) this.#turn.splice(turn, 1);
    this.#awaitingReport.delete(message);
    this.#onOutcome(message.request.messageId, result);
  }
}

/** RFC 4975 sections 10.8 and 10.10: no such session, or bound to another connection. */
function endsSession(status: number): boolean {
  return status === 481 || status === 506;
}
