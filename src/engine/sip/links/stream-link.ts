import { SipStreamFramer, type SipFrame } from '../../../protocol/sip/stream-framer.ts';
import { ConnectedLink } from './connected-link.ts';
import type { SipLink, SipLinkContext, SipLinkListener } from './sip-link.ts';

const crlf = Uint8Array.of(0x0d, 0x0a);
const ping = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a);

/** SIP over TCP and TLS: messages by Content-Length, kept alive by CRLF (RFC 5626 clause 4.4.1). */
export class StreamLink extends ConnectedLink implements SipLink {
  readonly #listener: SipLinkListener;

  constructor(context: SipLinkContext) {
    const { connection, listener } = context;
    super(context, () => void connection.send(ping).catch(() => undefined));
    this.#listener = listener;
    const framer = new SipStreamFramer({ side: 'client' });
    connection.onData((bytes) => {
      for (const frame of framer.push(bytes)) this.#handle(frame);
    });
  }

  #handle(frame: SipFrame): void {
    switch (frame.kind) {
      case 'message': {
        this.#listener.onMessage(frame.bytes);
        return;
      }
      case 'pong': {
        this.keepAlive.pong();
        return;
      }
      case 'ping':
        return void this.connection.send(crlf).catch(() => undefined);
      case 'error': {
        this.#listener.onLost(frame.error);
        return;
      }
    }
  }
}
