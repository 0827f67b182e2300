import { splitHeaderList } from '../../../protocol/sip/headers.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import type { TlsFacts } from '../../tls-facts.ts';
import type { SipAccount } from '../types.ts';

/** What may say nothing of its own: they belong to an INVITE. */
const bareMethods: readonly string[] = ['ACK', 'CANCEL'];

/**
 * Adds what every request of the account says on its way out.
 * @param tls of the flow. Where the user is, is told to nobody but the network (RFC 7315 clause 6.4): to a server that an authority
 *   proves or whose certificate is the accepted one, never to whoever is met for the first time.
 */
export function addRequestHeaders(
  request: SipMessage,
  { preferredIdentity, accessNetworkInfo }: Pick<SipAccount, 'preferredIdentity' | 'accessNetworkInfo'>,
  tls: TlsFacts | undefined,
): void {
  const { method = '', headers } = request;
  // SIP.js adds option tags of its own without a look at those that are there.
  const supported = [...new Set(headers.getAll('Supported').flatMap(splitHeaderList))];
  if (supported.length > 0) headers.set('Supported', supported.join(', '));
  if (bareMethods.includes(method)) return;
  const isKnown = tls?.serverProof === 'authority' || tls?.serverProof === 'pin';
  if (accessNetworkInfo !== undefined && isKnown) headers.set('P-Access-Network-Info', accessNetworkInfo);
  // RFC 3325 clause 9.2; the registrar has the identity in To.
  if (preferredIdentity !== undefined && method !== 'REGISTER') {
    headers.set('P-Preferred-Identity', `<${preferredIdentity}>`);
  }
}
