import { ProtocolError } from '../../base/errors.ts';
import { splitHeaderList } from '../../protocol/sip/headers.ts';
import { copiedHeaders, SipMessage, type SipHeaders } from '../../protocol/sip/message.ts';

/** Methods of RFC 3261, 3262, 3311, 3428, 3515, 3903, 6086 and 6665; SIP.js answers those that it does not take with 405. */
const knownMethods: readonly string[] = [
  ...['INVITE', 'ACK', 'CANCEL', 'BYE', 'REGISTER', 'OPTIONS', 'MESSAGE', 'INFO'],
  ...['PRACK', 'UPDATE', 'REFER', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH'],
];
/** For the Allow of a refusal. */
const allowedMethods = 'ACK, BYE, CANCEL, INFO, INVITE, MESSAGE, NOTIFY, OPTIONS, PRACK, REFER';

/** Option tags that a request to us may require (RFC 3261 clause 8.2.2.3); the first two are the network's to remove. */
const understood: readonly string[] = ['sec-agree', 'mediasec', 'path', 'outbound', 'gruu'];

/** What SIP.js would answer wrongly or not at all: what nobody knows, or we do not (RFC 3261 clauses 8.2.1 to 8.2.3). */
export function checkRequest({ start, headers }: SipMessage): void {
  if (start.kind !== 'request') return;
  const { method, uri } = start;
  if (!knownMethods.includes(method)) refuse('unsupported', 'sip.method', knownMethods.join(', '), 501);
  if (!/^(sips?|tel):/i.test(uri)) refuse('unsupported', 'sip.requestUri', 'a sip, sips or tel URI', 416);
  // RFC 3261 clause 19.1.1: headers have no place in a Request-URI. A question mark before the @ belongs to the user part.
  if (/^sips?:(?:[^@]*@)?[^?@]*\?/i.test(uri)) refuse('malformed', 'sip.requestUri', 'no headers', 400);
  if (method === 'ACK' || method === 'CANCEL') return;
  if (notUnderstood(headers).length > 0) refuse('unsupported', 'sip.Require', understood.join(', '), 420);
  if (method === 'INVITE' && !takesSdp(headers)) refuse('unsupported', 'sip.Accept', 'application/sdp', 406);
}

function notUnderstood(headers: SipHeaders): string[] {
  const required = headers.getAll('Require').flatMap(splitHeaderList);
  return required.filter((tag) => !understood.includes(tag.toLowerCase()));
}

/** Whether an answer may hold a session description (RFC 3261 clause 20.1: it may where nothing is said). */
function takesSdp(headers: SipHeaders): boolean {
  const ranges = headers.getAll('Accept').flatMap(splitHeaderList);
  if (!headers.has('Accept')) return true;
  return ranges.some((range) => /^(application\/sdp|application\/\*|\*\/\*)\s*(;|$)/i.test(range));
}

/**
 * RFC 3261 clause 8.2: a request that cannot be processed is answered all the same, if it says whom to answer.
 * @param request its headers, as far as they can be read.
 */
export function refusalOf(request: SipHeaders, error: ProtocolError): SipMessage {
  const status = error.hint.sip ?? 400;
  const answer = SipMessage.response(status, reasons[status] ?? 'Bad Request');
  for (const name of copiedHeaders) {
    const values = request.getAll(name);
    // What stands there more than once is what is wrong; an answer has one.
    for (const value of name === 'Via' ? values : values.slice(0, 1)) answer.headers.add(name, value);
  }
  if (status === 420) answer.headers.add('Unsupported', notUnderstood(request).join(', '));
  if (status === 503) answer.headers.add('Retry-After', '10');
  if (status === 501) answer.headers.add('Allow', allowedMethods);
  return answer;
}

const reasons: Readonly<Record<number, string>> = {
  406: 'Not Acceptable',
  413: 'Request Entity Too Large',
  416: 'Unsupported URI Scheme',
  420: 'Bad Extension',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
};

function refuse(kind: 'malformed' | 'unsupported', field: string, expected: string, sip: number): never {
  throw new ProtocolError(kind, 'a request that cannot be processed', { field, expected, hint: { sip } });
}

export function tooManyRequests(): ProtocolError {
  return new ProtocolError('local', 'too many requests at a time', { field: 'sip.message', hint: { sip: 503 } });
}
