import { parseMsrpUri, sameMsrpSession, type MsrpUri } from './uri.ts';

/** The far end's path as its SDP gave it, and who may speak for it. */
export class PeerPath {
  readonly #path: readonly string[];
  readonly #uris: readonly MsrpUri[];
  /** Paths that were found right: on one connection they hardly ever change, and the framer gives the same array again. */
  #lastSender: readonly string[] | undefined;
  #lastResponder: readonly string[] | undefined;

  /** @param path nearest hop first. @throws ProtocolError `malformed` when it is not made of MSRP URIs. */
  constructor(path: readonly string[]) {
    this.#path = path;
    this.#uris = path.map((uri) => parseMsrpUri(uri, 'remotePath'));
  }

  /** Relays put themselves before the one who sent the request (RFC 4976 section 5); that one is the last. */
  isSender(fromPath: readonly string[]): boolean {
    if (fromPath === this.#lastSender) return true;
    if (!this.#matches(fromPath.at(-1), this.#path.length - 1)) return false;
    this.#lastSender = fromPath;
    return true;
  }

  /**
   * RFC 4975 section 7.2: a response names the one who made it: the next hop for a SEND, the far end else. Some put their
   * whole path there.
   */
  isResponder(fromPath: readonly string[]): boolean {
    if (fromPath === this.#lastResponder) return true;
    const isRight = this.#matches(fromPath[0], 0) || this.#matches(fromPath.at(-1), this.#path.length - 1);
    if (isRight) this.#lastResponder = fromPath;
    return isRight;
  }

  /** Profile 2.4: the scheme of a path decides nothing. */
  #matches(text: string | undefined, index: number): boolean {
    const own = this.#uris[index];
    if (text === undefined || own === undefined) return false;
    return text === this.#path[index] || sameMsrpSession(parseMsrpUri(text), own);
  }
}
