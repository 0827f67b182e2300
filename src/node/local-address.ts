import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';

/**
 * The address of this machine that a packet to `host` would leave from: what a peer behind the same server can reach us at.
 * Nothing is sent. Loopback when `host` cannot be resolved or reached.
 */
export async function localAddressTowards(host: string): Promise<string> {
  try {
    const { address, family } = await lookup(host);
    return await routedFrom(address, family === 6 ? 'udp6' : 'udp4');
  } catch {
    return '127.0.0.1';
  }
}

function routedFrom(address: string, type: 'udp4' | 'udp6'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(type);
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    // Port 9 discards; connecting a datagram socket only chooses the route.
    socket.connect(9, address, () => {
      resolve(socket.address().address);
      socket.close();
    });
  });
}
