import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { fromAscii, fromBase64, toBase64, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { KeyManagement, KmsAddress, KmsExchange, KmsReply } from '../engine/ports.ts';
import { profile } from '../protocol/profile.ts';

export interface HttpsKeyManagementOptions {
  /** For a whole exchange, from the first octet to the last. */
  readonly timeoutMilliseconds?: number;
}

const rawMikeyVersion = 1;

/** Speaks to a KMS over HTTPS (profile 6.1). The server's certificate must prove the host of the URL; redirects are not followed. */
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
    const message = decodeAnswer(response, await readBody(response));
    const retryAfterSeconds = readRetryAfter(response.headers['retry-after'], Date.now());
    return { status, message, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  } catch (error) {
    throw explain(error, signal.aborted);
  }
}

function exchangeUrl(kind: KmsExchange, { url }: KmsAddress): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base?.protocol !== 'https:') {
    throw new ProtocolError('local', 'not an HTTPS URL', { field: 'kms.url', expected: 'https://host' });
  }
  base.pathname = `${base.pathname.replace(/\/$/, '')}${profile.kms.path}`;
  base.search = new URLSearchParams({ requesttype: kind }).toString();
  return base;
}

function post(url: URL, { trustedCa }: KmsAddress, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, {
      method: 'POST',
      // A kept connection may be closed by the server just as it is used again, and a question is never sent twice.
      agent: false,
      signal,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(trustedCa === undefined ? {} : { ca: trustedCa }),
      headers: {
        'Content-Type': profile.kms.contentType,
        Accept: profile.kms.contentType,
        'Cache-Control': 'no-store',
        'Content-Length': body.length,
      },
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function readBody(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    // Leaving the loop destroys the connection.
    if (length > profile.kms.maxBodyOctets) {
      throw new ProtocolError('peer-misbehaved', 'the answer is too long', {
        field: 'kms.body',
        expected: `at most ${profile.kms.maxBodyOctets} octets`,
      });
    }
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
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

function explain(error: unknown, isLate: boolean): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  if (isLate) return new ProtocolError('peer-misbehaved', 'no answer in time', { field: 'kms.timeout', cause: error });
  // Codes of the operating system and of HTTP say nothing about the certificate; OpenSSL's and X.509's do.
  if (/^(E(?!PROTO)[A-Z]+|HPE_.*|failed)$/.test(code)) {
    return new ProtocolError('peer-misbehaved', `no answer: ${code}`, { field: 'kms.connection', cause: error });
  }
  return new ProtocolError('peer-misbehaved', code, {
    field: 'kms.tls',
    expected: 'a certificate that proves the host of the URL',
    cause: error,
  });
}
