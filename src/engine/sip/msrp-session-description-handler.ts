import type { BodyAndContentType, SessionDescriptionHandler } from 'sip.js';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { fromUtf8 } from '../../base/bytes.ts';
import { parseSdp } from '../../protocol/sdp/index.ts';
import type { FlowFacts, SdpNegotiator } from './types.ts';
import { decodeBody, encodeBody } from './wire-translation.ts';

/**
 * Between SIP.js and an `SdpNegotiator`: gives our description, takes the other side's first answer, and afterwards
 * lets an unchanged description pass (session refresh) and refuses a changed one with 488: profile 3.6 re-keys by a
 * new session.
 */
export class MsrpSessionDescriptionHandler implements SessionDescriptionHandler {
  readonly #local: string;
  readonly #negotiator: SdpNegotiator;
  readonly #flow: () => FlowFacts | undefined;
  #remote: string | undefined;
  /** Goes out once, instead of the bare description. */
  #firstBody: Uint8Array | undefined;
  /** The body, as SIP.js holds it, in which the remote description came with other parts. */
  readonly #receivedBody: string | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  /**
   * @param local our offer, or our answer to `remote`.
   * @param more `remote`: the offer that was answered already; absent when we offered. `receivedBody`: what it came in, when
   * it was not alone. `firstBody`: the body in which our offer goes out, when it is not alone. `flow`: what answers come over.
   */
  constructor(
    negotiator: SdpNegotiator,
    local: string,
    more: {
      readonly remote?: string;
      readonly receivedBody?: Uint8Array;
      readonly firstBody?: Uint8Array;
      readonly flow?: () => FlowFacts | undefined;
    } = {},
  ) {
    const { remote, receivedBody, firstBody, flow = () => undefined } = more;
    this.#negotiator = negotiator;
    this.#flow = flow;
    this.#local = local;
    this.#remote = remote;
    this.#firstBody = firstBody;
    this.#receivedBody = receivedBody === undefined ? undefined : encodeBody(receivedBody);
  }

  /** Why the answer was not taken. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  getDescription(): Promise<BodyAndContentType> {
    const body = encodeBody(this.#firstBody ?? this.#local);
    this.#firstBody = undefined;
    return Promise.resolve({ body, contentType: 'application/sdp' });
  }

  hasDescription(contentType: string): boolean {
    return contentType === 'application/sdp';
  }

  async setDescription(encoded: string): Promise<void> {
    if (encoded === this.#receivedBody) return;
    try {
      const sdp = fromUtf8(decodeBody(encoded), 'sdp');
      parseSdp(sdp);
      if (this.#remote === undefined) {
        await this.#negotiator.acceptAnswer(sdp, this.#flow());
        this.#remote = sdp;
      } else if (!isSameDescription(sdp, this.#remote)) {
        throw new ProtocolError('unsupported', 'changed within the session', { field: 'sdp.o', hint: { sip: 488 } });
      }
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(describeError(error));
      throw this.#failure;
    }
  }

  rollbackDescription(): Promise<void> {
    return Promise.resolve();
  }

  sendDtmf(): boolean {
    return false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#negotiator.close();
  }
}

/**
 * RFC 3264 clause 8: the origin line, with its version, stays while the description does. Some raise the version at each
 * refresh: then nothing else may differ.
 */
function isSameDescription(one: string, other: string): boolean {
  return originOf(one) === originOf(other) || withoutOrigin(one) === withoutOrigin(other);
}

function originOf(sdp: string): string | undefined {
  return parseSdp(sdp).session.find(({ type }) => type === 'o')?.value;
}

function withoutOrigin(sdp: string): string {
  const { session, media } = parseSdp(sdp);
  return JSON.stringify([session.filter(({ type }) => type !== 'o'), media]);
}
