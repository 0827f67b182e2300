import { ProtocolError } from '../../base/errors.ts';
import { encodeResponse, encodeResponseTo, mayRespond } from './codec.ts';
import { MsrpFramer, type MsrpFramerEvent, type MsrpFramerLimits } from './framer.ts';
import type { MsrpHead } from './head.ts';
import { parseMsrpUri, sameMsrpSession, type MsrpUri } from './uri.ts';

/** One end of a session, or of a conversation with a relay, on a connection that it may share with others. */
export interface MsrpParty {
  /** Our own URI: the To-Path of all that is meant for this party. */
  readonly localUri: string;
  /** The URI next to us on the way back. */
  readonly nextHop: string;
  /** The next frame to write, in pieces that follow each other, or undefined when it has nothing to say now. */
  nextOutput(now: number): readonly Uint8Array[] | undefined;
}

/** A part of a frame and whom it is for. */
export interface MsrpDelivery<Party> {
  readonly party: Party;
  readonly event: MsrpFramerEvent;
}

/** A frame to write, in pieces that follow each other, and whose it is. */
export interface MsrpOutput<Party> {
  readonly party: Party | undefined;
  readonly pieces: readonly Uint8Array[];
}

export interface MsrpLinkOptions<Party> {
  readonly framerLimits?: Partial<MsrpFramerLimits>;
  /**
   * Asked when a request is for nobody on this connection: a session that waits for its connection may take it. The
   * party must have been added to the link before this returns it.
   */
  readonly claim?: (toPath: string) => Party | undefined;
}

interface Entry<Party> {
  readonly party: Party;
  readonly uri: MsrpUri;
}

/**
 * One connection that carries any number of sessions (RFC 4975 section 5.4: a connection is shared by sessions whose
 * next hop is the same). Cuts what arrives into frames and says whose they are; takes turns among those who have
 * something to write.
 */
export class MsrpLink<Party extends MsrpParty> {
  readonly #framer: MsrpFramer;
  readonly #claim: (toPath: string) => Party | undefined;
  readonly #byUri = new Map<string, Entry<Party>>();
  /** By session id: peers may spell a host in another way than we did. */
  readonly #bySessionId = new Map<string, Set<Entry<Party>>>();
  /** Those who may have something to write; the first is next. */
  readonly #ready = new Set<Party>();
  /** Answers to what belongs to nobody. */
  readonly #control: Uint8Array[] = [];
  #reading: Party | undefined;
  #last: Party | undefined;
  #hasFailed = false;

  constructor({ framerLimits, claim = () => undefined }: MsrpLinkOptions<Party> = {}) {
    this.#framer = new MsrpFramer(framerLimits);
    this.#claim = claim;
  }

  get size(): number {
    return this.#byUri.size;
  }

  get parties(): readonly Party[] {
    return [...this.#byUri.values()].map(({ party }) => party);
  }

  /** Answers that wait to be written and belong to no party. */
  get waitingAnswers(): number {
    return this.#control.length;
  }

  /** @throws ProtocolError `local` when its URI is taken on this connection, `malformed` when it is none. */
  add(party: Party): void {
    const uri = parseMsrpUri(party.localUri, 'localPath');
    if (this.#byUri.has(party.localUri)) {
      throw new ProtocolError('local', 'already on this connection', {
        field: 'msrp.localPath',
        expected: 'its own URI',
      });
    }
    const entry = { party, uri };
    this.#byUri.set(party.localUri, entry);
    const sharing = this.#bySessionId.get(uri.sessionId ?? '');
    if (sharing === undefined) this.#bySessionId.set(uri.sessionId ?? '', new Set([entry]));
    else sharing.add(entry);
  }

  /** What still arrives for it is answered as for an unknown session. */
  remove(party: Party): void {
    const entry = this.#byUri.get(party.localUri);
    if (entry?.party !== party) return;
    this.#byUri.delete(party.localUri);
    const sharing = this.#bySessionId.get(entry.uri.sessionId ?? '');
    sharing?.delete(entry);
    if (sharing?.size === 0) this.#bySessionId.delete(entry.uri.sessionId ?? '');
    this.#ready.delete(party);
    if (this.#reading === party) this.#reading = undefined;
    if (this.#last === party) this.#last = undefined;
  }

  /** Octets are kept by reference until `next` has given all of them out. */
  push(bytes: Uint8Array): void {
    this.#framer.push(bytes);
  }

  /**
   * The next part of a frame for a party of this connection.
   * @throws ProtocolError `malformed` when the octets are no MSRP: the connection has no known position any more, and
   * the sessions on it end. An answer to that may wait in `nextOutput`.
   */
  next(): MsrpDelivery<Party> | undefined {
    for (let event = this.#advance(); event !== undefined; event = this.#advance()) {
      if (event.type === 'head') this.#reading = this.#partyFor(event.head);
      const party = this.#reading;
      if (party !== undefined) return { party, event };
    }
    return undefined;
  }

  /** Tells that a party may have something to write. */
  ready(party: Party): void {
    if (this.#byUri.get(party.localUri)?.party === party) this.#ready.add(party);
  }

  /** The next frame to write: answers to strangers first, then one frame of each party in turn. */
  nextOutput(now: number): MsrpOutput<Party> | undefined {
    const control = this.#control.shift();
    if (control !== undefined) return { party: undefined, pieces: [control] };
    for (const party of this.#ready) {
      const pieces = party.nextOutput(now);
      this.#ready.delete(party);
      if (pieces === undefined) continue;
      this.#ready.add(party);
      return { party, pieces };
    }
    return undefined;
  }

  #advance(): MsrpFramerEvent | undefined {
    try {
      return this.#framer.next();
    } catch (error) {
      if (!this.#hasFailed) this.#answerMalformed();
      this.#hasFailed = true;
      throw error;
    }
  }

  #partyFor(head: MsrpHead): Party | undefined {
    const [toPath = ''] = head.headers.toPath;
    const known = this.#find(toPath) ?? (head.kind === 'request' ? this.#claim(toPath) : undefined);
    if (known !== undefined) this.#last = known;
    // RFC 4975 section 7.3: a request for no session of ours is answered 481, wherever it may be answered.
    else if (head.kind === 'request' && mayRespond(head, 481)) this.#control.push(encodeResponseTo(head, 481, toPath));
    return known;
  }

  #find(toPath: string): Party | undefined {
    const exact = this.#byUri.get(toPath);
    if (exact !== undefined) return exact.party;
    const uri = parseMsrpUri(toPath);
    for (const entry of this.#bySessionId.get(uri.sessionId ?? '') ?? []) {
      if (sameMsrpSession(entry.uri, uri)) return entry.party;
    }
    return undefined;
  }

  /** A frame that cannot be read is answered 400 if its transaction is known; the way back is that of a session here. */
  #answerMalformed(): void {
    const transactionId = this.#framer.answerableTransaction;
    const party = this.#reading ?? this.#last ?? this.parties[0];
    if (transactionId === undefined || party === undefined) return;
    this.#control.push(encodeResponse(transactionId, 400, party.nextHop, party.localUri));
  }
}
