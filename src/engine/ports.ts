import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';

import type { SecretBytes } from '../base/secret-bytes.ts';
import type { FileStorage } from './files/file-storage.ts';
import type { Store } from './store/index.ts';
import type { NetworkWatch, ServerPins, SipTransport, SocketAddress } from './sip-ports.ts';
import type { TlsFacts } from './tls-facts.ts';

export type * from './sip-ports.ts';
export type * from './tls-facts.ts';

/** A certificate of this device with its private key; the key never leaves this object's holder. */
export interface DeviceCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: SecretBytes;
  /** As in `CertificateFacts.sha256`. */
  readonly sha256: string;
}

/** One `a=fingerprint` value (RFC 8122). */
export interface Fingerprint {
  /** Lower-case hash name, for example `sha-256`. */
  readonly hash: string;
  /** Upper-case hexadecimal pairs joined by colons. */
  readonly value: string;
}

export type MsrpSecurity =
  | { readonly mode: 'plain' }
  /** TLS in which both sides present a certificate and ours checks the peer's against any of `peerFingerprints`. */
  | {
      readonly mode: 'fingerprint';
      readonly certificate: DeviceCertificate;
      readonly peerFingerprints: readonly Fingerprint[];
    }
  /** TLS with pre-shared key suites only (profile 3.3); no certificate is sent or accepted. */
  | { readonly mode: 'psk'; readonly psk: SecretBytes; readonly pskIdentity: string }
  /** TLS to a relay whose certificate proves its name; we show none (RFC 4976 section 9.2). For connecting only. */
  | {
      readonly mode: 'relay';
      readonly serverName: string;
      /** PEM certificates trusted instead of the system's. */
      readonly trustedCa?: string;
    };

/** A connection on which MSRP bytes may flow: for the secured modes the handshake and the check of the peer are done. */
export interface MsrpConnection {
  readonly security: MsrpSecurity['mode'];
  /** Present exactly when `security` is not `plain`. */
  readonly tls: TlsFacts | undefined;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Queues bytes; false asks the caller to wait for `onDrain` before more. */
  write(bytes: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Stops and restarts reading, for back-pressure. */
  pause(): void;
  resume(): void;
  onClose(listener: (error?: Error) => void): void;
  /** Flushes what was queued, then closes. */
  close(): void;
}

/** A port on which a peer may connect. Connections that arrive before `accept` wait, unread. */
export interface MsrpListener {
  readonly address: SocketAddress;
  /** Takes the first connection that passes `security`; rejects on timeout, close or a failed check. */
  accept(security: MsrpSecurity, timeoutMilliseconds: number): Promise<MsrpConnection>;
  close(): void;
}

/** A connection on which nothing was said yet. */
export interface MsrpDialled {
  /** Secures it, as the client of the handshake. On failure it is closed. */
  secure(security: MsrpSecurity, timeoutMilliseconds: number): Promise<MsrpConnection>;
  close(): void;
}

export interface MsrpSockets {
  /** @param address of this machine; where the user set another, that one is used. */
  listen(address?: string): Promise<MsrpListener>;
  /** Connects to the first address of `host` that answers, without a word. */
  dial(address: SocketAddress, timeoutMilliseconds: number): Promise<MsrpDialled>;
  connect(address: SocketAddress, security: MsrpSecurity, timeoutMilliseconds: number): Promise<MsrpConnection>;
  /** Where a relay without a port in its URI is (RFC 4976 section 8), best first; the name at port 2855 when absent. */
  findRelay?(name: string): Promise<readonly SocketAddress[]>;
  /** All addresses of a name, none when it has none; without this names are compared as they are written. */
  lookUp?(name: string): Promise<readonly string[]>;
  /** False when this build's TLS library cannot do PSK: end-to-end sessions are then refused, with that reason. */
  readonly canDoPskTls: boolean;
}

export type KmsExchange = 'ticketrequest' | 'ticketresolve';

export interface KmsAddress {
  /** Base URL, https only. */
  readonly url: string;
  /** The name that the KMS's certificate must prove when it is not the host of the URL. */
  readonly serverName?: string;
  readonly trustedCa?: string;
  readonly bodyEncoding: 'base64' | 'binary';
  /** Product token of the User-Agent header, by which a NAF knows how the UE bootstraps. */
  readonly userAgent?: string;
}

export interface KmsReply {
  /** HTTP status code. */
  readonly status: number;
  /** The MIKEY message, decoded from base64 where needed; absent when the answer carries none. */
  readonly message: Uint8Array | undefined;
  /** How long the KMS asks not to be asked again (Retry-After, RFC 9110 10.2.3). */
  readonly retryAfterSeconds?: number;
}

/** The road to a KMS (profile 6.1). Rejects with `ProtocolError` (field `kms.*`) when no answer could be had. */
export interface KeyManagement {
  exchange(kind: KmsExchange, kms: KmsAddress, message: Uint8Array): Promise<KmsReply>;
}

/** The bootstrapping server function (BSF) of the home network. */
export interface BsfAddress {
  /** Base URL, https only; its path is the digest's `uri`. */
  readonly url: string;
  /** The name that the BSF's certificate must prove when it is not the host of the URL. */
  readonly serverName?: string;
  readonly trustedCa?: string;
}

/** Key material of a TLS connection (RFC 5705, RFC 8446 7.5), without context. @param length octets */
export type TlsKeyExporter = (label: string, length: number) => SecretBytes;

export interface BsfReply {
  /** HTTP status code. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** A TLS connection to a BSF on which one question follows another; made again when the BSF has closed it in between. */
export interface BsfConnection {
  /**
   * Sends a GET with the headers that `compose` makes for the connection it goes over.
   * Rejects with `ProtocolError` (field `bsf.*`) when no answer could be had.
   */
  ask(compose: (exportKey: TlsKeyExporter) => Readonly<Record<string, string>>): Promise<BsfReply>;
  close(): void;
}

/** The road to a BSF: reference point Ub over HTTPS (profile 6.3). */
export interface Bootstrapping {
  /** Connects with the first question. @throws ProtocolError `local` for an address that cannot be. */
  open(bsf: BsfAddress): BsfConnection;
}

export type SecretStoreHealth = { readonly usable: true } | { readonly usable: false; readonly reason: string };

/** Credentials at rest: the operating system's keychain, or memory for one run. */
export interface SecretStore {
  get(name: string): Promise<SecretBytes | undefined>;
  set(name: string, secret: SecretBytes): Promise<void>;
  delete(name: string): Promise<void>;
  list(): Promise<readonly string[]>;
  health(): Promise<SecretStoreHealth>;
}

/**
 * The sequence windows of software SIMs, by a name that stands for the SIM's key. Calls are synchronous, since a challenge is answered
 * within one, and a window has to be durable before an answer leaves. What is kept never goes back.
 */
export interface SimStateStore {
  /** As last saved; undefined only when nothing ever was. @throws Error when that cannot be told */
  load(name: string): readonly number[] | undefined;
  /** Returns when it is durable. @throws Error when it cannot be kept */
  save(name: string, window: readonly number[]): void;
}

/** The tickets of one account at rest. What comes here is sealed already, and what it gives back is trusted by nobody. */
export interface TicketStore {
  /** Undefined when there is nothing. Rejects when it is longer than `maxOctets` or cannot be read. */
  read(maxOctets: number): Promise<Uint8Array | undefined>;
  /** Whole or not at all: a crash leaves what was there before. */
  write(sealed: Uint8Array): Promise<void>;
  /** Moves what is there out of the way, for an expert to look at; one at most is kept so. */
  setAside(): Promise<void>;
  remove(): Promise<void>;
}

/** A key of 32 octets, or a passphrase from which one is made. */
export type TicketStoreKey =
  | { readonly kind: 'key'; readonly key: SecretBytes }
  | { readonly kind: 'passphrase'; readonly passphrase: SecretBytes };

/** Where an account's tickets outlive the program; without a key they do not. */
export type TicketStorage =
  | { readonly kept: 'sealed'; readonly store: TicketStore; readonly key: TicketStoreKey }
  /** `reason`: a sentence without its full stop, for the user. */
  | { readonly kept: 'memory'; readonly reason: string };

/** What every part of the engine may use. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly sip: SipTransport;
  /** Absent where nothing can be told. */
  readonly network?: NetworkWatch;
  /** Absent where there is no durable place: accounts with `trust: 'pin-on-first-use'` then cannot connect. */
  readonly serverPins?: ServerPins;
  readonly msrp: MsrpSockets;
  readonly keyManagement: KeyManagement;
  /** Absent where this shell keeps no files: every file is then refused. */
  readonly files?: FileStorage;
  readonly bootstrapping: Bootstrapping;
  /** Where the certificate of this device outlives the program; one for each run when absent. */
  readonly secrets?: SecretStore;
  /** Absent on a device without a place for it, which then has no software SIM. */
  readonly simState?: SimStateStore;
  /** Where messages outlive the program; in memory only when absent. */
  readonly store?: Store;
}
