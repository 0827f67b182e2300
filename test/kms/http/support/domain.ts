import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { toBase64, utf8 } from '../../../../src/base/bytes.ts';
import type { Clock } from '../../../../src/base/clock.ts';
import type { LogFields, Logger } from '../../../../src/base/log.ts';
import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../../../src/crypto/certificate-authority.ts';
import { hmacSha256 } from '../../../../src/crypto/digest.ts';
import { secureRandom } from '../../../../src/crypto/random.ts';
import type { AuditEntry } from '../../../../src/kms/audit-chain.ts';
import { startKmsServer, type KmsServer, type KmsServerOptions } from '../../../../src/kms/http/kms-server.ts';
import { PeerIssuers } from '../../../../src/kms/http/peer-issuers.ts';
import { ServedCertificate, type TlsIdentity } from '../../../../src/kms/http/served-certificate.ts';
import { KeyEncryptionKey } from '../../../../src/kms/key-encryption-key.ts';
import { createKmsService, type KmsService, type KmsServiceOptions } from '../../../../src/kms/kms-service.ts';
import { createMemoryStorage } from '../../../../src/kms/memory-storage.ts';
import { readPeers, type KmsPeer, type KmsPeerConfig } from '../../../../src/kms/peers.ts';
import type { KmsStorage } from '../../../../src/kms/ports.ts';
import { seedUsers } from '../../../../src/kms/users.ts';
import { systemClock } from '../../../../src/node/system-clock.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  messageTicketFlags,
  msrpTicketFlags,
  receiveTransfer,
  uriIdentity,
  type GrantedTicket,
  type MikeyIdentity,
  type ReceivedTransfer,
  type TicketResolve,
  type Transfer,
} from '../../../../src/protocol/mikey/index.ts';
import { profile } from '../../../../src/protocol/profile.ts';

/** Somebody with a key at a KMS. */
export interface Person {
  readonly uri: string;
  readonly identity: MikeyIdentity;
  readonly psk: SecretBytes;
  readonly pskId: string;
}

export function person(address: string): Person {
  const uri = `sip:${address}`;
  return {
    uri,
    identity: uriIdentity(uri),
    psk: new SecretBytes(hmacSha256(utf8('psk'), utf8(uri))),
    pskId: `${address} key`,
  };
}

export interface LogLine extends LogFields {
  readonly event: string;
}

/** Log lines, and a way to wait for one of them. */
export class Log implements Logger {
  readonly lines: LogLine[] = [];
  readonly #waiting = new Set<() => void>();

  log(level: string, event: string, fields: LogFields = {}): void {
    this.lines.push({ ...fields, level, event });
    for (const look of this.#waiting) look();
  }

  /** The first line of an event from the `from`th line on, now or when it comes. */
  next(event: string, from = 0): Promise<LogLine> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.lines.slice(from).find((line) => line.event === event);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

export const authority: Promise<CertificateAuthority> = createCertificateAuthority({
  commonName: 'Test CA',
  now: Date.now(),
});

/** A certificate for 127.0.0.1 and the names, good for both sides of TLS. */
export async function identityFor(
  names: readonly string[],
  options: { readonly issuer?: CertificateAuthority; readonly validUntil?: number; readonly validFrom?: number } = {},
): Promise<TlsIdentity> {
  const { issuer = await authority, ...validity } = options;
  return issuer.issue({ dnsNames: names, ipAddresses: ['127.0.0.1'] }, { alsoClient: true, ...validity });
}

export interface DomainOptions {
  /** `a.test`; its KMS is `sip:kms.a.test`. */
  readonly name: string;
  readonly people: readonly Person[];
  readonly peers?: readonly KmsPeerConfig[];
  /** True: other KMSs may ask. */
  readonly listensToPeers?: boolean;
  readonly tls?: TlsIdentity;
  readonly peerTls?: TlsIdentity;
  readonly peerCa?: string;
  readonly peerTimeoutMilliseconds?: number;
  readonly clock?: Clock;
  readonly service?: Partial<KmsServiceOptions>;
  readonly server?: Partial<KmsServerOptions>;
}

/** One operator: a KMS over HTTPS with its storage, its log and its people. */
export interface Domain {
  readonly kms: MikeyIdentity;
  readonly url: string;
  readonly ca: string;
  readonly server: KmsServer;
  readonly service: KmsService;
  readonly storage: KmsStorage;
  readonly log: Log;
  readonly certificate: ServedCertificate;
  audit(): Promise<readonly AuditEntry[]>;
  stop(): Promise<void>;
}

const running: Domain[] = [];

/** For `afterAll`. */
export async function stopDomains(): Promise<void> {
  await Promise.all(running.splice(0).map((domain) => domain.stop()));
}

export async function startDomain(options: DomainOptions): Promise<Domain> {
  const identity = `sip:kms.${options.name}`;
  const { clock = systemClock } = options;
  const ca = (await authority).certificatePem;
  const log = new Log();
  const storage = createMemoryStorage();
  const kek = new KeyEncryptionKey(new SecretBytes(secureRandom.bytes(32)), secureRandom);
  await seedUsers(
    storage,
    kek,
    options.people.map(({ uri, pskId, psk }) => ({ identities: [uri], pskId, psk })),
  );
  const tls = options.tls ?? (await identityFor([`kms.${options.name}`]));
  const certificate = new ServedCertificate(tls, { clock, log });
  const peers = readPeers(options.peers ?? [], identity);
  const peerCa = options.peerCa ?? ca;
  const peerCertificate =
    options.peerTls === undefined ? certificate : new ServedCertificate(options.peerTls, { clock, log });
  const issuers = new PeerIssuers(peers, {
    certificate: peerCertificate,
    trustedCa: peerCa,
    clock,
    random: secureRandom,
    log,
    ...(options.peerTimeoutMilliseconds === undefined ? {} : { timeoutMilliseconds: options.peerTimeoutMilliseconds }),
  });
  const service = await createKmsService({
    identity,
    storage,
    kek,
    clock,
    random: secureRandom,
    peers,
    issuers,
    ...options.service,
  });
  const server = await startKmsServer({
    service,
    listen: { host: '127.0.0.1', port: 0 },
    certificate,
    clock,
    log,
    ...(options.listensToPeers === true ? { peers: peerListener(peers, peerCertificate, peerCa) } : {}),
    ...options.server,
  });
  const domain: Domain = {
    kms: uriIdentity(identity),
    url: server.url,
    ca,
    server,
    service,
    storage,
    log,
    certificate,
    audit: async () => (await storage.audit.read(0, 1000)).map(({ text }) => JSON.parse(text) as unknown as AuditEntry),
    stop: async () => {
      await server.stop();
      issuers.stop();
    },
  };
  running.push(domain);
  return domain;
}

const peerListener = (peers: readonly KmsPeer[], certificate: ServedCertificate, trustedCa: string) => ({
  host: '127.0.0.1',
  port: 0,
  peers,
  certificate,
  trustedCa,
});

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One HTTPS request on a connection of its own, unless an agent is given. */
export async function send(url: string, options: RequestOptions = {}, body?: Uint8Array | string): Promise<Reply> {
  const request = httpsRequest(url, { agent: false, ca: (await authority).certificatePem, ...options });
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.end(body);
  });
}

/** A MIKEY message as a UE posts it. */
export function post(
  base: string,
  kind: 'ticketrequest' | 'ticketresolve',
  message: Uint8Array,
  options: Omit<RequestOptions, 'headers'> & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Reply> {
  const { headers, ...rest } = options;
  return send(
    `${base}${profile.kms.path}?requesttype=${kind}`,
    { method: 'POST', headers: { 'Content-Type': 'application/mikey', ...headers }, ...rest },
    toBase64(message),
  );
}

export const messageIn = ({ body }: Reply): Uint8Array =>
  Uint8Array.from(Buffer.from(body.toString('latin1'), 'base64'));

export function keptConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}

/** What a person asks its KMS for. */
export function askFor(
  from: Person,
  kms: MikeyIdentity,
  to: readonly Person[],
  kind: 'session' | 'message' = 'session',
  now = Date.now(),
) {
  return createTicketRequest({
    suite: '256',
    psk: from.psk,
    pskId: bytesIdentity(utf8(from.pskId)),
    initiator: from.identity,
    kms,
    responders: to.map(({ identity }) => identity),
    flags: kind === 'session' ? msrpTicketFlags : messageTicketFlags,
    keyKind: kind === 'session' ? 'TGK' : 'GTGK',
    validFrom: now - 300_000,
    validUntil: now + 3600_000,
    now,
    random: secureRandom,
  });
}

export async function obtain(
  from: Person,
  domain: Domain,
  to: readonly Person[],
  kind: 'session' | 'message' = 'session',
): Promise<GrantedTicket> {
  const asked = askFor(from, domain.kms, to, kind);
  const reply = await post(domain.url, 'ticketrequest', asked.message);
  if (reply.status !== 200) throw new Error(`the KMS answered ${reply.status}`);
  return asked.accept(messageIn(reply), Date.now());
}

export function transferTo(ticket: GrantedTicket, from: Person, to: Person): Transfer {
  return createTransfer({
    ticket,
    initiator: from.identity,
    responder: to.identity,
    protType: profile.mikey.protTypeTls,
    csId: profile.mikey.crypto.csId,
    sdpIds: 'mikey',
    now: Date.now(),
    random: secureRandom,
  });
}

export function receive(message: Uint8Array, self: Person): ReceivedTransfer {
  return receiveTransfer(message, {
    now: Date.now(),
    self: [self.identity],
    protTypes: [profile.mikey.protTypeTls],
    checkFreshness: 'window',
  });
}

/** The question of a person to its own KMS, whoever issued the ticket. */
export function resolveAt(received: ReceivedTransfer, self: Person, kms: MikeyIdentity): TicketResolve {
  return received.createResolve({
    psk: self.psk,
    pskId: bytesIdentity(utf8(self.pskId)),
    self: self.identity,
    kms,
    now: Date.now(),
    random: secureRandom,
  });
}

/** Resolves when TLS stands; rejects when the other end closes before. */
export function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', () => undefined);
    socket.once('secureConnect', resolve);
    socket.once('close', () => reject(new Error('turned away')));
  });
}
