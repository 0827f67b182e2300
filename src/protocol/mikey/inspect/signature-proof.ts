import { validatePath } from '../../../crypto/certificate-path.ts';
import type { RsaPublicKey } from '../../../crypto/rsa.ts';
import { Certificate } from '../../../crypto/x509.ts';
import { assertProtocolError } from '../../../base/errors.ts';
import { certificateType, dataType } from '../code-points.ts';
import type { DecodedMessage } from '../message.ts';
import { isSignedBy } from '../signature.ts';
import { codePointName } from './names.ts';
import type { Exchange, Finding, ProofInputs } from './proof-types.ts';
import { trailerOf } from './trailer.ts';

/**
 * Checks the signature of a public-key question with the certificate in it, and of an Error with the key of the KMS. A signature proves
 * who made the message only as far as its certificate is believed, so what became of that is a finding of its own.
 */
export function proveSignature(exchange: Exchange, inputs: ProofInputs): readonly Finding[] {
  const { dataType: type } = exchange.message.header;
  switch (type) {
    case dataType.requestInitPk:
    case dataType.resolveInitPk:
      return proveQuestion(exchange, inputs);
    case dataType.error:
      return [proveError(exchange.message, inputs)];
    default:
      return [notChecked(subjectOf(exchange.message), `no rule here for ${codePointName('dataType', type)}`)];
  }
}

const subjectOf = ({ header }: DecodedMessage): string => `SIGN of ${codePointName('dataType', header.dataType)}`;
const notChecked = (subject: string, detail: string): Finding => ({ subject, result: 'not checked', detail });

function proveQuestion(exchange: Exchange, inputs: ProofInputs): readonly Finding[] {
  const { message } = exchange;
  const subject = subjectOf(message);
  const ders = message.payloads.flatMap((payload) =>
    payload.payload === 'CERT' && isSigner(payload.certificateType) ? [payload.data] : [],
  );
  const [der] = ders;
  if (der === undefined) return [notChecked(subject, 'the message holds no certificate of its sender')];
  let owner: Certificate;
  let key: RsaPublicKey;
  try {
    owner = new Certificate(der, 'mikey.CERT');
    key = owner.publicKey();
  } catch (error) {
    assertProtocolError(error);
    return [notChecked(subject, error.message)];
  }
  const whose = ownerText(owner);
  const trailer = trailerOf(exchange, inputs);
  const signature =
    'unknown' in trailer
      ? notChecked(subject, trailer.unknown)
      : signatureFinding(message, key, `the key of the certificate in it, of ${whose}`, trailer);
  return [signature, certificateFinding(message, ders, inputs)];
}

const isSigner = (type: number): boolean => type === certificateType.x509 || type === certificateType.x509Sign;

function ownerText({ subject, uris, fingerprint }: Certificate): string {
  return [subject, ...uris, `SHA-256 ${fingerprint}`].join(', ');
}

function signatureFinding(
  message: DecodedMessage,
  key: RsaPublicKey,
  keyName: string,
  trailer: { readonly octets: readonly Uint8Array[]; readonly text: string },
): Finding {
  const subject = subjectOf(message);
  const over = `over the message and ${trailer.text}`;
  return isSignedBy(message, key, trailer.octets)
    ? { subject, result: 'verified', detail: `with ${keyName}, ${over}` }
    : { subject, result: 'failed', detail: `does not hold with ${keyName}, ${over}: something was changed` };
}

/** Whether the certificates prove anything (RFC 6043 4.2.1.3). */
function certificateFinding(message: DecodedMessage, ders: readonly Uint8Array[], inputs: ProofInputs): Finding {
  const subject = `CERT of ${codePointName('dataType', message.header.dataType)}`;
  const { anchors, now } = inputs;
  if (anchors === undefined) {
    const detail = 'anybody can make such a certificate: it was checked against no trust anchor (--anchors)';
    return notChecked(subject, detail);
  }
  try {
    const owner = validatePath(ders, { anchors, use: 'signature', now });
    return { subject, result: 'verified', detail: `${ownerText(owner)} leads to a trust anchor of --anchors` };
  } catch (error) {
    assertProtocolError(error);
    return { subject, result: 'failed', detail: `proves nothing with --anchors: ${error.message}` };
  }
}

/** RFC 6043 5.4: a KMS that shares no key with the sender signs. Its certificate is not in the Error. */
function proveError(message: DecodedMessage, { kmsKey }: ProofInputs): Finding {
  if (kmsKey === undefined) {
    return notChecked(subjectOf(message), 'needs the key of the KMS (--kms-key); its certificate is not in an Error');
  }
  return signatureFinding(message, kmsKey.publicKey, '--kms-key', { octets: [], text: 'nothing else' });
}
