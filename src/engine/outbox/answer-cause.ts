import type { SipReply } from '../sip/index.ts';

/** Why something of ours was not taken: the answer itself, for whoever decides whether it is tried again. */
export class AnswerCause extends Error {
  override readonly name = 'AnswerCause';
  readonly status: number;
  /** No server said this: nobody answered, or the connection ended first. */
  readonly isLocal: boolean;
  /** No octet of it left: whatever else is not known, it cannot have arrived. */
  readonly isUnsent: boolean;
  /** How long we are asked to wait (RFC 3261 20.33), where we are. */
  readonly retryAfterSeconds: number | undefined;

  constructor({
    status,
    reason,
    local,
    unsent,
    headers,
  }: Pick<SipReply, 'status' | 'reason' | 'local'> & Partial<SipReply>) {
    super(`${status} ${reason}`);
    this.status = status;
    this.isLocal = local !== undefined;
    this.isUnsent = unsent === true;
    this.retryAfterSeconds = retryAfter(headers?.get('Retry-After'));
  }
}

/** RFC 3261 20.33: seconds, then perhaps a comment and parameters. */
function retryAfter(value: string | undefined): number | undefined {
  const [, seconds] = /^\s*(\d{1,9})\s*(?:[(;]|$)/.exec(value ?? '') ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}
