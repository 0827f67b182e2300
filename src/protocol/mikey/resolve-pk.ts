import type { CheckedTransfer } from './checked-transfer.ts';
import { dataType, idRole, randRole } from './code-points.ts';
import { identityPayload } from './payload-access.ts';
import type { Payload } from './payloads.ts';
import { suites } from './protection.ts';
import {
  certificatePayloads,
  preparePublicKeyParts,
  signQuestion,
  type PublicKeyParts,
} from './public-key-question.ts';
import type { ResolveInit } from './resolve-messages.ts';
import { ticketResolve } from './resolve.ts';
import type { PublicKeyCredential, ResolvePkOptions, TicketResolve } from './types.ts';

/** The payloads of a RESOLVE_INIT_PK (RFC 6043 4.2.3.3), up to CHASH. */
export function resolveInitPkPayloads(init: ResolveInit, certificates: readonly Uint8Array[]): Payload[] {
  return [
    init.timestamp,
    { payload: 'RANDR', role: randRole.responder, value: init.rand },
    // Reading [A34]: the signature does not tell who signs, so IDRr is needed.
    identityPayload(idRole.responder, init.responder),
    ...certificatePayloads(certificates),
    identityPayload(idRole.kms, init.kms),
    init.ticket,
  ];
}

/** RESOLVE_INIT_PK (RFC 6043 4.2.3.3). */
export function sealResolveInitPk(
  init: ResolveInit,
  parts: PublicKeyParts,
  credential: PublicKeyCredential,
): Uint8Array {
  const question = { ...init, type: dataType.resolveInitPk, asker: init.responder };
  return signQuestion(question, resolveInitPkPayloads(init, parts.certificates), parts, credential);
}

/**
 * Asks the KMS to resolve the ticket of a checked TRANSFER_INIT (RFC 6043 4.2.3), the public-key variant.
 * @throws ProtocolError when the certificate of the KMS cannot be used.
 */
export function createTicketResolvePk(
  checked: CheckedTransfer,
  { credential, ...options }: ResolvePkOptions,
): TicketResolve {
  // The suite is that of the exchange with the KMS, as in the PSK variant.
  const parts = preparePublicKeyParts(credential, {
    ...options,
    suite: suites[options.suite ?? checked.policy.suite.name],
  });
  const kmsKey = credential.kmsCertificate.publicKey();
  return ticketResolve(checked, { ...options, psk: parts.key, kmsKey }, (init) =>
    sealResolveInitPk(init, parts, credential),
  );
}
