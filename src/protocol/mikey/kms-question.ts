import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { dataType, idRole, mikeyError, randRole } from './code-points.ts';
import type { MikeyIdentity } from './identity.ts';
import { findCertifiedSender, openSenderEnvelope, type OpenedEnvelope } from './kms-public-key.ts';
import type { KmsMachineOptions, KmsPublicKey, KmsUser } from './kms-types.ts';
import type { DecodedMessage } from './message.ts';
import { identityInRole, requiredRand } from './payload-access.ts';
import { messageKeys, suiteOfPrf, verifyMessage, type ProtectionKeys, type SuiteParameters } from './protection.ts';

/** A question whose sender is proven. */
export interface Question {
  readonly message: DecodedMessage;
  readonly suite: SuiteParameters;
  readonly rand: Uint8Array;
  readonly subscriber: KmsUser;
  /** The identity that the sender speaks under. */
  readonly asker: MikeyIdentity;
  /** Pre-shared or envelope key. */
  readonly secret: OpenedEnvelope['secret'];
  readonly errorProof: OpenedEnvelope['errorProof'];
}

/** A question before its sender is proven. */
interface Claim extends Pick<Question, 'message' | 'suite' | 'rand'> {
  readonly claimed: MikeyIdentity | undefined;
  readonly kms: MikeyIdentity;
  /** The keys that protect the question. */
  readonly keysFrom: (secret: SecretBytes) => ProtectionKeys;
}

/** Which of the two exchanges a question begins. */
export interface ExchangeKind {
  readonly pskType: number;
  readonly pkType: number;
  readonly askerRole: number;
  readonly randRole: number;
}

export const requestExchange: ExchangeKind = {
  pskType: dataType.requestInitPsk,
  pkType: dataType.requestInitPk,
  askerRole: idRole.initiator,
  randRole: randRole.initiator,
};
export const resolveExchange: ExchangeKind = {
  pskType: dataType.resolveInitPsk,
  pkType: dataType.resolveInitPk,
  askerRole: idRole.responder,
  randRole: randRole.responder,
};

/** Proves the senders of questions, by a key that they share with the KMS or by a certificate. */
export class QuestionAuthentication {
  readonly #options: Pick<KmsMachineOptions, 'identity' | 'directory' | 'publicKey'>;
  /** Stands in for the key of somebody unknown, so that the answer takes as long as to a wrong key. */
  readonly #nobodysKey: SecretBytes;

  constructor(options: Pick<KmsMachineOptions, 'identity' | 'directory' | 'publicKey' | 'random'>) {
    this.#options = options;
    this.#nobodysKey = new SecretBytes(options.random.bytes(32));
  }

  /** Proves who asks before anything else is looked at, so that an unproven message changes and learns nothing. @throws ProtocolError */
  prove(
    message: DecodedMessage,
    kind: ExchangeKind,
    now: number,
    provenPeers: readonly string[] | undefined,
  ): Promise<Question> {
    const { header, payloads } = message;
    const { publicKey } = this.#options;
    const isPublicKey = publicKey !== undefined && header.dataType === kind.pkType;
    if (header.dataType !== kind.pskType && !isPublicKey) {
      throw new ProtocolError('unsupported', `data type ${header.dataType}`, {
        field: 'mikey.HDR.dataType',
        expected: publicKey === undefined ? `${kind.pskType}` : `${kind.pskType} or ${kind.pkType}`,
        hint: { mikey: mikeyError.invalidDataType },
      });
    }
    const suite = suiteOfPrf(header.prf, 'mikey.HDR.prf');
    const rand = requiredRand(payloads, kind.randRole);
    const claimed = identityInRole(payloads, kind.askerRole);
    const kms = identityInRole(payloads, idRole.kms) ?? this.#options.identity;
    const rands = kind.randRole === randRole.initiator ? { initiator: rand } : { responder: rand };
    const keysFrom = (secret: SecretBytes): ProtectionKeys =>
      messageKeys(suite, secret, header.csbId, 'initial', rands);
    const claim = { message, suite, rand, claimed, kms, keysFrom };
    return isPublicKey
      ? this.#authenticateCertified(claim, publicKey, now, provenPeers)
      : this.#authenticateSharedKey(claim, provenPeers);
  }

  async #authenticateSharedKey(
    { claimed, kms, keysFrom, ...claim }: Claim,
    provenPeers: readonly string[] | undefined,
  ): Promise<Question> {
    const pskId = identityInRole(claim.message.payloads, idRole.psk);
    const found = await this.#options.directory.findSubscriber(pskId, claimed);
    const psk = found?.psk ?? this.#nobodysKey;
    const asker = claimed ?? found?.identity ?? kms;
    const errorProof = keysFrom(psk);
    verifyMessage(claim.message, errorProof, [asker.data, kms.data]);
    if (found === undefined || !isProvenBy(found, provenPeers)) throw unauthenticated();
    return { ...claim, subscriber: found, asker, secret: () => found.psk, errorProof };
  }

  async #authenticateCertified(
    { claimed, kms, keysFrom, ...claim }: Claim,
    publicKey: KmsPublicKey,
    now: number,
    provenPeers: readonly string[] | undefined,
  ): Promise<Question> {
    // Reading [A34]: a signature alone does not tell whose it is.
    if (claimed === undefined) {
      throw new ProtocolError('malformed', 'no IDRi or IDRr', {
        field: 'mikey.IDR',
        hint: { mikey: mikeyError.invalidIdentity },
      });
    }
    const { directory } = this.#options;
    const found = await findCertifiedSender(claim.message, claimed, kms, { ...publicKey, directory, now });
    if (found === undefined || !isProvenBy(found, provenPeers)) throw unauthenticated();
    const envelope = openSenderEnvelope(claim.message.payloads, publicKey, claim.suite, keysFrom);
    return { ...claim, subscriber: found, asker: claimed, ...envelope };
  }
}

/** On a connection between KMSs only the key of a KMS that its certificate proves counts, on any other only users' keys. */
function isProvenBy({ peer }: KmsUser, provenPeers: readonly string[] | undefined): boolean {
  return provenPeers === undefined ? peer === undefined : peer !== undefined && provenPeers.includes(peer);
}

/** The one answer to everybody unproven. */
export function unauthenticated(): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'authentication failed', {
    field: 'mikey.V',
    hint: { mikey: mikeyError.authenticationFailure },
  });
}
