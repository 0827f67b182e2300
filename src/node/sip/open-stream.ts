import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { ProtocolError } from '../../base/errors.ts';
import { describeCertificate } from '../../crypto/certificate.ts';
import { toPemCertificates, toPemPrivateKey } from '../../crypto/pem.ts';
import type { ServerProof, SipHop, SipHopSecurity, TlsFacts } from '../../engine/ports.ts';
import { isTlsProtocol } from '../../protocol/sip/sip-protocol.ts';
import { trustSystemAuthorities } from '../system-authorities.ts';
import { connectionError } from './connection-error.ts';
import { otherName, type ServerProver } from './server-prover.ts';

export interface OpenedStream {
  readonly socket: Socket;
  /** Present exactly for `tls` and `wss`. */
  readonly tls: TlsFacts | undefined;
}

/**
 * A TCP connection to a hop, for `tls` and `wss` secured and its server proven: there is no way around that check.
 * The socket is paused and nothing was said on it. @throws ProtocolError
 */
export async function openStream(
  hop: SipHop,
  prover: ServerProver,
  timeoutMilliseconds: number,
): Promise<OpenedStream> {
  let socket: Socket | undefined;
  try {
    socket = startStream(hop);
    // Between the handshake and its next owner nobody else listens.
    socket.on('error', () => undefined);
    await established(socket, timeoutMilliseconds);
    const tls = socket instanceof TLSSocket && hop.security ? await proven(socket, hop.security, prover) : undefined;
    if (socket.destroyed) throw new Error('closed during the handshake');
    return { socket, tls };
  } catch (error) {
    socket?.destroy();
    throw connectionError(error, hop);
  }
}

function startStream({ protocol, address, port, security }: SipHop): Socket {
  const place = { host: address, port, noDelay: true, keepAlive: true };
  if (!isTlsProtocol(protocol)) return connectTcp(place);
  if (security === undefined) {
    throw new ProtocolError('local', 'missing', { field: 'sip.hop.security', expected: 'the name to be proven' });
  }
  const { serverName, trust } = security;
  const socket = connectTls({
    ...place,
    secureContext: contextFor(security),
    // Otherwise `ServerProver` decides, before an octet of ours leaves.
    rejectUnauthorized: trust === 'system-or-ca',
    checkServerIdentity: (_, certificate) => otherName(certificate, serverName),
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
  });
  return socket.setNoDelay(true).setKeepAlive(true);
}

function contextFor({ trustedCa, clientCertificate }: SipHopSecurity): SecureContext {
  if (trustedCa === undefined) trustSystemAuthorities();
  const trusted = trustedCa === undefined ? {} : { ca: trustedCa };
  if (clientCertificate === undefined) return createSecureContext({ minVersion: 'TLSv1.2', ...trusted });
  const { certificates, privateKey } = clientCertificate;
  const key = Buffer.from(toPemPrivateKey(privateKey));
  try {
    return createSecureContext({ minVersion: 'TLSv1.2', cert: toPemCertificates(certificates), key, ...trusted });
  } catch {
    // The cause is left out: it could repeat octets of the key.
    throw new ProtocolError('local', 'cannot be used', {
      field: 'sip.tls.client-certificate',
      expected: 'certificates and the private key of the first one',
    });
  } finally {
    key.fill(0);
  }
}

function established(socket: Socket, timeoutMilliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new Error('timed out')), timeoutMilliseconds);
    const closed = (): void => settle(new Error('closed during the handshake'));
    const done = (): void => settle();
    const event = socket instanceof TLSSocket ? 'secureConnect' : 'connect';
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off('error', settle).off('close', closed).off(event, done);
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on('error', settle).on('close', closed).on(event, done);
  });
}

async function proven(socket: TLSSocket, security: SipHopSecurity, prover: ServerProver): Promise<TlsFacts> {
  return factsOf(socket, await prover.prove(socket, security));
}

function factsOf(socket: TLSSocket, serverProof: ServerProof): TlsFacts {
  const der = socket.getPeerCertificate().raw as Uint8Array | undefined;
  return {
    version: socket.getProtocol() ?? 'unknown',
    suite: socket.getCipher().standardName,
    serverProof,
    ...(der === undefined ? {} : { peerCertificate: describeCertificate(Uint8Array.from(der)) }),
  };
}
