export const sipProtocols = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
/** How SIP travels: RFC 3261 18 and 26.2.1, RFC 7118. */
export type SipProtocol = (typeof sipProtocols)[number];

/** RFC 3261 19.1.2; RFC 7118 5.5. */
export const defaultSipPorts: Readonly<Record<SipProtocol, number>> = {
  udp: 5060,
  tcp: 5060,
  tls: 5061,
  ws: 80,
  wss: 443,
};

/** Whether nobody between us and the server can read along. */
export function isTlsProtocol(protocol: SipProtocol): protocol is 'tls' | 'wss' {
  return protocol === 'tls' || protocol === 'wss';
}
