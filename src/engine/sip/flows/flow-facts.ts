import type { SipConnection } from '../../ports.ts';
import type { FlowFacts, SecurityAgreement } from '../types.ts';

/** @param agreement of the registration over it. */
export function flowFacts(
  { protocol, tls, localAddress }: SipConnection,
  agreement: SecurityAgreement | undefined,
): FlowFacts {
  // What a server says of itself counts when an authority proves who it is; a remembered certificate proves nothing of that.
  const isProven = tls?.serverProof === 'authority';
  return {
    protocol,
    localAddress,
    ...(tls === undefined ? {} : { tls }),
    ...(agreement === undefined || !isProven ? {} : { securityAgreement: agreement }),
  };
}
