import { ProtocolError } from '../base/errors.ts';
import type { ServerPins, SipTarget } from './sip-ports.ts';

const fingerprint = /^[0-9A-F]{2}(?::[0-9A-F]{2}){31}$/;

/** The name that the certificate of the server has to prove; brackets and a last dot are ways to write a name, not parts of it. */
export function serverNameOf({ host, serverName = host }: Pick<SipTarget, 'host' | 'serverName'>): string {
  return serverName.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

/**
 * The user says that a server with this certificate is the right one: it takes the place of what is remembered of the server.
 * @param sha256 as in `CertificateFacts.sha256`.
 * @throws ProtocolError `local` for an account that trusts authorities alone, and for what is no fingerprint.
 */
export async function acceptServerCertificate(
  target: Pick<SipTarget, 'host' | 'serverName' | 'trust'>,
  pins: ServerPins | undefined,
  sha256: string,
): Promise<void> {
  if (target.trust !== 'pin-on-first-use' || pins === undefined) {
    throw new ProtocolError('local', 'certificates are not remembered here', {
      field: 'sip.tls.pin',
      expected: 'an account with the trust pin-on-first-use',
    });
  }
  if (!fingerprint.test(sha256)) {
    throw new ProtocolError('local', 'not a fingerprint', { field: 'sip.tls.pin', expected: 'SHA-256 as AA:BB:…' });
  }
  await pins.set(serverNameOf(target).toLowerCase(), sha256);
}
