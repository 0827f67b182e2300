/** What went wrong, from the receiver's point of view; decides who has to change something. */
export type ProtocolErrorKind =
  | 'malformed' // the bytes break the format's grammar or its limits
  | 'unsupported' // well formed, but uses what we do not implement
  | 'peer-misbehaved' // well formed, but breaks the protocol or fails authentication
  | 'peer-incompatible' // both sides are right, but share no common way
  | 'policy-denied' // possible, but our policy forbids it
  | 'expired' // valid once, not now
  | 'local'; // our own caller asked for something impossible

/** The answers a peer should get, one per protocol that may carry the failing bytes. */
export interface ProtocolErrorHint {
  /** SIP response code, 400 to 699. */
  readonly sip?: number;
  /** MSRP response code, 400 to 599. */
  readonly msrp?: number;
  /** MIKEY error number, RFC 3830 6.12 and RFC 6043 6.9. */
  readonly mikey?: number;
}

export interface ProtocolErrorDetail {
  /** Format and field, for example `msrp.byteRange` or `mikey.TICKET.policy`. */
  readonly field: string;
  /** Octet offset in the input that was given to the parser. */
  readonly offset?: number;
  /** What a right input would have had here; never a secret. */
  readonly expected?: string;
  readonly hint?: ProtocolErrorHint;
  readonly cause?: unknown;
}

/**
 * A failure caused by bytes or behaviour of a peer (or, for `local`, by a wrong call).
 * The message is safe to log and to show: it names field, offset and expectation, never contents.
 */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError';
  readonly kind: ProtocolErrorKind;
  readonly field: string;
  readonly offset: number | undefined;
  readonly expected: string | undefined;
  readonly hint: ProtocolErrorHint;

  constructor(kind: ProtocolErrorKind, problem: string, detail: ProtocolErrorDetail) {
    const at = detail.offset === undefined ? '' : ` at offset ${detail.offset}`;
    const expected = detail.expected === undefined ? '' : `; expected ${detail.expected}`;
    super(
      `${detail.field}${at}: ${problem}${expected}`,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    );
    this.kind = kind;
    this.field = detail.field;
    this.offset = detail.offset;
    this.expected = detail.expected;
    this.hint = detail.hint ?? {};
  }
}

/**
 * For the `catch` around what a peer's octets may fail: whatever is no ProtocolError is a mistake of ours, which must not look like
 * the peer's, and goes on.
 */
export function assertProtocolError(error: unknown): asserts error is ProtocolError {
  if (!(error instanceof ProtocolError)) throw error;
}

/** The text of anything that was thrown, fit for a log line. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
