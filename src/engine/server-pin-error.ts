import { ProtocolError } from '../base/errors.ts';

/** A SIP server shows another certificate than the one that is remembered for its name; only the user can say that this is right. */
export class ServerPinError extends ProtocolError {
  override readonly name = 'ServerPinError';
  readonly serverName: string;
  /** As in `ServerPins`. */
  readonly pinned: string;
  /** The one that was shown; as in `CertificateFacts.sha256`. */
  readonly shown: string;

  constructor(facts: { readonly serverName: string; readonly pinned: string; readonly shown: string }) {
    const { serverName, pinned, shown } = facts;
    super('peer-misbehaved', `${serverName} shows another certificate than before: SHA-256 ${shown}`, {
      field: 'sip.tls.pin',
      expected:
        pinned === 'authority' ? 'one that a trusted authority certifies' : `the remembered one, SHA-256 ${pinned}`,
    });
    this.serverName = serverName;
    this.pinned = pinned;
    this.shown = shown;
  }
}
