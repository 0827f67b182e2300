import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, createSecureContext } from 'node:tls';
import { ProtocolError } from '../../base/errors.ts';
import { oneTimeTlsOptions } from '../../crypto/tls-options.ts';
import type { MsrpSecurity } from '../../engine/ports.ts';
import type { StartedTls, TlsRole } from './tls-setup.ts';
import { trustSystemAuthorities } from '../system-authorities.ts';

/**
 * Begins TLS to a relay (RFC 4976 section 9.2): its name goes into the ClientHello, its certificate must carry it and be
 * valid and signed by somebody trusted, and we show none of our own.
 */
export function startRelayTls(
  raw: Socket,
  role: TlsRole,
  { serverName, trustedCa }: Extract<MsrpSecurity, { mode: 'relay' }>,
): StartedTls {
  if (role === 'server') {
    throw new ProtocolError('local', 'a relay does not connect to us', {
      field: 'tls.relay',
      expected: 'the connecting side',
    });
  }
  if (trustedCa === undefined) trustSystemAuthorities();
  const secureContext = createSecureContext({
    minVersion: 'TLSv1.2',
    secureOptions: oneTimeTlsOptions,
    ...(trustedCa === undefined ? {} : { ca: trustedCa }),
  });
  const socket = connect({
    socket: raw,
    secureContext,
    rejectUnauthorized: true,
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    // Whatever name the library would derive, the one that must be proven is the one of the relay's URI.
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
  });
  return { socket, wipe: () => undefined };
}
