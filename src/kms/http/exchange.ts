import { toBase64, utf8 } from '../../base/bytes.ts';
import type { LogFields } from '../../base/log.ts';
import type { KmsOutcome } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsRequestKind } from '../kms-service.ts';

/** One HTTP answer, whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly log: LogFields;
}

export interface HttpQuestion {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Media type without parameters, lower case. */
  readonly mediaType: string | undefined;
}

const empty = new Uint8Array();

export const plainAnswer = (
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer => ({
  status,
  headers,
  body: empty,
  log: { status, reason },
});

/** Finds out by the head alone what is asked, or answers with what is wrong (profile 6.2). */
export function routeQuestion({ method, target, mediaType }: HttpQuestion): KmsRequestKind | HttpAnswer {
  const base = 'https://kms.invalid';
  if (!URL.canParse(target, base)) return plainAnswer(400, 'unreadable target');
  const { pathname, searchParams } = new URL(target, base);
  if (pathname !== profile.kms.path) return plainAnswer(404, 'unknown path');
  if (method !== 'POST') return plainAnswer(405, 'wrong method', { Allow: 'POST' });
  if (mediaType !== profile.kms.contentType) return plainAnswer(415, 'wrong content type');
  const request = searchParams.get('requesttype');
  return request === 'ticketrequest' || request === 'ticketresolve' ? request : plainAnswer(400, 'unknown requesttype');
}

/** An outcome in HTTP terms (profile 6.2). The answer comes in the encoding of the question. */
export function httpAnswerOf(
  request: KmsRequestKind,
  outcome: KmsOutcome,
  message: Uint8Array | undefined,
  isBase64: boolean,
  realm: string,
): HttpAnswer {
  const { status, headers } = statusOf(outcome, realm);
  return {
    status,
    headers: message === undefined ? headers : { ...headers, 'Content-Type': profile.kms.contentType },
    body: message === undefined ? empty : isBase64 ? utf8(toBase64(message)) : message,
    log: { request, ...logOf(outcome, status) },
  };
}

const retryAfter = (seconds: number): Readonly<Record<string, string>> => ({ 'Retry-After': String(seconds) });
/** For what ends by itself when its memory runs out. */
const overloadSeconds = 60;
/** A peer that answered wrongly has to be repaired by somebody. */
const failedIssuerSeconds = 60;

function statusOf(
  outcome: KmsOutcome,
  realm: string,
): { readonly status: number; readonly headers: Readonly<Record<string, string>> } {
  switch (outcome.outcome) {
    case 'answered':
    case 'refused':
      return { status: 200, headers: {} };
    case 'not-authenticated':
      return { status: 401, headers: { 'WWW-Authenticate': `Digest realm="3GPP-bootstrapping@${realm}"` } };
    case 'forbidden':
      return { status: 403, headers: {} };
    case 'malformed':
      return { status: 400, headers: {} };
    case 'limited':
      return { status: 429, headers: retryAfter(outcome.retryAfterSeconds) };
    case 'issuer-away':
      return { status: 503, headers: retryAfter(outcome.retryAfterSeconds) };
    case 'issuer-failed':
      return { status: 502, headers: retryAfter(failedIssuerSeconds) };
    case 'overloaded':
      return { status: 503, headers: retryAfter(overloadSeconds) };
  }
}

function logOf(outcome: KmsOutcome, status: number): LogFields {
  const subscriber = 'subscriber' in outcome ? { subscriber: outcome.subscriber } : {};
  const reason = 'error' in outcome ? { reason: outcome.error.message } : {};
  return { status, outcome: outcome.outcome, ...subscriber, ...reason };
}
