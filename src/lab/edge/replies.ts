import { randomId } from '../../base/random.ts';
import type { ProtocolError } from '../../base/errors.ts';
import { secureRandom } from '../../crypto/random.ts';
import { comparableHeaderName } from '../../protocol/sip/header-names.ts';
import { SipMessage } from '../../protocol/sip/message.ts';

const reasons: Readonly<Record<number, string>> = {
  100: 'Trying',
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  413: 'Request Entity Too Large',
  416: 'Unsupported URI Scheme',
  412: 'Conditional Request Failed',
  415: 'Unsupported Media Type',
  420: 'Bad Extension',
  421: 'Extension Required',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  483: 'Too Many Hops',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  489: 'Bad Event',
  494: 'Security Agreement Required',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
  513: 'Message Too Large',
};

const mirroredHeaders = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

/** A response of the edge itself (RFC 3261 8.2.6). */
export function replyTo(request: SipMessage, status: number, reason?: string): SipMessage {
  const reply = SipMessage.response(status, reason ?? reasons[status] ?? 'Error');
  for (const name of mirroredHeaders) {
    for (const value of request.headers.getAll(name)) reply.headers.add(name, withTag(name, value, status));
  }
  return reply;
}

/**
 * The answer to bytes that are no readable message: whatever of the mirrored headers can be recognised, line by line.
 * Undefined when they are a response or nothing to send an answer by.
 */
export function malformedReply(bytes: Uint8Array, error: ProtocolError): SipMessage | undefined {
  const [start = '', ...lines] = Buffer.from(bytes).toString('latin1').split('\r\n\r\n', 1)[0]?.split('\r\n') ?? [];
  const status = error.hint.sip ?? 400;
  const request = SipMessage.request('UNKNOWN', 'sip:unknown');
  if (/^SIP\//i.test(start) || /^ACK /i.test(start)) return undefined;
  for (const line of lines) {
    const [, name = '', value = ''] = /^([A-Za-z-]+)\s*:\s*(.*)$/.exec(line) ?? [];
    const known = mirroredHeaders.find((header) => header.toLowerCase() === comparableHeaderName(name));
    if (known !== undefined && /^[\x20-\x7e]*$/.test(value)) request.headers.add(known, value);
  }
  // The field name tells the sender what to mend; the parser's words never hold contents.
  return request.headers.has('Via')
    ? replyTo(request, status, `${reasons[status] ?? 'Bad'} (${error.field})`)
    : undefined;
}

function withTag(name: string, value: string, status: number): string {
  const needsTag = name === 'To' && status > 100 && !/;\s*tag\s*=/i.test(value);
  return needsTag ? `${value};tag=${randomId(secureRandom)}` : value;
}
