import { ProtocolError } from '../../base/errors.ts';
import type { SipHop } from '../../engine/ports.ts';

/** Alerts by which a server says that it wants another certificate of ours, or one at all (RFC 8446 6.2). */
const aboutOurCertificate =
  /^ERR_SSL_.*(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|CERTIFICATE_REQUIRED|UNKNOWN_CA|ACCESS_DENIED)/;

/** Codes of certificates that do not prove the server, in words. */
const certificateProblems: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it certifies itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not known',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not known',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not known',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is one of another name',
};

/** Says what failed where, never what was exchanged. */
export function connectionError(error: unknown, hop: SipHop): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const reason = code ?? (error instanceof Error ? error.message : String(error));
  const { security } = hop;
  // Codes of the operating system say nothing about TLS; OpenSSL's and X.509's do.
  const isNetwork = code === undefined || (/^E[A-Z0-9]+$/.test(code) && code !== 'EPROTO');
  if (security === undefined || isNetwork) {
    return failure(hop, 'sip.connection', reason, 'a SIP server that answers', error);
  }
  if (aboutOurCertificate.test(reason)) {
    const problem =
      security.clientCertificate === undefined ? 'it wants a certificate of ours' : 'it refuses our certificate';
    return failure(hop, 'sip.tls.client-certificate', `${problem} (${reason})`, 'a server that accepts us', error);
  }
  const problem = certificateProblems[reason];
  return failure(
    hop,
    'sip.tls',
    problem === undefined ? reason : `${problem} (${reason})`,
    `a certificate that proves ${security.serverName}`,
    error,
  );
}

function failure(hop: SipHop, field: string, problem: string, expected: string, cause: unknown): ProtocolError {
  return new ProtocolError('peer-misbehaved', `${place(hop)}: ${problem}`, { field, expected, cause });
}

/** `tls to sip.example.org (192.0.2.1:5061)`, or to the address alone. */
function place({ protocol, host, address, port }: SipHop): string {
  const socket = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return `${protocol} to ${host === address ? socket : `${host} (${socket})`}`;
}
