/** Bounds of the connections to SIP servers. */
export const sipConnectionLimits = {
  /** Connection, TLS handshake and WebSocket handshake together. */
  connectMilliseconds: 10_000,
  /** Octets that may wait for a slow server before `send` refuses more. */
  queuedOctets: 4 * 1024 * 1024,
  /** How long a closed connection may take to flush before it is cut. */
  closeGraceMilliseconds: 1_000,
  /** What fits into one datagram of UDP over IPv4 (RFC 768, RFC 791). */
  datagramOctets: 65_507,
  /** Datagrams that came before anybody listened. */
  heldDatagrams: 32,
  /** One SIP message: headers and body at their limits. */
  webSocketMessageOctets: 64 * 1024 + 1024 * 1024,
  /** One question to DNS. */
  dnsMilliseconds: 5_000,
  /** Servers whose certificates are remembered, and the size of the file for them. */
  pinnedServers: 1_000,
  pinFileOctets: 1024 * 1024,
} as const;
