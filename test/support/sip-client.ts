import { utf8 } from '../../src/base/bytes.ts';
import { FakeClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { EnginePorts, SipTransport } from '../../src/engine/ports.ts';
import {
  createSipUserAgent,
  type RegistrationState,
  type SipAccount,
  type SipUserAgent,
} from '../../src/engine/sip/index.ts';
import { digestResponse, type DigestAlgorithm } from '../../src/protocol/digest/digest.ts';
import { readAuthParams } from '../../src/protocol/digest/auth-params.ts';
import { ScriptedSipServer, type Received } from './scripted-sip-server.ts';
import { seededRandom } from './seeded-random.ts';

export interface SipClient {
  readonly server: ScriptedSipServer;
  readonly userAgent: SipUserAgent;
  readonly clock: FakeClock;
  readonly states: RegistrationState[];
}

const password = 'correct horse';

export function createClient(account: Partial<SipAccount> = {}): SipClient {
  const server = new ScriptedSipServer();
  return { server, ...createClientOf(server, account) };
}

/** A client of any network in memory. */
export function createClientOf(
  sip: SipTransport,
  account: Partial<SipAccount> = {},
  more: Partial<EnginePorts> = {},
): Omit<SipClient, 'server'> {
  const clock = new FakeClock();
  const absent = new Error('not in this test');
  const ports: EnginePorts = {
    clock,
    random: seededRandom(),
    log: silentLogger,
    sip,
    msrp: {
      canDoPskTls: false,
      listen: () => Promise.reject(absent),
      dial: () => Promise.reject(absent),
      connect: () => Promise.reject(absent),
    },
    keyManagement: { exchange: () => Promise.reject(absent) },
    bootstrapping: { open: () => ({ ask: () => Promise.reject(absent), close: () => undefined }) },
    ...more,
  };
  const userAgent = createSipUserAgent({
    ports,
    account: {
      identity: 'sip:alice@lab.test',
      privateIdentity: 'alice-private@lab.test',
      authentication: { mode: 'digest', password: new SecretBytes(utf8(password)) },
      domain: 'lab.test',
      target: { host: '127.0.0.1', port: 5061, protocol: 'tls', serverName: 'edge.lab.test' },
      registrationEvents: false,
      ...account,
    },
  });
  const states: RegistrationState[] = [];
  userAgent.events.on('registration', (state) => states.push(state));
  return { userAgent, clock, states };
}

/** Lets everything that is only waiting for its turn happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Checks the Authorization of a request as a registrar does. */
export function isAuthorized({ message }: Received): boolean {
  const header = message.headers.get('Authorization') ?? message.headers.get('Proxy-Authorization');
  if (header === undefined || message.start.kind !== 'request') return false;
  const { values } = readAuthParams(header, 'test');
  const text = (name: string): string => values.get(name) ?? '';
  const expected = digestResponse({
    algorithm: (values.get('algorithm') ?? 'MD5') as DigestAlgorithm,
    username: 'alice-private@lab.test',
    realm: text('realm'),
    password: new SecretBytes(utf8(password)),
    method: message.start.method,
    uri: message.start.uri,
    nonce: text('nonce'),
    qop: values.get('qop') as 'auth' | 'auth-int' | undefined,
    nonceCount: text('nc'),
    cnonce: text('cnonce'),
    body: message.body,
  });
  return text('response') === expected;
}

export const challenges = {
  md5: 'Digest realm="lab.test", nonce="nonce-md5", algorithm=MD5, qop="auth"',
  sha256: 'Digest realm="lab.test", nonce="nonce-sha", algorithm=SHA-256, qop="auth,auth-int", opaque="op"',
};

export const securityServer = ['tls;q=0.2', 'msrp-tls;mediasec'];

/** A registrar: challenges, then takes the binding for an hour. */
export function registrar(received: Received, more: Record<string, string | string[]> = {}): void {
  const contact = received.message.headers.get('Contact') ?? '';
  if (!isAuthorized(received)) {
    received.reply(401, { 'WWW-Authenticate': [challenges.md5, challenges.sha256], 'Security-Server': securityServer });
  } else if (contact.endsWith('expires=0')) {
    received.reply(200);
  } else {
    received.reply(200, { Contact: contact, 'Service-Route': '<sip:orig@scscf.lab.test;lr>', ...more });
  }
}

export async function createRegisteredClient(account: Partial<SipAccount> = {}): Promise<SipClient> {
  const client = createClient(account);
  client.server.onRequest = (received) => {
    if (received.message.method === 'REGISTER') registrar(received);
  };
  await client.userAgent.register();
  return client;
}

/** Answers REGISTER as `registrar` does and everything else by `action`. */
export function serve(server: ScriptedSipServer, action: (received: Received) => void): void {
  server.onRequest = (received) => {
    if (received.message.method === 'REGISTER') registrar(received);
    else action(received);
  };
}
