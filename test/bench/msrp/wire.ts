import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { fromHex } from '../../../src/base/bytes.ts';
import type { DeviceCertificate, MsrpSecurity } from '../../../src/engine/ports.ts';
import { secure } from '../../../src/node/msrp/handshake.ts';

/** How a connection is protected, in a form that goes from process to process. */
export type Protection =
  | { readonly mode: 'plain' }
  | { readonly mode: 'fingerprint'; readonly own: SentCertificate; readonly peerSha256: string }
  | { readonly mode: 'psk'; readonly suite: string; readonly keyHex: string };

export interface SentCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly sha256: string;
}

/** A connected socket, plain or after the very handshake that the engine's sessions use, and what it is. */
export interface Wire {
  readonly socket: Socket;
  readonly mode: MsrpSecurity['mode'];
  /** Version and suite, or `plain TCP`. */
  readonly description: string;
  readonly tls: Awaited<ReturnType<typeof secure>>['tls'] | undefined;
}

export async function listen(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ pauseOnConnect: true, noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
}

export async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

export async function protect(raw: Socket, role: 'client' | 'server', protection: Protection): Promise<Wire> {
  const { mode } = protection;
  if (mode === 'plain') return { socket: raw, mode, description: 'plain TCP', tls: undefined };
  const suites = mode === 'psk' ? `${protection.suite}:@SECLEVEL=0` : undefined;
  const { socket, tls } = await secure(raw, role, securityOf(protection), suites);
  return { socket, mode, description: `${tls.version} ${tls.suite}`, tls };
}

function securityOf(protection: Exclude<Protection, { mode: 'plain' }>): Parameters<typeof secure>[2] {
  if (protection.mode === 'psk') {
    return { mode: 'psk', psk: new SecretBytes(fromHex(protection.keyHex)), pskIdentity: 'bench' };
  }
  const { own, peerSha256 } = protection;
  const certificate: DeviceCertificate = {
    ...own,
    privateKeyPem: new SecretBytes(new TextEncoder().encode(own.privateKeyPem)),
  };
  return { mode: 'fingerprint', certificate, peerFingerprints: [{ hash: 'sha-256', value: peerSha256 }] };
}
