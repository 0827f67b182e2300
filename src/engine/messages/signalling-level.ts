import type { ProtectionLevel } from '../../base/protection-level.ts';
import { notProtectedBy, type MessageSignallingEvidence } from '../evidence.ts';
import type { FlowFacts } from '../sip/index.ts';

/**
 * What the signalling connection alone gives a MESSAGE (profile 4): `e2ae` on the registered TLS flow with the security
 * agreement done, be it in a WebSocket or not, `unverified` on TLS without it, `none` on all that has no TLS.
 */
export function signallingProtection(
  flow: FlowFacts | undefined,
  verifiedAt: number,
): { readonly level: ProtectionLevel; readonly evidence: MessageSignallingEvidence } {
  if (flow?.tls === undefined) {
    const evidence = {
      kind: 'message-signalling',
      ...(flow === undefined ? {} : { transport: flow.protocol }),
      securityAgreement: [],
      vouchedBy: 'nobody',
      verifiedAt,
      notProtected: notProtectedBy.nothing,
    } as const;
    return { level: 'none', evidence };
  }
  const agreement = flow.securityAgreement;
  const agreed = agreement?.tls === true;
  const evidence: MessageSignallingEvidence = {
    kind: 'message-signalling',
    transport: flow.protocol,
    tls: { version: flow.tls.version, suite: flow.tls.suite },
    securityAgreement: agreed ? agreement.server : [],
    vouchedBy: agreed ? 'network' : 'nobody',
    verifiedAt,
    notProtected: agreed ? notProtectedBy.accessEdge : notProtectedBy.unverifiedEnd,
  };
  return { level: agreed ? 'e2ae' : 'unverified', evidence };
}
