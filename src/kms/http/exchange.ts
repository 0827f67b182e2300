import { fromAscii, fromBase64, toBase64, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { LogFields } from '../../base/log.ts';
import type { KmsOutcome, Later } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsRequestKind, KmsService } from '../kms-service.ts';

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
  readonly contentType: string | undefined;
}

const empty = new Uint8Array();
const rawMikeyVersion = 1;

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
export function routeQuestion(question: HttpQuestion): KmsRequestKind | HttpAnswer {
  const base = 'https://kms.invalid';
  if (!URL.canParse(question.target, base)) return plainAnswer(400, 'unreadable target');
  const { pathname, searchParams } = new URL(question.target, base);
  if (pathname !== profile.kms.path) return plainAnswer(404, 'unknown path');
  if (question.method !== 'POST') return plainAnswer(405, 'wrong method', { Allow: 'POST' });
  const mediaType = question.contentType?.split(';')[0]?.trim().toLowerCase();
  if (mediaType !== profile.kms.contentType) return plainAnswer(415, 'wrong content type');
  const request = searchParams.get('requesttype');
  return request === 'ticketrequest' || request === 'ticketresolve' ? request : plainAnswer(400, 'unknown requesttype');
}

/** Profile 6.1: base64 or the octets themselves; a MIKEY message begins with its version, which base64 never does. */
function decodeBody(body: Uint8Array): { readonly message: Uint8Array; readonly isBase64: boolean } {
  if (body[0] === rawMikeyVersion) return { message: body, isBase64: false };
  return { message: fromBase64(fromAscii(body, 'kms.body'), 'kms.body'), isBase64: true };
}

/** Changes a MIKEY answer just before it is sent. */
export type AnswerTransform = (answer: Uint8Array, question: Uint8Array) => Later<Uint8Array>;

/** Runs one exchange and puts its outcome in HTTP terms (profile 6.2). The answer comes in the encoding of the question. */
export async function answerQuestion(
  service: KmsService,
  request: KmsRequestKind,
  body: Uint8Array,
  address: string,
  transform: AnswerTransform = (answer) => answer,
): Promise<HttpAnswer> {
  let decoded;
  try {
    decoded = decodeBody(body);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return plainAnswer(400, error.message);
  }
  const outcome = await service.handle(request, decoded.message, { address });
  const message = 'message' in outcome ? outcome.message : undefined;
  const sent = message === undefined ? undefined : await transform(message, decoded.message);
  const { status, headers } = statusOf(outcome, service.identity.replace(/^sips?:/i, ''));
  return {
    status,
    headers: sent === undefined ? headers : { ...headers, 'Content-Type': profile.kms.contentType },
    body: sent === undefined ? empty : decoded.isBase64 ? utf8(toBase64(sent)) : sent,
    log: { request, ...logOf(outcome, status) },
  };
}

function statusOf(
  { outcome }: KmsOutcome,
  realm: string,
): { readonly status: number; readonly headers: Readonly<Record<string, string>> } {
  switch (outcome) {
    case 'answered':
    case 'refused':
      return { status: 200, headers: {} };
    case 'not-authenticated':
      return { status: 401, headers: { 'WWW-Authenticate': `Digest realm="3GPP-bootstrapping@${realm}"` } };
    case 'forbidden':
      return { status: 403, headers: {} };
    case 'malformed':
      return { status: 400, headers: {} };
    case 'overloaded':
      return { status: 503, headers: { 'Retry-After': '60' } };
  }
}

function logOf(outcome: KmsOutcome, status: number): LogFields {
  const subscriber = 'subscriber' in outcome ? { subscriber: outcome.subscriber } : {};
  const reason = 'error' in outcome ? { reason: outcome.error.message } : {};
  return { status, outcome: outcome.outcome, ...subscriber, ...reason };
}
