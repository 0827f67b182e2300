import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { fromAscii, fromBase64, toBase64, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { KeyManagement, KmsAddress, KmsExchange, KmsReply } from '../engine/ports.ts';
import { profile } from '../protocol/profile.ts';
import { explainHttpsFailure, httpsUrl, readBoundedBody, serverTlsOptions } from './https-client.ts';

export interface HttpsKeyManagementOptions {
  /** For a whole exchange, from the first octet to the last. */
  readonly timeoutMilliseconds?: number;
}

const rawMikeyVersion = 1;
/** Before a server with the usual five seconds closes a connection that nobody uses. */
const keptMilliseconds = 4_000;
/** As many as the accounts of a device use at a time: what is not kept costs a handshake more than its question. */
const keptConnections = 32;

/**
 * Speaks to a KMS over HTTPS (profile 6.1). The server's certificate must prove its name; redirects are not followed. Connections are
 * kept for the next question. When the server closes one just as it is used again, the exchange fails in `kms.keptConnection`: it is not
 * known whether the question arrived, and the same one must not be sent twice.
 */
export function createHttpsKeyManagement({
  timeoutMilliseconds = profile.kms.timeoutMilliseconds,
}: HttpsKeyManagementOptions = {}): KeyManagement {
  let agent = keepingAgent();
  return {
    exchange: async (kind, kms, message) => {
      try {
        return await exchange(agent, kind, kms, message, timeoutMilliseconds);
      } catch (error) {
        // The other kept connections are as old.
        if (error instanceof ProtocolError && error.field === 'kms.keptConnection') agent = keepingAgent();
        throw error;
      }
    },
  };
}

/** It shares connections only between questions to the same server under the same trust. */
function keepingAgent(): Agent {
  return new Agent({ keepAlive: true, maxFreeSockets: keptConnections, timeout: keptMilliseconds });
}

async function exchange(
  agent: Agent,
  kind: KmsExchange,
  kms: KmsAddress,
  message: Uint8Array,
  timeout: number,
): Promise<KmsReply> {
  const url = exchangeUrl(kind, kms);
  const body = kms.bodyEncoding === 'base64' ? utf8(toBase64(message)) : message;
  const signal = AbortSignal.timeout(timeout);
  try {
    const response = await post(agent, url, kms, body, signal);
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

function post(
  agent: Agent,
  url: URL,
  kms: KmsAddress,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, {
      method: 'POST',
      agent,
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
    request.on('error', (error: Error & { readonly code?: string }) => {
      const isStale = request.reusedSocket && !signal.aborted && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
      reject(isStale ? staleConnection(error) : error);
    });
    request.end(body);
  });
}

function staleConnection(cause: Error): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'the server closed a kept connection', {
    field: 'kms.keptConnection',
    cause,
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
