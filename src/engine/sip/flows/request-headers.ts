import { splitHeaderList } from '../../../protocol/sip/headers.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import type { SipAccount } from '../types.ts';

/** What may say nothing of its own: they belong to an INVITE. */
const bareMethods: readonly string[] = ['ACK', 'CANCEL'];

/**
 * Adds what every request of the account says on its way out.
 * @param isProtected the flow is: where the user is, is told to nobody else (RFC 7315 clause 6.4).
 */
export function addRequestHeaders(
  request: SipMessage,
  { preferredIdentity, accessNetworkInfo }: Pick<SipAccount, 'preferredIdentity' | 'accessNetworkInfo'>,
  isProtected: boolean,
): void {
  const { method = '', headers } = request;
  // SIP.js adds option tags of its own without a look at those that are there.
  const supported = [...new Set(headers.getAll('Supported').flatMap(splitHeaderList))];
  if (supported.length > 0) headers.set('Supported', supported.join(', '));
  if (bareMethods.includes(method)) return;
  if (accessNetworkInfo !== undefined && isProtected) headers.set('P-Access-Network-Info', accessNetworkInfo);
  // RFC 3325 clause 9.2; the registrar has the identity in To.
  if (preferredIdentity !== undefined && method !== 'REGISTER') {
    headers.set('P-Preferred-Identity', `<${preferredIdentity}>`);
  }
}
