import type { CancelTimer } from '../../base/clock.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { RefusalError } from '../refusal.ts';
import { randomBelow } from './full-jitter.ts';
import type { TicketService } from './ticket-service.ts';

/** `waiting` in the row to be asked for, `asked` right now, or supplied until a time (milliseconds since 1970). */
type Supply = 'waiting' | 'asked' | number;

/**
 * Has tickets for single messages ready for contacts who may be written to end-to-end only, so that a message to them does not
 * depend on the KMS at that moment. Sessions are not prepared: both ends are online then, and the callee needs the KMS anyway.
 *
 * A thousand contacts are asked for over minutes, a few at a time with jittered gaps and in no order that others have too; each
 * ticket is asked for again at a moment of its own in the last quarter of the time for which it may be used.
 */
export class TicketPrefetch {
  readonly #ports: Pick<EnginePorts, 'clock' | 'random'>;
  readonly #tickets: TicketService;
  readonly #contacts = new Map<string, Supply>();
  #running = 0;
  #isStarted = false;
  #cancelGap: CancelTimer | undefined;
  #cancelRenewal: CancelTimer | undefined;

  constructor(ports: Pick<EnginePorts, 'clock' | 'random'>, tickets: TicketService) {
    this.#ports = ports;
    this.#tickets = tickets;
    tickets.events.on('available', () => this.#schedule());
  }

  /** The account is registered: from now on contacts are supplied. */
  start(): void {
    if (this.#isStarted || !this.#tickets.configured) return;
    this.#isStarted = true;
    this.#schedule();
  }

  want(contact: string): void {
    if (this.#contacts.has(contact) || this.#contacts.size >= limits.prefetchedContacts) return;
    this.#contacts.set(contact, 'waiting');
    this.#schedule();
  }

  unwant(contact: string): void {
    this.#contacts.delete(contact);
  }

  /** Nothing is asked for until the next `start`, which supplies every contact anew. */
  stop(): void {
    this.#isStarted = false;
    this.#cancelGap?.();
    this.#cancelRenewal?.();
    this.#cancelGap = undefined;
    this.#cancelRenewal = undefined;
    for (const contact of this.#contacts.keys()) this.#contacts.set(contact, 'waiting');
  }

  #schedule(): void {
    const { state } = this.#tickets.state;
    // A KMS that is away comes back with `available`; one that refuses is not asked for everybody again.
    const mayAsk = this.#isStarted && state !== 'unreachable' && state !== 'refused';
    const hasRoom = this.#cancelGap === undefined && this.#running < limits.prefetchesAtOnce;
    if (!mayAsk || !hasRoom || !this.#hasWaiting()) return;
    const gap = randomBelow(this.#ports.random, 2 * limits.prefetchGapMilliseconds);
    this.#cancelGap = this.#ports.clock.after(gap, () => {
      this.#cancelGap = undefined;
      const waiting = [...this.#contacts].flatMap(([contact, supply]) => (supply === 'waiting' ? [contact] : []));
      const contact = waiting[randomBelow(this.#ports.random, waiting.length)];
      if (contact !== undefined) void this.#supply(contact);
      this.#schedule();
    });
  }

  async #supply(contact: string): Promise<void> {
    this.#running++;
    this.#change(contact, 'asked');
    try {
      const until = await this.#reusableUntil(contact);
      const left = until === undefined ? 0 : until - this.#tickets.now();
      // A KMS that lets no ticket be used twice leaves nothing to prepare.
      if (left <= 0) this.unwant(contact);
      else this.#change(contact, this.#tickets.now() + left - randomBelow(this.#ports.random, left / 4));
    } catch (error) {
      const isPassing = error instanceof RefusalError && error.code === 'kms-unreachable';
      // Whoever may not be written to is not asked for again by itself.
      if (isPassing) this.#change(contact, 'waiting');
      else this.unwant(contact);
    } finally {
      this.#running--;
    }
    this.#scheduleRenewal();
    this.#schedule();
  }

  /** From the ticket that is there, if it still has more than a quarter of its time, else from a new one. */
  async #reusableUntil(contact: string): Promise<number | undefined> {
    const kept = await this.#tickets.reusableSpan(contact, 'message');
    const now = this.#tickets.now();
    if (kept !== undefined && kept.until - now > (kept.until - kept.from) / 4) return kept.until;
    await this.#tickets.ticketFor(contact, 'message', true);
    return (await this.#tickets.reusableSpan(contact, 'message'))?.until;
  }

  /** A contact that is no longer wanted, or a stop, is not undone by an answer that comes late. */
  #change(contact: string, supply: Supply): void {
    if (this.#contacts.has(contact) && this.#isStarted) this.#contacts.set(contact, supply);
  }

  #hasWaiting(): boolean {
    for (const supply of this.#contacts.values()) if (supply === 'waiting') return true;
    return false;
  }

  #scheduleRenewal(): void {
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
    let next = Infinity;
    for (const supply of this.#contacts.values()) if (typeof supply === 'number') next = Math.min(next, supply);
    if (!this.#isStarted || next === Infinity) return;
    const pause = Math.max(limits.prefetchGapMilliseconds, next - this.#tickets.now());
    this.#cancelRenewal = this.#ports.clock.after(pause, () => {
      const now = this.#tickets.now();
      for (const [contact, supply] of this.#contacts) {
        if (typeof supply === 'number' && supply <= now) this.#contacts.set(contact, 'waiting');
      }
      this.#scheduleRenewal();
      this.#schedule();
    });
  }
}
