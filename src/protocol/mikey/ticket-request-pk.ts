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
import { ticketRequest, type RequestInit } from './ticket-request.ts';
import type { PublicKeyCredential, TicketRequest, TicketRequestPkOptions } from './types.ts';

/** The payloads of a REQUEST_INIT_PK (RFC 6043 4.2.1.3), up to CHASH. */
export function requestInitPkPayloads(request: RequestInit, certificates: readonly Uint8Array[]): Payload[] {
  return [
    request.timestamp,
    { payload: 'RANDR', role: randRole.initiator, value: request.rand },
    // Reading [A34]: the signature does not tell who signs, so IDRi is needed.
    identityPayload(idRole.initiator, request.initiator),
    ...certificatePayloads(certificates),
    identityPayload(idRole.kms, request.kms),
    { payload: 'TP', policy: request.policy },
  ];
}

/** REQUEST_INIT_PK (RFC 6043 4.2.1.3). */
export function sealRequestInitPk(
  request: RequestInit,
  parts: PublicKeyParts,
  credential: PublicKeyCredential,
): Uint8Array {
  const question = { ...request, type: dataType.requestInitPk, asker: request.initiator };
  return signQuestion(question, requestInitPkPayloads(request, parts.certificates), parts, credential);
}

/**
 * Asks a KMS for a ticket (RFC 6043 4.2.1), the public-key variant: the answer is protected with the envelope key.
 * @throws ProtocolError when the certificate of the KMS cannot be used.
 */
export function createTicketRequestPk({ credential, ...options }: TicketRequestPkOptions): TicketRequest {
  const parts = preparePublicKeyParts(credential, { ...options, suite: suites[options.suite] });
  const kmsKey = credential.kmsCertificate.publicKey();
  return ticketRequest({ ...options, psk: parts.key, kmsKey }, (request) =>
    sealRequestInitPk(request, parts, credential),
  );
}
