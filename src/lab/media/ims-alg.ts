import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import {
  attributeLine,
  attributeValues,
  formatSdp,
  hasAttribute,
  isMsrpMedia,
  type MediaSection,
  mediaLine,
  type MsrpMedia,
  parseSdp,
  readMsrpMedia,
  withoutAttribute,
  type SessionDescription,
} from '../../protocol/sdp/index.ts';
import type { Timers } from '../timers.ts';
import { AccessLeg } from './access-leg.ts';
import { AnchoredStream, type Side, type StreamPlan, type StreamTools } from './anchored-stream.ts';

/** What the edge knows of one side of a session. */
export interface MediaParty {
  readonly name: string;
  /** UE and edge both announced `msrp-tls;mediasec` (profile 1.8). */
  readonly msrpTls: boolean;
}

/** The media of one session toward one callee. Each method takes an SDP body and gives the one to pass on. */
export interface AnchoredMedia {
  /** For the callee. */
  readonly offer: Uint8Array;
  /** @throws ProtocolError when the answer cannot be read. */
  answer(sdp: Uint8Array): Uint8Array;
  /** A later offer of `from`, for the other side. @throws ProtocolError hint sip 488 for a new MSRP stream. */
  reoffer(from: Side, sdp: Uint8Array): Uint8Array;
  /** The answer to a later offer of `offerer`. */
  reanswer(offerer: Side, sdp: Uint8Array): Uint8Array;
  close(): void;
}

export interface ImsAlgOptions extends StreamTools {
  readonly timers: Timers;
  /** Milliseconds that a UE has to connect once the session is answered. */
  readonly connectDeadline: number;
}

/** IMS-ALG with access gateway: anchors every MSRP media line of the sessions that pass the edge (profile 2, RFC 6714). */
export class ImsAlg {
  readonly #options: ImsAlgOptions;
  readonly #streams = new Set<AnchoredStream>();
  #stopped = false;

  constructor(options: ImsAlgOptions) {
    this.#options = options;
  }

  /** Streams that hold ports or connections. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /** @throws ProtocolError hint sip 400 or 488 for an offer that cannot be anchored. */
  async anchor(sdp: Uint8Array, caller: MediaParty, callee: MediaParty): Promise<AnchoredMedia> {
    const description = withOwnAttributes(parseSdp(sdp));
    const plans = description.media.map((section) => planStream(section, description, caller, callee));
    const streams: (AnchoredStream | undefined)[] = [];
    try {
      for (const plan of plans) streams.push(plan && (await this.#open(plan, caller, callee)));
    } catch (error) {
      for (const stream of streams) stream?.close();
      throw error;
    }
    return new AnchoredSession(description, streams);
  }

  /** Breaks the connections of every session, as a network does that goes away. Returns how many sessions it hit. */
  cut(): number {
    const open = [...this.#streams];
    for (const stream of open) stream.close();
    return open.length;
  }

  stop(): void {
    this.#stopped = true;
    for (const stream of this.#streams) stream.close();
  }

  async #open(plan: StreamPlan, caller: MediaParty, callee: MediaParty): Promise<AnchoredStream> {
    const legOptions = { ...this.#options, deadline: this.#options.connectDeadline };
    const legs = {
      caller: await AccessLeg.open({ ...legOptions, name: caller.name }),
      callee: await AccessLeg.open({ ...legOptions, name: callee.name }),
    };
    const stream = new AnchoredStream(plan, legs, this.#options, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    if (this.#stopped) {
      stream.close();
      throw new ProtocolError('local', 'the lab is stopping', { field: 'gateway', hint: { sip: 503 } });
    }
    return stream;
  }
}

class AnchoredSession implements AnchoredMedia {
  readonly offer: Uint8Array;
  readonly #streams: readonly (AnchoredStream | undefined)[];
  /** Places of MSRP streams that pass the gateway by. */
  readonly #leftAlone: ReadonlySet<number>;

  constructor(offer: SessionDescription, streams: readonly (AnchoredStream | undefined)[]) {
    this.#streams = streams;
    this.#leftAlone = new Set(
      offer.media.flatMap((section, index) => (isOpen(section) && streams[index] === undefined ? [index] : [])),
    );
    this.offer = this.#rewrite(offer, (stream, section) => stream.presentOffer('callee', section));
  }

  answer(sdp: Uint8Array): Uint8Array {
    return this.#rewrite(withOwnAttributes(parseSdp(sdp)), (stream, section) => stream.presentAnswer(section));
  }

  reoffer(from: Side, sdp: Uint8Array): Uint8Array {
    const description = withOwnAttributes(parseSdp(sdp));
    description.media.forEach((section, index) => {
      const isNew = isOpen(section) && this.#streams[index] === undefined;
      if (isNew && !this.#leftAlone.has(index)) refuse('sdp.m', 'the lab anchors MSRP streams of the first offer only');
    });
    const to = from === 'caller' ? 'callee' : 'caller';
    return this.#rewrite(description, (stream, section) =>
      mediaLine(section).port === 0 ? section : stream.presentOffer(to, section),
    );
  }

  reanswer(offerer: Side, sdp: Uint8Array): Uint8Array {
    return this.#rewrite(withOwnAttributes(parseSdp(sdp)), (stream, section) =>
      stream.presentLaterAnswer(offerer, section),
    );
  }

  close(): void {
    for (const stream of this.#streams) stream?.close();
  }

  #rewrite(
    description: SessionDescription,
    rewrite: (stream: AnchoredStream, section: MediaSection) => MediaSection,
  ): Uint8Array {
    const media = description.media.map((section, index) => {
      const stream = this.#streams[index];
      // What the gateway does not see to is not the gateway's to vouch for, whoever says so.
      return stream === undefined ? withoutAttribute(section, '3ge2ae') : rewrite(stream, section);
    });
    return utf8(formatSdp({ ...description, media }));
  }
}

function isOpen(section: MediaSection): boolean {
  return isMsrpMedia(section) && mediaLine(section).port !== 0;
}

/** Undefined for media that the gateway leaves alone. */
function planStream(
  section: MediaSection,
  description: SessionDescription,
  caller: MediaParty,
  callee: MediaParty,
): StreamPlan | undefined {
  if (!isOpen(section)) return undefined;
  const offer = readMsrpMedia(section, description);
  // An MSRP relay holds the connection already (RFC 4976), and its user could not be active through us (RFC 6714 4.1).
  if (offer.path.length > 1) return undefined;
  if (!offer.cema) refuse('sdp.msrp-cema', 'the gateway anchors MSRP by RFC 6714 only');
  const isTls = offer.protocol === 'TCP/TLS/MSRP';
  const endsAtEdge = isTls && isForEdge(offer, caller);
  if (isTls && !endsAtEdge) return { kind: 'relay', tls: { caller: false, callee: false }, offer };
  if (endsAtEdge && offer.fingerprints.length === 0) refuse('sdp.fingerprint', 'missing');
  // TS 23.334 6.2.10.3.1.2.1: the terminating leg is secured when that UE and the edge both announced it.
  return { kind: 'bridge', tls: { caller: endsAtEdge, callee: callee.msrpTls }, offer };
}

/** Profile 2.2, 2.3: key management means end to end; else the UE must have asked, and be entitled by its registration. */
function isForEdge(offer: MsrpMedia, caller: MediaParty): boolean {
  return offer.keyMgmtProtocols.length === 0 && offer.e2ae === 'requested' && caller.msrpTls;
}

/** RFC 8122 5, RFC 4145 4: moves what stands at session level into the media, so that each can be rewritten alone. */
function withOwnAttributes(description: SessionDescription): SessionDescription {
  return ['fingerprint', 'setup'].reduce((sdp, name) => {
    const values = attributeValues(sdp.session, name);
    if (values.length === 0) return sdp;
    return {
      session: sdp.session.filter((line) => line.type !== 'a' || !line.value.startsWith(`${name}:`)),
      media: sdp.media.map((section) =>
        hasAttribute(section.lines, name)
          ? section
          : { lines: [...section.lines, ...values.map((value) => attributeLine(name, value))] },
      ),
    };
  }, description);
}

function refuse(field: string, problem: string): never {
  throw new ProtocolError('peer-incompatible', problem, { field, hint: { sip: 488 } });
}
