import type { SecretBytes } from '../base/secret-bytes.ts';
import type { SipProtocol } from '../protocol/sip/sip-protocol.ts';
import type { TlsFacts } from './tls-facts.ts';

export type { SipProtocol } from '../protocol/sip/sip-protocol.ts';

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** The certificate with which we prove ourselves to a TLS server that asks for one. */
export interface ClientCertificate {
  /** DER, our own first, each next one certifies the one before. */
  readonly certificates: readonly Uint8Array[];
  /** DER of PKCS #8. */
  readonly privateKey: SecretBytes;
}

/** How the certificate of the server may be proven. */
export type ServerTrust =
  /** By the operating system's authorities, or by `trustedCa` instead of them. */
  | 'system-or-ca'
  /** Where no authority proves it, the first certificate that is met is remembered, and every other one refused (`sip.tls.pin`). */
  | 'pin-on-first-use';

/** What the user asked for, of which DNS makes places to connect to (RFC 3263). */
export interface SipTarget {
  /** Domain, host name or IP address. */
  readonly host: string;
  /** With a port no NAPTR or SRV records are asked for. */
  readonly port?: number;
  /** The only protocol that is used; the records of the domain decide when absent. */
  readonly protocol?: SipProtocol;
  /** Where no protocol is set: whether unprotected ones may be used when the records say so. Default: `tls-only`. */
  readonly security?: 'tls-only' | 'any';
  /** Name that the server certificate must carry; `host` when absent. Never what DNS made of it (RFC 5922). */
  readonly serverName?: string;
  /** PEM certificates trusted instead of the system's. */
  readonly trustedCa?: string;
  /** Default: `system-or-ca`. */
  readonly trust?: ServerTrust;
  readonly clientCertificate?: ClientCertificate;
  /** Path and query of the WebSocket; `/` when absent. */
  readonly webSocketPath?: string;
}

/** What TLS to a hop has to prove, and what it is given for it. */
export interface SipHopSecurity {
  readonly serverName: string;
  readonly trust: ServerTrust;
  readonly trustedCa?: string;
  readonly clientCertificate?: ClientCertificate;
}

/** One concrete place of a SIP server. */
export interface SipHop {
  readonly protocol: SipProtocol;
  /** IPv4 or IPv6, without brackets. */
  readonly address: string;
  readonly port: number;
  /** The name that the address was looked up for; not what TLS proves. */
  readonly host: string;
  /** Present exactly for `tls` and `wss`. */
  readonly security?: SipHopSecurity;
  /** Present exactly for `ws` and `wss`. */
  readonly webSocketPath?: string;
}

/** One connection to the SIP server; for UDP one pair of addresses. */
export interface SipConnection {
  readonly protocol: SipProtocol;
  /**
   * `stream`: octets without borders, framing is done above. `message`: each `onData` is exactly one datagram or WebSocket message, and
   * each `send` makes one.
   */
  readonly framing: 'stream' | 'message';
  readonly localAddress: string;
  readonly localPort: number;
  readonly remote: SocketAddress;
  /** Present exactly when `protocol` is `tls` or `wss`. */
  readonly tls: TlsFacts | undefined;
  send(bytes: Uint8Array): Promise<void>;
  /** Present for WebSockets: a Ping frame; resolves when its Pong came. */
  ping?(): Promise<void>;
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Called once; `error` is absent when `close` asked for it. */
  onClose(listener: (error?: Error) => void): void;
  close(): void;
}

export interface SipTransport {
  /**
   * The places of a server, best first, at least one (RFC 3263). None of them is weaker than the target allows.
   * @throws ProtocolError field `sip.locate*` when there is none.
   */
  locate(target: SipTarget): Promise<readonly SipHop[]>;
  /** Rejects when the hop cannot be reached or, for TLS, when its certificate does not prove `serverName` (field `sip.tls*`). */
  connect(hop: SipHop): Promise<SipConnection>;
}

/**
 * What is remembered of the servers of accounts with `trust: 'pin-on-first-use'`, by the name that the server was to prove: the fingerprint
 * of its certificate, as in `CertificateFacts.sha256`, or `authority` for one that a trusted authority certified when it was first met.
 */
export interface ServerPins {
  /** Rejects when that cannot be told. */
  get(serverName: string): Promise<string | undefined>;
  /** Resolves when it is durable. In the place of another one only by an act of the user. */
  set(serverName: string, pin: string): Promise<void>;
}

export type NetworkChange =
  /** Addresses of this machine came or went; `present` are those that it has now. */
  | { readonly kind: 'addresses'; readonly present: readonly string[] }
  /** The machine slept: connections may be dead without a sign. */
  | { readonly kind: 'woke'; readonly sleptMilliseconds: number };

/** Tells of what makes connections worthless without closing them. */
export interface NetworkWatch {
  /** Returns what ends the watch. */
  onChange(listener: (change: NetworkChange) => void): () => void;
}
