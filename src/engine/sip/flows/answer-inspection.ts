import { parseCSeq } from '../../../protocol/sip/headers.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import type { DigestAuthenticator } from '../digest-authenticator.ts';
import type { SecurityAgreementState } from '../security-agreement.ts';

/**
 * First look at an answer: what the registrar says of the security agreement and of the next nonce, and which challenge is answered.
 * @param isAwaited it answers a request of that method that has no final answer yet.
 */
export function inspectAnswer(
  message: SipMessage,
  isAwaited: boolean,
  security: SecurityAgreementState,
  authenticator: DigestAuthenticator,
): void {
  const { status, headers } = message;
  if (status === undefined) return;
  // Others than the registrar answer our requests too, and may call their answer one to a REGISTER.
  const isRegister = isAwaited && parseCSeq(headers.get('CSeq') ?? '').method === 'REGISTER';
  if (isRegister) security.learn(headers);
  if (isRegister && status === 200) authenticator.learnNextNonce(message);
  if (isRegister && security.failure !== undefined) {
    // Without a challenge SIP.js does not answer: no credentials for a server that agrees on nothing.
    headers.remove('WWW-Authenticate').remove('Proxy-Authenticate');
  }
  authenticator.hideChallenges(message, isRegister);
}
