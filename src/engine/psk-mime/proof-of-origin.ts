import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { sha256 } from '../../crypto/digest.ts';
import type { MikeyExtension } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';

/** SHA-256 among the values of MIKEY's Hash Func (profile 5.4). */
const sha256HashFunction = 2;

/**
 * General Extension that binds a TRANSFER_INIT, and so its MAC, to one CMS object (profile 5.4):
 * hash function (1 octet) || hash over the exact octets of the decoded `application/pkcs7-mime` part.
 */
export function proofOfOrigin(cms: Uint8Array): MikeyExtension {
  return {
    type: profile.mikey.proofOfOriginExtension,
    data: concatBytes(Uint8Array.of(sha256HashFunction), sha256(cms)),
  };
}

/**
 * True when the extensions hold a proof for this CMS object; false when they hold none that we can compute. What it is worth
 * is known only after the MAC of the TRANSFER_INIT was checked.
 * @throws ProtocolError `peer-misbehaved` (hint SIP 493) when the proof is for other octets; `malformed` when there are two
 */
export function checkProofOfOrigin(extensions: readonly MikeyExtension[], cms: Uint8Array): boolean {
  const proofs = extensions.filter(({ type }) => type === profile.mikey.proofOfOriginExtension);
  const [proof, second] = proofs;
  if (second !== undefined) {
    throw new ProtocolError('malformed', 'given twice', {
      field: 'mikey.proofOfOrigin',
      expected: 'at most one',
      hint: { sip: 400 },
    });
  }
  if (proof?.data[0] !== sha256HashFunction) return false;
  if (!constantTimeEqual(proof.data.subarray(1), sha256(cms))) {
    throw new ProtocolError('peer-misbehaved', 'does not fit the message', {
      field: 'mikey.proofOfOrigin',
      hint: { sip: 493 },
    });
  }
  return true;
}
