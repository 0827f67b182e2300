import type { Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { MsrpLink, type MsrpFramerEvent, type MsrpParty } from '../../protocol/msrp/index.ts';
import type { MsrpConnection } from '../ports.ts';

/** What a connection does for and to each of the sessions on it. */
export interface LinkedParty extends MsrpParty {
  /** Part of a frame that is for this party. */
  take(event: MsrpFramerEvent, now: number): void;
  /** It was written to or for since the last time: time to look at what is new, and at timers. */
  settle(now: number): void;
  /** The connection is gone. */
  lost(error: ProtocolError | undefined): void;
}

export interface MsrpLinkDriverOptions {
  readonly connection: MsrpConnection;
  readonly clock: Clock;
  /** Asked when a request is for no session here: a session that waits for its connection may join and take it. */
  readonly claim?: (toPath: string, link: MsrpLinkDriver) => LinkedParty | undefined;
  /** Called once, when the connection is closed by whichever side. */
  readonly onClosed?: () => void;
}

const maxWaitingAnswers = 256;

/** A live connection and the sessions that share it: moves octets between them and keeps either side from flooding the other. */
export class MsrpLinkDriver {
  readonly connection: MsrpConnection;
  readonly #clock: Clock;
  readonly #link: MsrpLink<LinkedParty>;
  readonly #onClosed: () => void;
  /** Parties that wrote or were written to since they last settled. */
  readonly #touched = new Set<LinkedParty>();
  /** Why we do not read from the connection now. */
  readonly #pauses = new Set<unknown>();
  #hasRoom = true;
  #isClosed = false;
  #isPumping = false;
  #isEnding = false;

  constructor({ connection, clock, claim, onClosed = () => undefined }: MsrpLinkDriverOptions) {
    this.connection = connection;
    this.#clock = clock;
    this.#onClosed = onClosed;
    this.#link = new MsrpLink(claim === undefined ? {} : { claim: (toPath) => claim(toPath, this) });
    connection.onData((bytes) => this.#received(bytes));
    connection.onDrain(() => {
      this.#hasRoom = true;
      this.pump();
    });
    connection.onClose((error) => this.#end(error === undefined ? undefined : lostBecause(error)));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sessions on this connection now. */
  get size(): number {
    return this.#link.size;
  }

  /** @throws ProtocolError `local` when the connection is gone or the party's URI is taken on it. */
  add(party: LinkedParty): void {
    if (this.#isClosed) {
      throw new ProtocolError('local', 'the connection is closed', { field: 'msrp.link', expected: 'an open one' });
    }
    this.#link.add(party);
  }

  /** Writes what the party still has to say and forgets it; the last one to leave closes the connection. */
  leave(party: LinkedParty): void {
    if (!this.#isClosed) {
      for (let last = party.nextOutput(0); last !== undefined; last = party.nextOutput(0)) this.#write(last);
    }
    this.#link.remove(party);
    this.#touched.delete(party);
    this.setPause(party, false);
    if (this.#link.size === 0 && !this.#isEnding) this.close();
  }

  /** Tells that a party may have something to write, and writes while there is room. */
  ready(party: LinkedParty): void {
    this.#link.ready(party);
    this.#touched.add(party);
    this.pump();
  }

  pump(now = this.#clock.now()): void {
    // What a party does when it hears that it was written may bring us here again.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#hasRoom && !this.#isClosed) {
        const output = this.#link.nextOutput(now);
        if (output === undefined) break;
        if (output.party !== undefined) this.#touched.add(output.party);
        this.#write(output.pieces);
      }
    } finally {
      this.#isPumping = false;
    }
    if (this.#isClosed) return;
    this.setPause('answers', this.#link.waitingAnswers > maxWaitingAnswers);
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const party of touched) party.settle(now);
  }

  /** Stops reading as long as anybody here has a reason to. */
  setPause(reason: unknown, isNeeded: boolean): void {
    const wasPaused = this.#pauses.size > 0;
    if (isNeeded) this.#pauses.add(reason);
    else this.#pauses.delete(reason);
    const isPaused = this.#pauses.size > 0;
    if (isPaused === wasPaused) return;
    if (isPaused) this.connection.pause();
    else this.connection.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.connection.close();
    this.#onClosed();
  }

  #received(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const now = this.#clock.now();
    this.#link.push(bytes);
    // Written once, when all that arrived has been looked at.
    this.#isPumping = true;
    try {
      for (let delivery = this.#link.next(); delivery !== undefined; delivery = this.#link.next()) {
        // Octets of a body alone change nothing that would have to be settled.
        if (delivery.event.type !== 'body') this.#touched.add(delivery.party);
        delivery.party.take(delivery.event, now);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#end(error);
      return;
    } finally {
      this.#isPumping = false;
    }
    this.pump(now);
  }

  #write(frame: readonly Uint8Array[]): void {
    for (const piece of frame) this.#hasRoom = this.connection.write(piece);
  }

  #end(error: ProtocolError | undefined): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    for (const party of this.#link.parties) party.lost(error);
    // A 400 for what could not be read.
    for (let last = this.#link.nextOutput(0); last !== undefined; last = this.#link.nextOutput(0))
      this.#write(last.pieces);
    this.close();
  }
}

function lostBecause(error: Error): ProtocolError {
  if (error instanceof ProtocolError) return error;
  return new ProtocolError('peer-misbehaved', `connection lost: ${describeError(error)}`, {
    field: 'msrp.connection',
    expected: 'an open connection',
    cause: error,
  });
}
