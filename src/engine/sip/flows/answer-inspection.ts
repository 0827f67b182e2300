import { parseCSeq } from '../../../protocol/sip/headers.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import type { DigestAuthenticator } from '../digest-authenticator.ts';
import type { Registration } from '../registration.ts';
import { asksForAgreement, type SecurityAgreementState } from '../security-agreement.ts';

export interface AnswerReaders {
  readonly security: SecurityAgreementState;
  readonly authenticator: DigestAuthenticator;
  readonly registration: Pick<Registration, 'renewNow'>;
}

/**
 * First look at an answer: what the registrar says of the security agreement, which challenges are answered, and whether the server
 * proves itself where it says that it does.
 * @param isAwaited it answers a request of that method that has no final answer yet.
 */
export function inspectAnswer(
  message: SipMessage,
  isAwaited: boolean,
  { security, authenticator, registration }: AnswerReaders,
): void {
  const { headers } = message;
  if (message.status === undefined) return;
  // Others than the registrar answer our requests too, and may call their answer one to a REGISTER.
  const isRegister = isAwaited && parseCSeq(headers.get('CSeq') ?? '').method === 'REGISTER';
  if (isRegister) security.learn(headers);
  // Anybody on the way can answer so: the registrar is asked, and only what it says counts.
  else if (isAwaited && asksForAgreement(message)) registration.renewNow();
  if (isRegister && security.failure !== undefined) {
    // Without a challenge SIP.js does not answer: no credentials for a server that agrees on nothing.
    headers.remove('WWW-Authenticate').remove('Proxy-Authenticate');
  }
  authenticator.inspect(message, isRegister);
}
