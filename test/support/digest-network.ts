import { utf8 } from '../../src/base/bytes.ts';
import type { OutgoingMessage, SipAccount } from '../../src/engine/sip/index.ts';
import type { SipMessage } from '../../src/protocol/sip/message.ts';
import { credentialsFor, isRight } from './digest-credentials.ts';
import type { Received } from './scripted-sip-server.ts';
import { createClient, type SipClient } from './sip-client.ts';

export const message: OutgoingMessage = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: utf8('Hello') };

export function challenge(realm: string, nonce: string, more = 'algorithm=SHA-256, qop="auth"'): string {
  return `Digest realm="${realm}", nonce="${nonce}", ${more}`;
}

/** Credentials for the home network of a registrar or server. */
export const home = (request: SipMessage): ReadonlyMap<string, string> =>
  credentialsFor(request, 'Authorization', 'lab.test');
/** Credentials for the home network of a proxy. */
export const proxy = (request: SipMessage): ReadonlyMap<string, string> =>
  credentialsFor(request, 'Proxy-Authorization', 'lab.test');

export const grant = ({ message: request, reply }: Received, more: Record<string, string> = {}): void =>
  reply(200, { Contact: request.headers.get('Contact') ?? '', ...more });

/** A registrar that asks for the password once. */
export function register(received: Received, asked: string = challenge('lab.test', 'r1')): void {
  const contact = received.message.headers.get('Contact') ?? '';
  if (!isRight(received.message, home(received.message))) received.reply(401, { 'WWW-Authenticate': asked });
  else if (contact.endsWith('expires=0')) received.reply(200);
  else grant(received);
}

/** A home network with that registrar, whose other servers do as the test says. */
export function digestNetwork(
  onRequest: (received: Received) => void = () => undefined,
  account: Partial<SipAccount> = {},
): SipClient {
  const client = createClient(account);
  client.server.onRequest = (received) => {
    if (received.message.method === 'REGISTER') register(received);
    else onRequest(received);
  };
  return client;
}
