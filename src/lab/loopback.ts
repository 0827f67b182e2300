import type { Server } from 'node:net';

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

/** Resolves when the port is free; the caller ends the connections. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
