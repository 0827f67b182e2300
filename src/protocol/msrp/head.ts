import type { ByteRange } from './byte-range.ts';

/** How a message or chunk ended: `$` last chunk, `+` more follow, `#` the sender gave up (RFC 4975 section 7.1). */
export type ContinuationFlag = '$' | '+' | '#';

export type FailureReport = 'yes' | 'no' | 'partial';

/** A Status header field, RFC 4975 section 7.1.2; namespace `000` has the meaning of response codes. */
export interface ReportStatus {
  readonly namespace: string;
  readonly code: number;
  readonly comment?: string;
}

export interface MsrpHeaders {
  /** URIs as written; each is a well-formed MSRP URI. */
  readonly toPath: readonly string[];
  readonly fromPath: readonly string[];
  readonly messageId?: string;
  readonly byteRange?: ByteRange;
  readonly successReport?: 'yes' | 'no';
  readonly failureReport?: FailureReport;
  readonly status?: ReportStatus;
  readonly contentType?: string;
  /** Everything else, in order, names as written. */
  readonly other: readonly MsrpHeader[];
}

export interface MsrpHeader {
  readonly name: string;
  readonly value: string;
}

export interface MsrpRequestHead {
  readonly kind: 'request';
  readonly transactionId: string;
  /** `SEND`, `REPORT`, or another name in capitals. */
  readonly method: string;
  readonly headers: MsrpHeaders;
}

export interface MsrpResponseHead {
  readonly kind: 'response';
  readonly transactionId: string;
  /** Three digits by grammar: 0 to 999. */
  readonly status: number;
  readonly comment?: string | undefined;
  readonly headers: MsrpHeaders;
}

export type MsrpHead = MsrpRequestHead | MsrpResponseHead;
