import type { RefusalCode, RefusalError } from '../refusal.ts';
import { AnswerCause } from './answer-cause.ts';

/**
 * What a failed attempt means for its message.
 * - `next`: `again` when another attempt may go better, `ended` when none will
 * - `waitsFor`: what an attempt is made again for, besides the time: `registration`, `keys`, or the time alone
 * - `mayHaveArrived`: whether the other side may have it all the same, so that another attempt may be a second copy
 */
export interface AnswerMeaning {
  readonly next: 'again' | 'ended';
  readonly waitsFor: 'time' | 'registration' | 'keys';
  readonly mayHaveArrived: boolean;
  /** Not sooner than this from now. */
  readonly notBeforeMilliseconds?: number;
}

/** `lost`: passing, and it may have arrived. */
type Row = 'passing' | 'lost' | 'final';

/** By status of the final answer to MESSAGE or INVITE; others by their class, as RFC 3261 8.1.3.2 says. */
const byStatus: Readonly<Record<number, Row>> = {
  // RFC 3261 21.4.9: "could not produce a response within a suitable amount of time"; it may have gone on all the same.
  408: 'lost',
  // RFC 3261 21.4.18: "currently unavailable (for example, not logged in)".
  480: 'passing',
  // RFC 3261 21.4.24 and 21.6.1: busy now.
  486: 'passing',
  600: 'passing',
  // RFC 3261 21.4.27: another request is in the way.
  491: 'passing',
  // RFC 3329 2.3.1: the agreement has to be made again, which the registration does.
  494: 'passing',
  // RFC 5626 11.1: the flow to the other side failed; there may be another one next time.
  430: 'passing',
  // RFC 3261 21.5.1: "MAY retry the request after several seconds"; a server that fails may have done part of it.
  500: 'lost',
  // RFC 3261 21.5.3.
  502: 'passing',
  // RFC 3261 21.5.4: "temporarily unable to process the request"; forwarded by nobody.
  503: 'passing',
  // RFC 3261 21.5.5: a server behind it did not answer in time.
  504: 'lost',
  // RFC 3261 21.5.6, 21.5.2, 21.5.7: neither version, method nor size gets better by waiting.
  505: 'final',
  501: 'final',
  513: 'final',
  // RFC 3312 8: not met now, and we ask for none.
  580: 'final',
};

/** By reason where there was no answer of a server. */
const byCode: Readonly<Record<RefusalCode, Row | 'registration' | 'keys'>> = {
  'not-registered': 'registration',
  // The network may agree on protection at its next registration: the flow that is required is waited for.
  'policy-not-met': 'registration',
  'no-network-indication': 'registration',
  'kms-unreachable': 'keys',
  timeout: 'passing',
  'connection-lost': 'passing',
  'peer-unreachable': 'passing',
  'relay-unreachable': 'passing',
  // It must be durable that it leaves before it does.
  'storage-failed': 'passing',
  // A question to the user, who may agree.
  'consent-required': 'final',
  'no-kms': 'final',
  'kms-refused': 'final',
  'kms-answer-invalid': 'final',
  'bootstrapping-refused': 'final',
  'network-not-proven': 'final',
  'ticket-invalid': 'final',
  // Somebody may be in between: that is told at once, not tried again unseen.
  'fingerprint-mismatch': 'final',
  'tls-failed': 'final',
  'peer-refused': 'final',
  'peer-incompatible': 'final',
  'too-large': 'final',
  replayed: 'final',
  'decryption-failed': 'final',
  'psk-tls-unavailable': 'final',
  'relay-refused': 'final',
  'invalid-address': 'final',
};

/** No answer keeps a message for longer without another attempt. */
export const longestRetryAfterSeconds = 24 * 3600;

export function meaningOf(problem: RefusalError): AnswerMeaning {
  const { cause } = problem;
  const mayHaveArrived = problem.meaning === 'uncertain';
  // Words about keys and consent say more than the answer that led to them.
  if (!(cause instanceof AnswerCause) || problem.code === 'consent-required') {
    const row = byCode[problem.code];
    if (row === 'registration' || row === 'keys') return { next: 'again', waitsFor: row, mayHaveArrived };
    return { next: row === 'final' ? 'ended' : 'again', waitsFor: 'time', mayHaveArrived };
  }
  const row = rowOf(cause);
  const seconds = cause.retryAfterSeconds;
  return {
    next: row === 'final' ? 'ended' : 'again',
    waitsFor: 'time',
    mayHaveArrived: row === 'lost',
    ...(seconds === undefined ? {} : { notBeforeMilliseconds: Math.min(seconds, longestRetryAfterSeconds) * 1000 }),
  };
}

function rowOf({ status, isLocal, isUnsent }: AnswerCause): Row {
  if (!isUnsent) return isLocal ? 'lost' : statusRow(status);
  const row = statusRow(status);
  return row === 'lost' ? 'passing' : row;
}

function statusRow(status: number): Row {
  const known = byStatus[status];
  if (known !== undefined) return known;
  return status >= 500 && status < 600 ? 'lost' : 'final';
}
