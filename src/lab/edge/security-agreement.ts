import { parseParameters, headerList } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { isSecure, type LabTransport } from './transports.ts';

/** What was agreed on one flow (RFC 3329, profile 1). */
export interface SecurityAgreement {
  /** The entries of the Security-Server header that the UE must mirror, in order. */
  readonly server: readonly string[];
  /** Both sides named `msrp-tls;mediasec`. */
  readonly msrpTls: boolean;
}

const msrpTls = 'msrp-tls;mediasec';

/** The list depends on the flow only, never on what the client listed (RFC 3329 2.3.1). */
export function serverMechanisms(transport: LabTransport): readonly string[] {
  return isSecure(transport) ? ['tls;q=0.2', msrpTls] : [msrpTls];
}

/** Undefined when the request carries no Security-Client: then nothing is agreed. */
export function agree(request: SipMessage, transport: LabTransport): SecurityAgreement | undefined {
  const client = headerList(request, 'Security-Client').map(comparable);
  if (client.length === 0) return undefined;
  return { server: serverMechanisms(transport), msrpTls: client.includes(comparable(msrpTls)) };
}

/** RFC 3329 2.3.1: the same mechanisms with the same parameters in the same order. */
export function verifies(request: SipMessage, agreement: SecurityAgreement): boolean {
  const mirrored = headerList(request, 'Security-Verify').map(comparable);
  const sent = agreement.server.map(comparable);
  return mirrored.length === sent.length && mirrored.every((mechanism, index) => mechanism === sent[index]);
}

export function addSecurityServer(reply: SipMessage, mechanisms: readonly string[]): void {
  for (const mechanism of mechanisms) reply.headers.add('Security-Server', mechanism);
}

/** Option tags that end at the edge. */
const edgeOptions = ['sec-agree', 'mediasec'];

/** Removes what concerns only the first hop before a request goes on (RFC 3329 2.3.1). */
export function stripSecurityHeaders(request: SipMessage): void {
  for (const name of ['Require', 'Proxy-Require']) {
    const rest = headerList(request, name).filter((tag) => !edgeOptions.includes(tag.toLowerCase()));
    request.headers.remove(name);
    if (rest.length > 0) request.headers.add(name, rest.join(', '));
  }
  request.headers.remove('Security-Client').remove('Security-Verify');
}

/** The option tags of Proxy-Require (and Require, for REGISTER) that the edge does not know. */
export function unsupportedOptions(request: SipMessage): string[] {
  const known = [...edgeOptions, 'path', 'outbound', 'gruu', 'pref', 'recipient-list-message'];
  const required = headerList(request, 'Proxy-Require').concat(
    request.method === 'REGISTER' ? headerList(request, 'Require') : [],
  );
  return required.filter((tag) => !known.includes(tag.toLowerCase()));
}

function comparable(mechanism: string): string {
  const [name = '', ...parameters] = mechanism.split(';');
  const sorted = [...parseParameters(parameters.join(';'))].map(([key, value]) => `${key}=${value ?? ''}`).sort();
  return [name.trim().toLowerCase(), ...sorted].join(';');
}
