import type { Server } from 'node:net';
import { secureRandom } from '../crypto/random.ts';

export interface LoopbackAddress {
  readonly host: '127.0.0.1';
  readonly port: number;
}

/** @param port 0 for a free one. Rejects when the port is taken. */
export function listenOnLoopback(server: Server, port = 0): Promise<LoopbackAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      const address = server.address();
      resolve({ host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 });
    });
  });
}

/** Below what systems give to whoever asks for any port (RFC 6335 6, Linux: 32768 and up). */
const lastingPorts = { first: 10_240, count: 22_000 } as const;
const maxPortTries = 50;

/**
 * Listens at a port that can be given up and had again: nobody who takes any port gets it meanwhile.
 * @param port 0 for a free one. Rejects when the port is taken.
 */
export async function listenOnLastingPort(server: Server, port = 0): Promise<LoopbackAddress> {
  if (port !== 0) return listenOnLoopback(server, port);
  for (let tries = 1; ; tries++) {
    try {
      return await listenOnLoopback(server, anyLastingPort());
    } catch (error) {
      if (tries >= maxPortTries) throw error;
    }
  }
}

function anyLastingPort(): number {
  const [high = 0, low = 0] = secureRandom.bytes(2);
  return lastingPorts.first + ((high * 256 + low) % lastingPorts.count);
}

/** Resolves when the port is free; the caller ends the connections. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
