import { concatBytes } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import { randomId, type Random } from '../../base/random.ts';
import {
  encodeFrame,
  headerValues,
  MsrpFramer,
  parseMsrpUri,
  sameMsrpSession,
  type MsrpFrame,
  type MsrpHead,
  type MsrpHeader,
  type MsrpRequestHead,
  type MsrpResponseHead,
} from '../../protocol/msrp/index.ts';
import { RelayUsers, type RelayUsersOptions } from './relay-users.ts';

/** One connection of the relay, as far as it writes to it. */
export interface RelayWire {
  write(bytes: Uint8Array): void;
  close(): void;
}

export interface RelayCoreOptions extends Omit<RelayUsersOptions, 'random'> {
  readonly random: Random;
  readonly clock: Clock;
  /** Name and port under which clients reach it. */
  readonly authority: () => string;
  /** Seconds. */
  readonly minExpires: number;
  readonly maxExpires: number;
  /** What an AUTH for a session that has a URI already gives: that one for longer, or a new one. */
  readonly renewal: 'same' | 'new';
  /** A connection to somebody who is not connected: another relay. */
  readonly dial: (uri: string) => Promise<RelayWire>;
}

interface Grant {
  readonly uri: string;
  readonly client: string;
  readonly wire: RelayWire;
  until: number;
}

/** A request that went on under a transaction of ours. */
interface Forwarded {
  readonly back: RelayWire;
  readonly head: MsrpRequestHead;
}

/**
 * The relay of RFC 4976 section 6 without its sockets, as far as trying clients needs it: AUTH with digest, SEND and
 * REPORT by path, failures reported. Forwards whole chunks.
 */
export class RelayCore {
  readonly #options: RelayCoreOptions;
  readonly #users: RelayUsers;
  readonly #grants = new Map<string, Grant>();
  readonly #forwarded = new Map<string, Forwarded>();
  /** Clients without a relay that connected to this one, by the session of their URI. */
  readonly #guests = new Map<string, RelayWire>();
  readonly #dialled = new Map<string, Promise<RelayWire>>();
  /** AUTH requests that were granted. */
  granted = 0;
  /** SEND requests that went on. */
  forwardedSends = 0;

  constructor(options: RelayCoreOptions) {
    this.#options = options;
    this.#users = new RelayUsers(options);
  }

  /** Reads from a connection; `undefined` says that it is gone. */
  reader(wire: RelayWire): (bytes: Uint8Array | undefined) => void {
    const framer = new MsrpFramer();
    let head: MsrpHead | undefined;
    let body: Uint8Array[] | undefined;
    return (bytes) => {
      if (bytes === undefined) {
        for (const [session, grant] of this.#grants) if (grant.wire === wire) this.#grants.delete(session);
        for (const [session, guest] of this.#guests) if (guest === wire) this.#guests.delete(session);
        return;
      }
      try {
        framer.push(bytes);
        for (let event = framer.next(); event !== undefined; event = framer.next()) {
          if (event.type === 'head') {
            head = event.head;
            body = event.hasBody ? [] : undefined;
          } else if (event.type === 'body') body?.push(Uint8Array.from(event.bytes));
          else if (head !== undefined) {
            const frame = { head, ...(body === undefined ? {} : { body: concatBytes(...body) }), flag: event.flag };
            this.#take(frame, wire);
          }
        }
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        wire.close();
      }
    };
  }

  /** The relay forgets a URI before its time. */
  forgetAll(): void {
    this.#grants.clear();
  }

  #take(frame: MsrpFrame, wire: RelayWire): void {
    const { head } = frame;
    if (head.kind === 'response') this.#response(head);
    else if (head.method === 'AUTH' && head.headers.toPath.length === 1) this.#authenticate(head, wire);
    else this.#forward(frame, head, wire);
  }

  #authenticate(head: MsrpRequestHead, wire: RelayWire): void {
    const { random, clock, authority, minExpires, maxExpires, renewal } = this.#options;
    const [uri = ''] = head.headers.toPath;
    const judged = this.#users.judge(headerValues(head.headers, 'Authorization')[0], uri);
    const asked = Number(headerValues(head.headers, 'Expires')[0] ?? maxExpires);
    if (judged.verdict === 'silence') return;
    if (judged.verdict === 'bad-request') this.#answer(head, wire, 400);
    else if (judged.verdict === 'challenge') this.#answer(head, wire, 401, { 'WWW-Authenticate': judged.header });
    else if (asked < minExpires) this.#answer(head, wire, 423, { 'Min-Expires': String(minExpires) });
    else if (asked > maxExpires) this.#answer(head, wire, 423, { 'Max-Expires': String(maxExpires) });
    else {
      const client = head.headers.fromPath[0] ?? '';
      const until = clock.now() + asked * 1_000;
      const before = [...this.#grants.values()].find((grant) => grant.wire === wire && grant.client === client);
      const grant =
        renewal === 'same' && before !== undefined
          ? before
          : { uri: `msrps://${authority()}/${randomId(random, 16)};tcp`, client, wire, until };
      grant.until = until;
      this.#grants.set(sessionOf(grant.uri), grant);
      this.granted += 1;
      // The way from the client to us, then ours: what came through other relays has them in its From-Path.
      const through = head.headers.fromPath.slice(0, -1).reverse();
      this.#answer(head, wire, 200, {
        'Use-Path': [...through, grant.uri].join(' '),
        Expires: String(asked),
        'Authentication-Info': judged.info,
      });
    }
  }

  /** @param isOurs it comes from this relay itself, which waits for no answer. */
  #forward(frame: MsrpFrame, head: MsrpRequestHead, wire: RelayWire, isOurs = false): void {
    const { toPath, fromPath } = head.headers;
    const [own = '', next] = toPath;
    const grant = this.#grants.get(sessionOf(own));
    const isKnown = grant !== undefined && grant.until > this.#options.clock.now() && next !== undefined;
    const isSend = head.method === 'SEND';
    if (!isKnown) {
      if (isSend) this.#fail(head, wire, 481, isOurs);
      return;
    }
    // RFC 4976 section 6.4: to the client that got this URI, or from it.
    const towardsClient = sameMsrpSession(parseMsrpUri(next), parseMsrpUri(grant.client));
    if (!towardsClient && grant.wire !== wire) {
      if (isSend) this.#fail(head, wire, 403, isOurs);
      return;
    }
    if (isSend && !isOurs && (head.headers.failureReport ?? 'yes') === 'yes') this.#answer(head, wire, 200);
    if (towardsClient && !isOurs) this.#guests.set(sessionOf(fromPath[0] ?? ''), wire);
    const guest = this.#guests.get(sessionOf(next));
    const headers = { ...head.headers, toPath: toPath.slice(1), fromPath: [own, ...fromPath] };
    const transactionId = randomId(this.#options.random, 16);
    const onward = { ...head, transactionId, headers };
    if (isSend) this.forwardedSends += 1;
    if (head.method !== 'REPORT') this.#forwarded.set(transactionId, { back: wire, head });
    if (!towardsClient && this.#grants.has(sessionOf(next))) {
      this.#forwarded.delete(transactionId);
      this.#forward({ ...frame, head: onward }, onward, grant.wire, true);
      return;
    }
    const write = (to: RelayWire): void => to.write(encodeFrame({ ...frame, head: onward }));
    if (towardsClient) write(grant.wire);
    else if (guest !== undefined) write(guest);
    else {
      void this.#dial(next).then(write, () => {
        this.#forwarded.delete(transactionId);
        if (isSend) this.#report(wire, head, 408);
      });
    }
  }

  #fail(head: MsrpRequestHead, wire: RelayWire, status: number, isOurs: boolean): void {
    if (isOurs) this.#report(wire, head, status);
    else this.#answer(head, wire, status);
  }

  #response(head: MsrpResponseHead): void {
    const forwarded = this.#forwarded.get(head.transactionId);
    this.#forwarded.delete(head.transactionId);
    if (forwarded === undefined) return;
    const { back, head: request } = forwarded;
    if (request.method === 'SEND') {
      if (head.status !== 200 && request.headers.failureReport !== 'no') this.#report(back, request, head.status);
      return;
    }
    const [own = '', ...toPath] = head.headers.toPath;
    const headers = { ...head.headers, toPath, fromPath: [own, ...head.headers.fromPath] };
    back.write(encodeFrame({ head: { ...head, transactionId: request.transactionId, headers }, flag: '$' }));
  }

  /** RFC 4976 section 6.4.3: what became of a chunk that we had acknowledged. */
  #report(wire: RelayWire, { headers }: MsrpRequestHead, code: number): void {
    const { messageId, byteRange, fromPath, toPath } = headers;
    const transactionId = randomId(this.#options.random, 16);
    const head: MsrpRequestHead = {
      kind: 'request',
      transactionId,
      method: 'REPORT',
      headers: {
        toPath: fromPath.filter((uri) => !this.#grants.has(sessionOf(uri))),
        fromPath: [toPath[0] ?? ''],
        ...(messageId === undefined ? {} : { messageId }),
        ...(byteRange === undefined ? {} : { byteRange }),
        status: { namespace: '000', code },
        other: [],
      },
    };
    wire.write(encodeFrame({ head, flag: '$' }));
  }

  #answer(head: MsrpRequestHead, wire: RelayWire, status: number, more: Readonly<Record<string, string>> = {}): void {
    const other: MsrpHeader[] = Object.entries(more).map(([name, value]) => ({ name, value }));
    const { fromPath } = head.headers;
    const response: MsrpResponseHead = {
      kind: 'response',
      transactionId: head.transactionId,
      status,
      headers: {
        toPath: head.method === 'SEND' ? fromPath.slice(0, 1) : fromPath,
        fromPath: head.headers.toPath.slice(0, 1),
        other,
      },
    };
    wire.write(encodeFrame({ head: response, flag: '$' }));
  }

  #dial(uri: string): Promise<RelayWire> {
    const { host, port = 2855 } = parseMsrpUri(uri);
    const key = `${host}:${port}`;
    const dialled = this.#dialled.get(key) ?? this.#options.dial(uri);
    this.#dialled.set(key, dialled);
    return dialled;
  }
}

function sessionOf(uri: string): string {
  return parseMsrpUri(uri).sessionId ?? '';
}
