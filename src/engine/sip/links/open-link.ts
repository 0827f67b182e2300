import { DatagramLink } from './datagram-link.ts';
import type { SipLink, SipLinkContext } from './sip-link.ts';
import { StreamLink } from './stream-link.ts';
import { WebSocketLink } from './web-socket-link.ts';

/** What makes whole, reliable SIP messages of a connection. */
export function openLink(context: SipLinkContext): SipLink {
  const { framing, protocol } = context.connection;
  if (framing === 'stream') return new StreamLink(context);
  return protocol === 'udp' ? new DatagramLink(context) : new WebSocketLink(context);
}
