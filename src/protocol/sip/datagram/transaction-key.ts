import { headerList, parseCSeq, parseNameAddress, parseVia } from '../headers.ts';
import type { SipMessage } from '../message.ts';

const magicCookie = 'z9hG4bK';

/**
 * What a message and the retransmissions of its transaction have in common (RFC 3261 clauses 17.1.3 and 17.2.3): branch and
 * sent-by of the top Via and the method, where ACK counts as INVITE. Without the magic cookie, what RFC 2543 compares.
 * @throws ProtocolError `malformed` for a message without these headers.
 */
export function transactionKey(message: SipMessage): string {
  const { headers } = message;
  const via = parseVia(headerList(message, 'Via')[0] ?? '');
  const cseq = parseCSeq(headers.get('CSeq') ?? '');
  const method = cseq.method === 'ACK' ? 'INVITE' : cseq.method;
  const sentBy = `${via.host.toLowerCase()}:${via.port ?? ''}`;
  const branch = via.parameters.get('branch') ?? '';
  if (branch.startsWith(magicCookie)) return [branch, sentBy, method].join(' ');
  const fromTag = parseNameAddress(headers.get('From') ?? '').parameters.get('tag') ?? '';
  return ['RFC 2543', branch, sentBy, method, cseq.number, headers.get('Call-ID') ?? '', fromTag].join(' ');
}
