import {
  createTicketRequest,
  createTicketRequestPk,
  type ReceivedTransfer,
  type ResolvePkOptions,
  type TicketRequest,
  type TicketRequestPkOptions,
  type TicketResolve,
} from '../../protocol/mikey/index.ts';
import type { KmsKey } from './kms-credential-types.ts';

/** REQUEST_INIT_PSK or, with a certificate, REQUEST_INIT_PK. */
export function requestTicket(key: KmsKey, options: Omit<TicketRequestPkOptions, 'credential'>): TicketRequest {
  return 'certificate' in key
    ? createTicketRequestPk({ ...options, credential: key.certificate })
    : createTicketRequest({ ...options, psk: key.psk, pskId: key.pskId });
}

/** RESOLVE_INIT_PSK or, with a certificate, RESOLVE_INIT_PK. */
export function resolveTicket(
  key: KmsKey,
  received: ReceivedTransfer,
  options: Omit<ResolvePkOptions, 'credential'>,
): TicketResolve {
  return 'certificate' in key
    ? received.createResolvePk({ ...options, credential: key.certificate })
    : received.createResolve({ ...options, psk: key.psk, pskId: key.pskId });
}
