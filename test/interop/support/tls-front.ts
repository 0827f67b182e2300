import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';

/** A TLS port in front of a TCP port of 127.0.0.1, for servers that do not speak TLS themselves. */
export interface TlsFront {
  readonly port: number;
  readonly caPem: string;
  stop(): Promise<void>;
}

/** @param name that its certificate proves. */
export async function startTlsFront(name: string, behind: number): Promise<TlsFront> {
  const authority = await createCertificateAuthority({ commonName: 'front test', now: Date.now() });
  const leaf = await authority.issue({ dnsNames: [name], ipAddresses: ['127.0.0.1'] });
  const sockets = new Set<Socket>();
  const server = createServer({ cert: leaf.certificatePem, key: leaf.privateKeyPem }, (front) => {
    const back = connect(behind, '127.0.0.1');
    for (const socket of [front, back]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    }
    front.once('close', () => back.destroy());
    back.once('close', () => front.destroy());
    front.pipe(back).pipe(front);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caPem: authority.certificatePem,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
