import { ConnectedLink } from './connected-link.ts';
import { isLineEnds } from './line-ends.ts';
import type { SipLink, SipLinkContext } from './sip-link.ts';

const crlf = Uint8Array.of(0x0d, 0x0a);

/** SIP over WebSocket (RFC 7118): one message each, kept alive by the Ping frames of the WebSocket (clause 6). */
export class WebSocketLink extends ConnectedLink implements SipLink {
  constructor(context: SipLinkContext) {
    const { connection, listener } = context;
    super(context, (pong) => {
      connection.ping?.().then(pong, () => undefined);
    });
    connection.onData((bytes) => {
      // RFC 5626 clause 3.5.1: a server may ask by CRLF CRLF here too.
      if (isLineEnds(bytes)) void (bytes.length === 4 && connection.send(crlf).catch(() => undefined));
      else listener.onMessage(bytes);
    });
  }
}
