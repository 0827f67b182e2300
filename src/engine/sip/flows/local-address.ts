import type { SipHop, SipTransport } from '../../ports.ts';

/** The address of this machine that leads to a place now: what a datagram socket to it gets, without a datagram. Undefined when none does. */
export async function localAddressTowards(sip: SipTransport, hop: SipHop): Promise<string | undefined> {
  const { address, port, host } = hop;
  try {
    const connection = await sip.connect({ protocol: 'udp', address, port, host });
    connection.close();
    return connection.localAddress;
  } catch {
    return undefined;
  }
}
