import { ProtocolError } from '../../base/errors.ts';
import { parseNameAddress, splitHeaderList } from '../../protocol/sip/headers.ts';
import type { SipHeaders } from '../../protocol/sip/message.ts';
import type { RegistrationFailureCode, RegistrationState, SipReply } from './types.ts';

/** What a 200 to REGISTER grants. */
export interface Granted {
  /** Seconds. */
  readonly expires: number;
  readonly associatedIdentities: readonly string[];
  /** Service-Route (RFC 3608) as Route values, in order. */
  readonly serviceRoute: readonly string[];
}

const longestExpires = 2 ** 31;

/**
 * Looks for our binding among the Contact headers (RFC 3261 clause 10.3 step 8) by its user part, which is random.
 * @returns undefined when the registrar does not hold it.
 */
export function readGranted(headers: SipHeaders, contactUser: string): Granted | undefined {
  const expires = readExpires(headers, contactUser);
  if (expires === undefined || expires === 0) return undefined;
  return {
    expires,
    associatedIdentities: listOf(headers, 'P-Associated-URI').flatMap(uriOf),
    serviceRoute: listOf(headers, 'Service-Route').filter((route) => uriOf(route).length > 0),
  };
}

/** The failed state that an answer other than 2xx means. */
export function explainFailure(reply: SipReply, willRetry: boolean): RegistrationState {
  const { status, reason, headers, local } = reply;
  const warning = headers.getAll('Warning').join('; ');
  const said = `${status} ${reason}${warning === '' ? '' : ` (${warning})`}`;
  const failed = (code: RegistrationFailureCode, explanation: string): RegistrationState => ({
    state: 'failed',
    code,
    ...(local === undefined ? { status } : {}),
    explanation,
    willRetry,
  });
  if (local === 'timeout') return failed('timeout', 'The server did not answer the registration.');
  if (local === 'connection-lost') return failed('connection-lost', 'The connection to the server broke.');
  switch (status) {
    case 401:
    case 407:
      return failed('authentication-failed', `The server did not take the credentials: ${said}.`);
    case 494:
      return failed('security-agreement-failed', `The server does not take the security agreement: ${said}.`);
    case 421:
      if (headers.getAll('Require').flatMap(splitHeaderList).includes('sec-agree')) {
        const explanation = `The server wants a security agreement, which this account makes over TLS only: ${said}.`;
        return failed('security-agreement-failed', explanation);
      }
      return failed('extension-required', `Server and client have no common extensions: ${said}.`);
    case 420:
      return failed('extension-required', `Server and client have no common extensions: ${said}.`);
    case 408:
    case 504:
      return failed('timeout', `The network did not answer the registration: ${said}.`);
    default:
      if (status >= 500 && status < 600) return failed('server-error', `The server cannot register now: ${said}.`);
      return failed('refused', `The server refused the registration: ${said}.`);
  }
}

/** Another attempt may have another result without anybody changing anything. */
export function isPassing(reply: SipReply): boolean {
  return reply.local !== undefined || reply.status === 408 || (reply.status >= 500 && reply.status < 600);
}

/** Milliseconds of a Retry-After header, at most ten minutes. */
export function readRetryAfter(headers: SipHeaders): number | undefined {
  const [, seconds] = /^\s*(\d{1,6})/.exec(headers.get('Retry-After') ?? '') ?? [];
  return seconds === undefined ? undefined : Math.min(Number(seconds), 600) * 1000;
}

/** When to renew: half of a short life, ten minutes before the end of a long one (TS 24.229 clause 5.1.1.4). */
export function renewalSeconds(expires: number): number {
  return expires > 1200 ? expires - 600 : expires / 2;
}

function readExpires(headers: SipHeaders, contactUser: string): number | undefined {
  const contacts = listOf(headers, 'Contact');
  for (const contact of contacts) {
    try {
      const { uri, parameters } = parseNameAddress(contact, 'sip.Contact');
      if (!uri.toLowerCase().includes(`:${contactUser}@`)) continue;
      return readSeconds(parameters.get('expires') ?? headers.get('Expires'));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  return undefined;
}

function readSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Math.min(Number(text), longestExpires) : undefined;
}

function listOf(headers: SipHeaders, name: string): string[] {
  return headers.getAll(name).flatMap(splitHeaderList);
}

function uriOf(text: string): string[] {
  try {
    return [parseNameAddress(text).uri];
  } catch {
    return [];
  }
}
