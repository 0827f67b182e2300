import type { CancelTimer, Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import {
  RelayAuth,
  type MsrpFramerEvent,
  type RelayAuthAction,
  type RelayAuthOptions,
} from '../../protocol/msrp/index.ts';
import type { MsrpConnection } from '../ports.ts';
import type { MsrpCarrier } from './msrp-carrier.ts';
import type { LinkedParty, MsrpLinkDriver } from './msrp-link-driver.ts';

/** Parts of frames that may arrive before the session is there, before we stop reading. */
const maxHeld = 256;

export interface RelaySeatEvents {
  /** The URIs are valid until `expiresAt`; `moved`: the far end has to be told the new ones. */
  readonly onGranted: (grant: Extract<RelayAuthAction, { type: 'granted' }>) => void;
  /** No URI, or no longer one once what was granted before has ended. */
  readonly onRefused: (error: ProtocolError, status: number | undefined) => void;
}

/**
 * The place of one session on the connection to our relay: its URI there, kept valid by AUTH, and the session behind it.
 * Both have one URI of ours, as the relay forwards only to who asked for its URI (RFC 4976 section 6.4).
 */
export class RelaySeat implements LinkedParty, MsrpCarrier {
  readonly #driver: MsrpLinkDriver;
  readonly #clock: Clock;
  readonly #auth: RelayAuth;
  readonly #events: RelaySeatEvents;
  readonly #held: MsrpFramerEvent[] = [];
  #session: LinkedParty | undefined;
  #isAnswer = false;
  #isGone = false;
  #cancelTimer: CancelTimer | undefined;
  #armedFor: number | undefined;

  /** Asks at once. @throws ProtocolError when the connection is gone or a URI is none. */
  constructor(driver: MsrpLinkDriver, clock: Clock, options: RelayAuthOptions, events: RelaySeatEvents) {
    this.#driver = driver;
    this.#clock = clock;
    this.#auth = new RelayAuth(options);
    this.#events = events;
    driver.add(this);
    this.#run(this.#auth.handle({ type: 'connected' }, clock.now()));
    driver.ready(this);
  }

  get localUri(): string {
    return this.#auth.localUri;
  }

  get nextHop(): string {
    return this.#auth.nextHop;
  }

  get connection(): MsrpConnection {
    return this.#driver.connection;
  }

  nextOutput(now: number): readonly Uint8Array[] | undefined {
    return this.#auth.nextOutput() ?? this.#session?.nextOutput(now);
  }

  take(event: MsrpFramerEvent, now: number): void {
    if (event.type === 'head') this.#isAnswer = this.#auth.owns(event.head);
    if (this.#isAnswer) {
      this.#run(this.#auth.handle({ type: 'frame', event }, now));
      if (!this.#isGone) this.#driver.ready(this);
    } else if (this.#session !== undefined && this.#held.length === 0) this.#session.take(event, now);
    else this.#hold(event);
  }

  settle(now: number): void {
    if (this.#isGone) return;
    this.#arm();
    this.#session?.settle(now);
  }

  lost(error: ProtocolError | undefined): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cancelTimer?.();
    const session = this.#session;
    if (session !== undefined) session.lost(error);
    else this.#events.onRefused(error ?? gone(), undefined);
  }

  /** The session itself; there is one. */
  add(session: LinkedParty): void {
    if (this.#isGone || this.#session !== undefined) throw gone();
    this.#session = session;
  }

  leave(session: LinkedParty): void {
    if (session === this.#session) this.close();
  }

  ready(session: LinkedParty): void {
    if (this.#isGone || session !== this.#session) return;
    this.#release(session);
    this.#driver.ready(this);
  }

  setPause(reason: unknown, isNeeded: boolean): void {
    this.#driver.setPause(reason, isNeeded);
  }

  /** Gives the place up; a session on it has said its last word. */
  close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cancelTimer?.();
    this.#driver.setPause(this.#held, false);
    this.#driver.leave(this);
  }

  #hold(event: MsrpFramerEvent): void {
    this.#held.push(event);
    if (this.#held.length >= maxHeld) this.#driver.setPause(this.#held, true);
  }

  #release(session: LinkedParty): void {
    if (this.#held.length === 0) return;
    const held = this.#held.splice(0);
    this.#driver.setPause(this.#held, false);
    for (const event of held) session.take(event, this.#clock.now());
  }

  #run(actions: readonly RelayAuthAction[]): void {
    for (const action of actions) {
      if (action.type === 'granted') this.#events.onGranted(action);
      else this.#events.onRefused(action.error, action.status);
    }
    if (!this.#isGone) this.#arm();
  }

  #arm(): void {
    const { deadline } = this.#auth;
    if (deadline === this.#armedFor) return;
    this.#cancelTimer?.();
    this.#armedFor = deadline;
    if (deadline === undefined) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, deadline - this.#clock.now()), () => {
      this.#armedFor = undefined;
      this.#run(this.#auth.handle({ type: 'tick' }, this.#clock.now()));
      if (!this.#isGone) this.#driver.ready(this);
    });
  }
}

function gone(): ProtocolError {
  return new ProtocolError('local', 'the place at the relay is taken or gone', {
    field: 'msrp.relay',
    expected: 'a place of its own for each session',
  });
}
