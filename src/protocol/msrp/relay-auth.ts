import { ProtocolError, type ProtocolErrorKind } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { encodeFrame } from './codec.ts';
import type { MsrpFramerEvent } from './framer.ts';
import type { MsrpHead, MsrpHeader, MsrpResponseHead } from './head.ts';
import { IdSource } from './id-source.ts';
import type { MsrpParty } from './link.ts';
import { malformedMsrp } from './msrp-error.ts';
import { headerValues, readGrant, readSeconds, type RelayGrant } from './relay-answer.ts';
import { RelayCredentials, type RelayUser } from './relay-credentials.ts';
import { transactionMilliseconds } from './sender.ts';
import { parseMsrpUri } from './uri.ts';

export interface RelayAuthOptions {
  /** Our own URI in the session that the relay's URI will be for: one AUTH, one session (RFC 4976 section 3.1). */
  readonly localUri: string;
  /** URIs of the relays, the one that we are connected to first. */
  readonly relays: readonly string[];
  readonly user: RelayUser;
  /** Seconds asked for; the relay's choice when absent. */
  readonly expires?: number;
  readonly random: Random;
}

export type RelayAuthAction =
  /** `usePath` is in the order of a To-Path. `moved`: it differs from what was granted before. */
  | {
      readonly type: 'granted';
      readonly usePath: readonly string[];
      /** Milliseconds, in the terms of `now`; absent when the relay names no end. */
      readonly expiresAt?: number;
      readonly moved: boolean;
    }
  /** Nothing is asked any more; what was granted ends at its time. `status` is the relay's last word. */
  | { readonly type: 'refused'; readonly status?: number; readonly error: ProtocolError };

export type RelayAuthEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'frame'; readonly event: MsrpFramerEvent }
  /** Time passed; to be given at `deadline`. */
  | { readonly type: 'tick' };

/** A relay that does not answer a digest with `uri` so long gets one without. */
const patienceMilliseconds = 8_000;
/** Challenges answered in one round with one relay: the first, and stale ones. */
const maxAnswers = 3;
const nothing: readonly RelayAuthAction[] = [];

interface Transaction {
  readonly id: string;
  readonly deadline: number;
  /** Whether it answered a challenge of this round: another challenge then means that the answer was wrong. */
  readonly answersFresh: boolean;
  readonly namesUri: boolean;
}

/**
 * Gets the URI of a relay, or of a chain of relays, for one session, and keeps it valid (RFC 4976 section 5.1).
 *
 *   idle --connected--> asking --401--> asking --200, next relay--> asking --200, last--> granted --time--> asking ...
 *                       asking --423--> asking       --403, wrong password, silence--> ended
 */
export class RelayAuth implements MsrpParty {
  readonly #options: RelayAuthOptions;
  readonly #ids: IdSource;
  readonly #credentials: readonly RelayCredentials[];
  #state: 'idle' | 'asking' | 'granted' | 'ended' = 'idle';
  /** Which relay is being asked. */
  #step = 0;
  /** From the relays before `#step`. */
  #usePath: readonly string[] = [];
  #granted: readonly string[] | undefined;
  #expires: number | undefined;
  #answers = 0;
  #corrections = 0;
  #sendsUri = true;
  #transaction: Transaction | undefined;
  #renewAt: number | undefined;
  /** What the answer to the first AUTH of a chain left as the shortest life. */
  #shortest: number | undefined;
  #output: Uint8Array | undefined;
  #actions: RelayAuthAction[] = [];

  /** @throws ProtocolError `malformed` for a URI that is none, `local` for a relay that is not reached by TLS. */
  constructor(options: RelayAuthOptions) {
    const { localUri, relays, user, random, expires } = options;
    parseMsrpUri(localUri, 'localPath');
    if (relays.length === 0) throw malformedMsrp('relay', 0, 'none', 'the URI of a relay');
    for (const relay of relays) {
      // RFC 4976 section 8: "AUTH requests MUST only be sent over a TLS-protected channel".
      if (parseMsrpUri(relay, 'relay').scheme !== 'msrps') {
        throw new ProtocolError('local', 'not msrps', {
          field: 'msrp.relay',
          expected: 'a relay that is reached by TLS',
        });
      }
    }
    this.#options = options;
    this.#ids = new IdSource(random);
    this.#expires = expires;
    this.#credentials = relays.map((relay) => new RelayCredentials(user, relay, random));
  }

  get localUri(): string {
    return this.#options.localUri;
  }

  get nextHop(): string {
    return this.#options.relays[0] ?? '';
  }

  get deadline(): number | undefined {
    return this.#state === 'ended' ? undefined : (this.#transaction?.deadline ?? this.#renewAt);
  }

  /** Whether a frame is an answer to an AUTH of ours. */
  owns(head: MsrpHead): boolean {
    return head.kind === 'response' && head.transactionId === this.#transaction?.id;
  }

  handle(event: RelayAuthEvent, now: number): readonly RelayAuthAction[] {
    if (this.#state !== 'ended') this.#take(event, now);
    if (this.#actions.length === 0) return nothing;
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  nextOutput(): readonly Uint8Array[] | undefined {
    const output = this.#output;
    this.#output = undefined;
    return output === undefined ? undefined : [output];
  }

  #take(event: RelayAuthEvent, now: number): void {
    switch (event.type) {
      case 'connected':
        this.#begin(now);
        return;
      case 'tick':
        this.#tick(now);
        return;
      case 'frame':
        if (event.event.type === 'head' && event.event.head.kind === 'response') this.#answered(event.event.head, now);
    }
  }

  #begin(now: number): void {
    this.#state = 'asking';
    this.#step = 0;
    this.#usePath = [];
    this.#shortest = undefined;
    this.#renewAt = undefined;
    this.#nextRelay(now);
  }

  #nextRelay(now: number): void {
    this.#answers = 0;
    this.#corrections = 0;
    this.#ask(now, false);
  }

  #ask(now: number, answersFresh: boolean): void {
    const { localUri, relays } = this.#options;
    const id = this.#ids.next();
    const namesUri = this.#sendsUri;
    const authorization = this.#credentials[this.#step]?.authorization(namesUri);
    const other: MsrpHeader[] = [];
    if (this.#expires !== undefined) other.push({ name: 'Expires', value: String(this.#expires) });
    if (authorization !== undefined) other.push({ name: 'Authorization', value: authorization });
    const toPath = [...this.#usePath, relays[this.#step] ?? ''];
    const headers = { toPath, fromPath: [localUri], other };
    this.#output = encodeFrame({ head: { kind: 'request', transactionId: id, method: 'AUTH', headers }, flag: '$' });
    const wait = authorization !== undefined && namesUri ? patienceMilliseconds : transactionMilliseconds;
    this.#transaction = { id, deadline: now + wait, answersFresh, namesUri: authorization !== undefined && namesUri };
  }

  #tick(now: number): void {
    const transaction = this.#transaction;
    if (transaction !== undefined) {
      if (transaction.deadline > now) return;
      // Some relays never answer a digest that names the URI: once more, without.
      if (transaction.namesUri) this.#askWithoutUri(now);
      else this.#refuse('expired', 'the relay does not answer', 'an answer to AUTH', undefined);
      return;
    }
    if (this.#renewAt !== undefined && this.#renewAt <= now) this.#begin(now);
  }

  #askWithoutUri(now: number): void {
    this.#sendsUri = false;
    this.#ask(now, this.#transaction?.answersFresh ?? false);
  }

  #answered(head: MsrpResponseHead, now: number): void {
    const transaction = this.#transaction;
    if (transaction === undefined || !this.owns(head)) return;
    this.#transaction = undefined;
    const { status } = head;
    if (status === 200) this.#accepted(head, now);
    else if (status === 401) this.#challenged(head, transaction, now);
    else if (status === 423) this.#corrected(head, now);
    else if (status === 400 && transaction.namesUri) {
      this.#transaction = transaction;
      this.#askWithoutUri(now);
    } else this.#refuse('policy-denied', `the relay answered ${status}`, 'a relay that serves this account', status);
  }

  #challenged(head: MsrpResponseHead, { answersFresh }: Transaction, now: number): void {
    try {
      const challenge = this.#credentials[this.#step]?.challenged(headerValues(head.headers, 'WWW-Authenticate'));
      this.#answers += 1;
      if ((answersFresh && challenge?.stale !== true) || this.#answers > maxAnswers) {
        this.#refuse(
          'policy-denied',
          'the relay does not take the password',
          'the user name and password it knows',
          401,
        );
      } else this.#ask(now, true);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#end({ type: 'refused', status: 401, error });
    }
  }

  /** RFC 4976 section 4.6: "Interval Out-of-Bounds" names the bound. */
  #corrected({ headers }: MsrpResponseHead, now: number): void {
    const bound = readSeconds(headers, 'Min-Expires') ?? readSeconds(headers, 'Max-Expires');
    this.#corrections += 1;
    if (bound === undefined || bound === 0 || this.#corrections > 2) {
      this.#refuse(
        'peer-incompatible',
        'no lifetime suits the relay',
        'Min-Expires or Max-Expires that it then takes',
        423,
      );
      return;
    }
    this.#expires = bound;
    this.#ask(now, false);
  }

  #accepted({ headers }: MsrpResponseHead, now: number): void {
    let grant: RelayGrant;
    try {
      grant = readGrant(headers);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#end({ type: 'refused', status: 200, error });
      return;
    }
    const credentials = this.#credentials[this.#step];
    const proof = grant.info?.responseAuth;
    if (proof !== undefined && credentials?.provesRelay(proof) === false) {
      this.#refuse('peer-misbehaved', 'the relay does not know the password', 'a right rspauth', 200);
      return;
    }
    credentials?.renonce(grant.info?.nextNonce);
    this.#usePath = grant.usePath;
    const life = grant.expires ?? this.#expires;
    if (life !== undefined) this.#shortest = Math.min(life, this.#shortest ?? life);
    this.#step += 1;
    if (this.#step < this.#options.relays.length) this.#nextRelay(now);
    else this.#grant(now);
  }

  #grant(now: number): void {
    const usePath = this.#usePath;
    const before = this.#granted;
    this.#granted = usePath;
    this.#state = 'granted';
    const moved = before !== undefined && before.join(' ') !== usePath.join(' ');
    if (this.#shortest === undefined) {
      this.#actions.push({ type: 'granted', usePath, moved });
      return;
    }
    const life = this.#shortest * 1_000;
    this.#renewAt = now + life - renewalLead(life);
    this.#actions.push({ type: 'granted', usePath, expiresAt: now + life, moved });
  }

  #refuse(kind: ProtocolErrorKind, problem: string, expected: string, status: number | undefined): void {
    const error = new ProtocolError(kind, problem, { field: 'msrp.relay', expected });
    this.#end({ type: 'refused', ...(status === undefined ? {} : { status }), error });
  }

  #end(action: RelayAuthAction): void {
    this.#state = 'ended';
    this.#transaction = undefined;
    this.#renewAt = undefined;
    this.#output = undefined;
    this.#actions.push(action);
  }
}

/** A quarter of the life before its end, so that a silent relay still leaves time to tell the far end; a minute at most. */
function renewalLead(life: number): number {
  return Math.min(life / 4, 60_000);
}
