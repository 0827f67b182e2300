import * as nodeTls from 'node:tls';

type Tls = Partial<Pick<typeof nodeTls, 'getCACertificates' | 'setDefaultCACertificates'>>;

let isSettled = false;

/**
 * From the first call on, TLS to servers for which no authority is named trusts those of the operating system and of
 * NODE_EXTRA_CA_CERTS. Node alone would trust the list that it was built with, and no authority that an operator or an enterprise has
 * put into its machines. That list stays where the operating system has none, or where this build cannot tell.
 */
export function trustSystemAuthorities(tls: Tls = nodeTls): void {
  if (tls === nodeTls && isSettled) return;
  const { getCACertificates, setDefaultCACertificates } = tls;
  if (getCACertificates !== undefined && setDefaultCACertificates !== undefined) {
    const system = getCACertificates('system');
    if (system.length > 0) setDefaultCACertificates([...new Set([...system, ...getCACertificates('extra')])]);
  }
  isSettled ||= tls === nodeTls;
}
