import type { CancelTimer } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import { isAtLeast } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { limits } from '../limits.ts';
import { writeReceiptContent } from '../message-content.ts';
import { isAccepted, type ContentSender } from '../messages/content-sender.ts';
import type { PeerAbilities } from '../messages/peer-abilities.ts';
import { signallingProtection } from '../messages/signalling-level.ts';
import type { EnginePorts } from '../ports.ts';
import { RefusalError } from '../refusal.ts';
import type { SipReply, SipUserAgent } from '../sip/index.ts';
import type { NoteStore } from '../store/index.ts';
import { receiptKey, receiptNote, receiptOfNote, type OwedReceipt } from './owed-receipt.ts';
import { ReceiptPace } from './receipt-pace.ts';

export interface OwedReceiptsOptions {
  readonly ports: EnginePorts;
  readonly self: string;
  readonly userAgent: SipUserAgent;
  readonly contents: ContentSender;
  readonly abilities: PeerAbilities;
  readonly notes: NoteStore;
}

interface Waiting {
  readonly receipt: OwedReceipt;
  attempts: number;
  notBefore: number;
}

/** `dropped`: the peer takes none of them, now or later. */
type Outcome = 'done' | 'later' | 'dropped';

const noteKind = 'receipt-owed';
/** Begins the Message-IDs of notifications: a device that cannot read one yet need not show that something came. */
export const receiptIdPrefix = 'imdn-';

/**
 * Receipts that are due. Each is sent once, as well protected as the message that it answers; what cannot be sent so waits, over
 * restarts too. Never many at once, and none to a peer that answered 415 to one.
 */
export class OwedReceipts {
  readonly #options: OwedReceiptsOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #sending = new Set<string>();
  readonly #pace: ReceiptPace;
  /** Noted, but the note may not be durable yet. */
  #fresh: string[] = [];
  #cancelTimer: CancelTimer = () => undefined;
  #stopped = false;

  constructor(options: OwedReceiptsOptions) {
    this.#options = options;
    this.#pace = new ReceiptPace(options.ports.clock);
    for (const { key, value } of options.notes.list(noteKind)) this.#add(key, receiptOfNote(value));
  }

  /** Writes that it is due, within the transaction of the message that it answers; `release` sends it. */
  owe(receipt: OwedReceipt): void {
    const key = receiptKey(receipt);
    const isKnown = this.#waiting.has(key) || this.#options.notes.get(noteKind, key) !== undefined;
    if (isKnown || !this.#hasRoomFor(receipt.peer)) return;
    this.#options.notes.set(noteKind, key, receiptNote(receipt));
    this.#fresh.push(key);
  }

  /** Sends what is due. @param again also what was tried in vain: something has changed since. */
  release(again = false): void {
    // What a transaction took back is not there any more.
    for (const key of this.#fresh.splice(0)) this.#add(key, receiptOfNote(this.#options.notes.get(noteKind, key)));
    if (again) for (const waiting of this.#waiting.values()) waiting.notBefore = 0;
    this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
  }

  #add(key: string, receipt: OwedReceipt | undefined): void {
    if (receipt !== undefined) this.#waiting.set(key, { receipt, attempts: 0, notBefore: 0 });
  }

  /** Who cannot be reached, or does not want to be, takes no room from the others. */
  #hasRoomFor(peer: string): boolean {
    const taken = this.#waiting.size + this.#fresh.length;
    if (taken < limits.owedReceipts / 2) return true;
    const own = [...this.#waiting.values()].filter(({ receipt }) => receipt.peer === peer).length;
    return taken < limits.owedReceipts && own < limits.owedReceiptsToOne;
  }

  #pump(): void {
    const { ports, userAgent } = this.#options;
    if (this.#stopped || userAgent.registration.state !== 'registered') return;
    const now = ports.clock.now();
    for (const [key, waiting] of this.#waiting) {
      if (waiting.receipt.since + limits.owedReceiptMilliseconds <= now) this.#forget(key);
      else if (waiting.notBefore <= now && !this.#sending.has(key)) {
        if (this.#sending.size >= limits.receiptsAtOnce || !this.#pace.take()) break;
        void this.#try(key, waiting);
      }
    }
    this.#arm();
  }

  /** The next that was tried in vain, or the next that the pace allows. */
  #arm(): void {
    this.#cancelTimer();
    const idle = [...this.#waiting].filter(([key]) => !this.#sending.has(key)).map(([, { notBefore }]) => notBefore);
    if (this.#stopped || idle.length === 0 || this.#sending.size >= limits.receiptsAtOnce) return;
    const { clock } = this.#options.ports;
    const due = Math.max(Math.min(...idle), this.#pace.nextAt());
    this.#cancelTimer = clock.after(Math.max(0, due - clock.now()), () => this.#pump());
  }

  async #try(key: string, waiting: Waiting): Promise<void> {
    const { ports } = this.#options;
    this.#sending.add(key);
    const outcome = await this.#send(waiting.receipt).catch((error: unknown): Outcome => {
      const isExpected = error instanceof RefusalError;
      ports.log.log(isExpected ? 'debug' : 'error', 'receipt.not-sent', { reason: describeError(error) });
      return isExpected ? 'later' : 'dropped';
    });
    this.#sending.delete(key);
    if (outcome === 'later') {
      const wait = limits.receiptRetryMilliseconds * 2 ** waiting.attempts;
      waiting.attempts += 1;
      waiting.notBefore = ports.clock.now() + Math.min(wait, limits.receiptRetryLongestMilliseconds);
    } else if (!this.#stopped) this.#forget(key);
    this.#pump();
  }

  async #send(receipt: OwedReceipt): Promise<Outcome> {
    const { ports, self, userAgent, contents, abilities } = this.#options;
    const { peer, kind, status, messageId, sentAt, sealed, level, route } = receipt;
    if (!abilities.takes(peer, 'imdn')) return 'dropped';
    const ownId = receiptIdPrefix + randomId(ports.random, 12);
    const envelope = { from: self, to: [peer], at: ports.clock.now(), messageId: ownId };
    const payload = {
      kind,
      status,
      messageId,
      dateTime: sentAt,
      recipientUri: self,
      ...(receipt.originalTo === undefined ? {} : { originalRecipientUri: receipt.originalTo }),
      ...(receipt.subject === undefined ? {} : { subject: receipt.subject }),
    };
    const [firstStop = peer] = route;
    const message = {
      recipient: peer,
      requestUri: firstStop,
      messageId: ownId,
      content: writeReceiptContent(envelope, payload, route),
    };
    if (sealed) return this.#judge(receipt, (await contents.sealed(message)).reply);
    const { flow } = userAgent;
    if (!isAtLeast(signallingProtection(flow, ports.clock.now()).level, level)) return 'later';
    return this.#judge(receipt, await contents.bySignalling(message, flow));
  }

  #judge({ peer }: OwedReceipt, reply: SipReply): Outcome {
    if (isAccepted(reply)) return 'done';
    if (reply.status === 415) {
      this.#options.abilities.noteRefusal(peer, 'imdn');
      return 'dropped';
    }
    const isPassing = reply.local !== undefined || [408, 480, 500, 503, 504].includes(reply.status);
    return isPassing ? 'later' : 'dropped';
  }

  #forget(key: string): void {
    this.#waiting.delete(key);
    this.#options.notes.delete(noteKind, key);
  }
}
