import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { fromAscii, fromBase64, toBase64, utf8 } from '../base/bytes.ts';
import type { KeyManagement, KmsAddress, KmsExchange, KmsReply } from '../engine/ports.ts';
import { profile } from '../protocol/profile.ts';
import { explainHttpsFailure, httpsUrl, readBoundedBody, serverTlsOptions } from './https-client.ts';

export interface HttpsKeyManagementOptions {
  /** For a whole exchange, from the first octet to the last. */
  readonly timeoutMilliseconds?: number;
}

const rawMikeyVersion = 1;

/** Speaks to a KMS over HTTPS (profile 6.1). The server's certificate must prove its name; redirects are not followed. */
export function createHttpsKeyManagement({
  timeoutMilliseconds = profile.kms.timeoutMilliseconds,
}: HttpsKeyManagementOptions = {}): KeyManagement {
  return { exchange: (kind, kms, message) => exchange(kind, kms, message, timeoutMilliseconds) };
}

async function exchange(kind: KmsExchange, kms: KmsAddress, message: Uint8Array, timeout: number): Promise<KmsReply> {
  const url = exchangeUrl(kind, kms);
  const body = kms.bodyEncoding === 'base64' ? utf8(toBase64(message)) : message;
  const signal = AbortSignal.timeout(timeout);
  try {
    const response = await post(url, kms, body, signal);
    const status = response.statusCode ?? 0;
    const answer = decodeAnswer(response, await readBoundedBody(response, profile.kms.maxBodyOctets, 'kms.body'));
    const retryAfterSeconds = readRetryAfter(response.headers['retry-after'], Date.now());
    return { status, message: answer, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  } catch (error) {
    throw explainHttpsFailure(error, signal.aborted, 'kms');
  }
}

function exchangeUrl(kind: KmsExchange, kms: KmsAddress): URL {
  const base = httpsUrl(kms, 'kms.url');
  base.pathname = `${base.pathname.replace(/\/$/, '')}${profile.kms.path}`;
  base.search = new URLSearchParams({ requesttype: kind }).toString();
  return base;
}

function post(url: URL, kms: KmsAddress, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, {
      method: 'POST',
      // A kept connection may be closed by the server just as it is used again, and a question is never sent twice.
      agent: false,
      signal,
      ...serverTlsOptions(url, kms),
      headers: {
        'Content-Type': profile.kms.contentType,
        Accept: profile.kms.contentType,
        'Cache-Control': 'no-store',
        'Content-Length': body.length,
        ...(kms.userAgent === undefined ? {} : { 'User-Agent': kms.userAgent }),
      },
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

/** An answer that carries something else than MIKEY, an error page for example, carries no message. */
function decodeAnswer({ headers }: IncomingMessage, body: Uint8Array): Uint8Array | undefined {
  const mediaType = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType !== profile.kms.contentType || body.length === 0) return undefined;
  return body[0] === rawMikeyVersion ? body : fromBase64(fromAscii(body, 'kms.body'), 'kms.body');
}

/** RFC 9110 10.2.3: seconds, or a date. Undefined for anything else. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  // Every form of HTTP-date begins with the name of a day.
  const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}
