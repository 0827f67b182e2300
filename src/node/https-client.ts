import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ProtocolError } from '../base/errors.ts';
import { trustSystemAuthorities } from './system-authorities.ts';

/** A server to be reached over HTTPS. */
export interface HttpsServer {
  /** Base URL, https only. */
  readonly url: string;
  /** The name that the certificate must prove when it is not the host of the URL. */
  readonly serverName?: string;
  /** PEM certificates trusted instead of the system's. */
  readonly trustedCa?: string;
}

/** @throws ProtocolError `local` unless it is an HTTPS URL. @param field of the error, for example `kms.url` */
export function httpsUrl({ url }: HttpsServer, field: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base?.protocol !== 'https:') {
    throw new ProtocolError('local', 'not an HTTPS URL', { field, expected: 'https://host' });
  }
  return base;
}

/** TLS options that make the server prove its name; an address is proven by the certificate's addresses. */
export function serverTlsOptions({ hostname }: URL, { serverName, trustedCa }: HttpsServer) {
  if (trustedCa === undefined) trustSystemAuthorities();
  const host = hostname.replace(/^\[|\]$/g, '');
  const name = serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: true,
    ...(name === undefined ? {} : { servername: name }),
    ...(trustedCa === undefined ? {} : { ca: trustedCa }),
  };
}

/** The whole body. @throws ProtocolError `peer-misbehaved` in `field` when it is longer than `maxOctets` */
export async function readBoundedBody(
  response: IncomingMessage,
  maxOctets: number,
  field: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    // Leaving the loop destroys the connection.
    if (length > maxOctets) {
      throw new ProtocolError('peer-misbehaved', 'the answer is too long', {
        field,
        expected: `at most ${maxOctets} octets`,
      });
    }
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

/** Why there is no answer, as an error in `<peer>.timeout`, `<peer>.connection` or `<peer>.tls`. */
export function explainHttpsFailure(error: unknown, isLate: boolean, peer: string): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  if (isLate) {
    return new ProtocolError('peer-misbehaved', 'no answer in time', { field: `${peer}.timeout`, cause: error });
  }
  // Codes of the operating system and of HTTP say nothing about the certificate; OpenSSL's and X.509's do.
  if (/^(E(?!PROTO)[A-Z]+|HPE_.*|failed)$/.test(code)) {
    return new ProtocolError('peer-misbehaved', `no answer: ${code}`, { field: `${peer}.connection`, cause: error });
  }
  return new ProtocolError('peer-misbehaved', code, {
    field: `${peer}.tls`,
    expected: 'a certificate that proves the name of the server',
    cause: error,
  });
}
