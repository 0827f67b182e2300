import type { ProtectionLevel } from '../../base/protection-level.ts';
import { notProtectedBy, type MessageSignallingEvidence } from '../evidence.ts';
import type { FlowFacts } from '../sip/index.ts';

/**
 * What the signalling connection alone gives a MESSAGE (profile 4): `e2ae` on the registered TLS flow with the security
 * agreement done, `unverified` on TLS without it, `none` on TCP.
 */
export function signallingProtection(
  flow: FlowFacts | undefined,
  verifiedAt: number,
): { readonly level: ProtectionLevel; readonly evidence: MessageSignallingEvidence } {
  if (flow?.protocol !== 'tls' || flow.tls === undefined) {
    const evidence = {
      kind: 'message-signalling',
      transport: 'tcp',
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
    transport: 'tls',
    tls: { version: flow.tls.version, suite: flow.tls.suite },
    securityAgreement: agreed ? agreement.server : [],
    vouchedBy: agreed ? 'network' : 'nobody',
    verifiedAt,
    notProtected: agreed ? notProtectedBy.accessEdge : notProtectedBy.unverifiedEnd,
  };
  return { level: agreed ? 'e2ae' : 'unverified', evidence };
}
