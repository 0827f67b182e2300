import { constants } from 'node:crypto';

const named: Readonly<Record<string, unknown>> = constants;

function option(name: string): number {
  const value = named[name];
  return typeof value === 'number' ? value : 0;
}

/**
 * `secureOptions` of a TLS connection that is made once and never again: no session tickets, no renegotiation.
 * A library without one of these leaves it out: BoringSSL never renegotiates.
 */
export const oneTimeTlsOptions = option('SSL_OP_NO_TICKET') | option('SSL_OP_NO_RENEGOTIATION');
