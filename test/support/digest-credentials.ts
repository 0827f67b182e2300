import { utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { readAuthParams } from '../../src/protocol/digest/auth-params.ts';
import { digestResponse, type DigestAlgorithm, type QualityOfProtection } from '../../src/protocol/digest/digest.ts';
import type { SipMessage } from '../../src/protocol/sip/message.ts';

export type Header = 'Authorization' | 'Proxy-Authorization';

/** What a request carried in that header, one for each realm. */
export function credentialsOf(message: SipMessage, header: Header): ReadonlyMap<string, string>[] {
  return message.headers.getAll(header).map((value) => readAuthParams(value, 'test').values);
}

/** Those of one realm. */
export function credentialsFor(message: SipMessage, header: Header, realm: string): ReadonlyMap<string, string> {
  return credentialsOf(message, header).find((values) => values.get('realm') === realm) ?? new Map();
}

export interface ExpectedUser {
  readonly username: string;
  readonly password: string;
}

export const alice: ExpectedUser = { username: 'alice-private@lab.test', password: 'correct horse' };

/** Whether the response value is right for the octets of the message, as a server computes it. */
export function isRight(message: SipMessage, values: ReadonlyMap<string, string>, user: ExpectedUser = alice): boolean {
  const response = values.get('response') ?? '';
  return response !== '' && response === expectedResponse(message, values, user, message.method ?? '', message.body);
}

/** `rspauth` of the answer to a request with these credentials. */
export function responseAuth(
  message: SipMessage,
  values: ReadonlyMap<string, string>,
  body: Uint8Array = new Uint8Array(),
): string {
  return expectedResponse(message, values, alice, '', body);
}

function expectedResponse(
  { start }: SipMessage,
  values: ReadonlyMap<string, string>,
  { username, password }: ExpectedUser,
  method: string,
  body: Uint8Array,
): string {
  const text = (name: string): string => values.get(name) ?? '';
  return digestResponse({
    algorithm: (values.get('algorithm') ?? 'MD5') as DigestAlgorithm,
    username,
    realm: text('realm'),
    password: new SecretBytes(utf8(password)),
    method,
    uri: start.kind === 'request' ? start.uri : '',
    nonce: text('nonce'),
    qop: values.get('qop') as QualityOfProtection | undefined,
    nonceCount: text('nc'),
    cnonce: text('cnonce'),
    body,
  });
}
