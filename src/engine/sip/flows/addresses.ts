import type { NetworkChange } from '../../ports.ts';
import type { SipJsTransport } from '../sipjs-transport.ts';

/** RFC 7118 clause 5.2: there is no `wss` in a URI. */
export function contactTransport(protocol: string): string {
  return protocol === 'wss' ? 'ws' : protocol;
}

/** Whether an address of ours was lost. Systems write them with a zone, or an IPv4 one in the form of IPv6. */
export function isGone(address: string, change: NetworkChange): boolean {
  if (change.kind !== 'addresses') return false;
  const plain = (text: string): string =>
    text
      .replace(/%.*$/, '')
      .replace(/^::ffff:/i, '')
      .toLowerCase();
  return !change.present.some((each) => plain(each) === plain(address));
}

/** A connection from an address that is gone is given up; another one is asked at once whether it still leads anywhere. */
export function doubtConnection(transport: SipJsTransport, change: NetworkChange): void {
  const { connection, link } = transport;
  if (connection !== undefined && isGone(connection.localAddress, change)) {
    transport.abandon(new Error('our address is gone'));
  } else {
    link?.check();
  }
}
