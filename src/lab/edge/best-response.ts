import type { SipMessage } from '../../protocol/sip/message.ts';

/** The one final response of several branches that goes back to the sender. */
export function bestResponse(finals: readonly SipMessage[]): SipMessage | undefined {
  return finals.toSorted((a, b) => rank(a) - rank(b))[0];
}

/** RFC 3261 16.7 step 6: 6xx wins, then the lowest class; a real answer before a branch that was silent or cancelled. */
function rank(response: SipMessage): number {
  const status = response.status ?? 699;
  if (isSuccess(status)) return 0;
  if (status >= 600) return 1;
  return status + (status === 408 || status === 480 || status === 487 ? 99 : 0);
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
