import { toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/digest.ts';
import { headerList, parseCSeq, parseVia } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';

const magicCookie = 'z9hG4bK';
const topBranch = /^([^,]*?;\s*branch\s*=\s*[^;,\s]+)/i;
const topWithoutBranch = /^([^,]*)/;
const mark = /^([^,]*?)(?:;branch=z9hG4bKnone|(;\s*branch\s*=\s*[^;,\s]+))\.s[0-9a-f]{16}(?=[;,\s]|$)/i;

/**
 * RFC 3261 clause 17.2.3: requests with the same branch are of different transactions where they come from different places, and
 * without the magic cookie, where they are different requests (RFC 2543). SIP.js looks at the branch alone, so it gets one that holds
 * what makes the difference.
 */
export function markBranch(request: SipMessage): void {
  const { headers } = request;
  const { host, port, parameters } = parseVia(headerList(request, 'Via')[0] ?? '');
  const branch = parameters.get('branch');
  const place = [host.toLowerCase(), port ?? ''];
  const old = [headers.get('Call-ID') ?? '', parseCSeq(headers.get('CSeq') ?? '').number, headers.get('From') ?? ''];
  const difference = branch?.startsWith(magicCookie) === true ? place : [...place, ...old];
  const digits = toHex(sha256(utf8(difference.join('\n'))).subarray(0, 8));
  const added = branch === undefined ? `;branch=z9hG4bKnone.s${digits}` : `.s${digits}`;
  replaceTop(request, branch === undefined ? topWithoutBranch : topBranch, (top) => `${top.trimEnd()}${added}`);
}

/** Undoes it in our response, which is to carry what the request carried. */
export function unmarkBranch(response: SipMessage): void {
  replaceTop(response, mark, (_, before: string, branch?: string) => `${before}${branch ?? ''}`);
}

function replaceTop({ headers }: SipMessage, pattern: RegExp, by: (...parts: string[]) => string): void {
  const via = headers.shift('Via');
  if (via !== undefined) headers.prepend('Via', via.replace(pattern, by));
}
