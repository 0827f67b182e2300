import type { FlowFacts } from '../types.ts';

/** Whether a message that was meant for `before` may leave over `other` without being weaker protected than was told. */
export function isAtLeastAsProtected(other: FlowFacts | undefined, before: FlowFacts | undefined): boolean {
  if (other === undefined) return false;
  if (before?.tls === undefined) return true;
  const isAgreed = (flow: FlowFacts): boolean => flow.securityAgreement?.tls === true;
  return other.tls !== undefined && (isAgreed(other) || !isAgreed(before));
}
