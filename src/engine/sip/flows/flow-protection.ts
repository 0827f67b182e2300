import { SipHeaders } from '../../../protocol/sip/message.ts';
import type { FlowFacts, SipReply } from '../types.ts';

/** Whether a message that was meant for `before` may leave over `other` without being weaker protected than was told. */
export function isAtLeastAsProtected(other: FlowFacts | undefined, before: FlowFacts | undefined): boolean {
  if (other === undefined) return false;
  if (before?.tls === undefined) return true;
  const isAgreed = (flow: FlowFacts): boolean => flow.securityAgreement?.tls === true;
  return other.tls !== undefined && (isAgreed(other) || !isAgreed(before));
}

/** The reply to a message that no flow protects as it was promised. */
export function weakerFlow(): SipReply {
  const [headers, body] = [new SipHeaders(), new Uint8Array()];
  return { status: 503, reason: 'Flow Changed', headers, body, local: 'connection-lost', unsent: true };
}
