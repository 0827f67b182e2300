import type { TLSSocket } from 'node:tls';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { certificateSha256 } from '../../crypto/certificate.ts';
import { provesSipDomain } from '../../crypto/server-identity.ts';
import type { ServerPins, ServerProof, SipHopSecurity } from '../../engine/ports.ts';
import { ServerPinError } from '../../engine/server-pin-error.ts';

/** For `checkServerIdentity` of Node's TLS: whatever name it would derive, the configured one has to be proven (RFC 5922). */
export function otherName(certificate: { readonly raw: Uint8Array }, serverName: string): Error | undefined {
  if (provesSipDomain(certificate.raw, serverName)) return undefined;
  return Object.assign(new Error('certificate of another name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
}

/** Decides, after a handshake and before anything is said, whether a server may be talked to. */
export class ServerProver {
  readonly #pins: ServerPins | undefined;
  /** One at a time: of two certificates that are met first, one is remembered. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(pins: ServerPins | undefined) {
    this.#pins = pins;
  }

  /** @throws ServerPinError for another certificate than the remembered one; Error with the code of the TLS library. */
  async prove(socket: TLSSocket, { serverName, trust }: SipHopSecurity): Promise<ServerProof> {
    if (trust === 'system-or-ca') {
      if (!socket.authorized) throw unproven(socket);
      return 'authority';
    }
    const pins = this.#pins;
    if (pins === undefined) {
      throw new ProtocolError('local', 'there is no place to remember certificates in', {
        field: 'sip.tls.pin',
        expected: 'a place that outlives the program, or a trusted authority',
      });
    }
    const der = socket.getPeerCertificate().raw as Uint8Array | undefined;
    if (der === undefined) throw unproven(socket);
    const shown = certificateSha256(Uint8Array.from(der));
    const proven = this.#turn.then(() => compare(pins, serverName.toLowerCase(), shown, socket.authorized));
    this.#turn = proven.catch(() => undefined);
    return proven;
  }
}

async function compare(
  pins: ServerPins,
  serverName: string,
  shown: string,
  isCertified: boolean,
): Promise<ServerProof> {
  try {
    const pinned = await pins.get(serverName);
    if (pinned === undefined) {
      await pins.set(serverName, isCertified ? 'authority' : shown);
      return isCertified ? 'authority' : 'first-use';
    }
    // A change is never taken without a word: not from a remembered certificate to one that an authority certifies, nor the other way.
    if (pinned !== (pinned === 'authority' && isCertified ? 'authority' : shown)) {
      throw new ServerPinError({ serverName, pinned, shown });
    }
    return isCertified ? 'authority' : 'pin';
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError('local', `the remembered certificates cannot be used: ${describeError(error)}`, {
      field: 'sip.tls.pin',
      cause: error,
    });
  }
}

/** Node gives the code of the library where its types say Error. */
function unproven({ authorizationError }: TLSSocket): Error {
  const reason: unknown = authorizationError;
  const code = reason instanceof Error && 'code' in reason ? reason.code : reason;
  return Object.assign(new Error('not proven'), { code: typeof code === 'string' ? code : 'ERR_TLS_NOT_PROVEN' });
}
