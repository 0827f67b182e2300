import { toHex, utf8 } from '../../base/bytes.ts';
import { randomId } from '../../base/random.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { md5, sha256 } from '../../crypto/digest.ts';
import { secureRandom } from '../../crypto/random.ts';
import { splitHeaderList } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';

export type Verdict =
  | { readonly kind: 'accepted'; readonly algorithm: string }
  /** No usable credentials yet, or a nonce that is no longer good. */
  | { readonly kind: 'challenge'; readonly stale: boolean }
  | { readonly kind: 'refused' };

const nonceLifetimeMilliseconds = 5 * 60_000;
const maxNonces = 1000;

const hashes: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = { 'SHA-256': sha256, MD5: md5 };

/** The server side of HTTP Digest as SIP uses it (RFC 7616, RFC 8760), quality of protection `auth`. */
export class DigestAuthenticator {
  readonly #realm: string;
  readonly #nonces = new Map<string, { readonly until: number; lastCount: number }>();

  constructor(realm: string) {
    this.#realm = realm;
  }

  /** Values for WWW-Authenticate, the preferred algorithm first (RFC 8760 2.4). */
  challenges(stale: boolean, now: number): string[] {
    const nonce = randomId(secureRandom, 16);
    this.#nonces.set(nonce, { until: now + nonceLifetimeMilliseconds, lastCount: 0 });
    const oldest = this.#nonces.keys().next().value;
    if (this.#nonces.size > maxNonces && oldest !== undefined) this.#nonces.delete(oldest);
    return Object.keys(hashes).map(
      (algorithm) =>
        `Digest realm="${this.#realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"` +
        (stale ? ', stale=true' : ''),
    );
  }

  verify(request: SipMessage, user: LabUser, now: number): Verdict {
    const credentials = readCredentials(request);
    // IMS clients send an Authorization header without response in the first REGISTER to name the IMPI.
    if (credentials === undefined || !credentials.get('response')) return { kind: 'challenge', stale: false };
    const nonce = this.#nonces.get(credentials.get('nonce') ?? '');
    if (nonce === undefined || nonce.until < now) return { kind: 'challenge', stale: true };
    const algorithm = (credentials.get('algorithm') ?? 'MD5').toUpperCase();
    const count = Number.parseInt(credentials.get('nc') ?? '', 16);
    if (credentials.get('username') !== user.privateIdentity || credentials.get('realm') !== this.#realm) {
      return { kind: 'refused' };
    }
    const expected = expectedResponse(request, credentials, user, algorithm);
    if (expected === undefined || !constantTimeEqual(utf8(expected), utf8(credentials.get('response') ?? ''))) {
      return { kind: 'refused' };
    }
    // RFC 7616 3.4: a count that does not grow is a replay.
    if (!(count > nonce.lastCount)) return { kind: 'challenge', stale: true };
    nonce.lastCount = count;
    return { kind: 'accepted', algorithm };
  }
}

function expectedResponse(
  request: SipMessage,
  credentials: ReadonlyMap<string, string>,
  user: LabUser,
  algorithm: string,
): string | undefined {
  const hash = hashes[algorithm];
  const text = (name: string): string => credentials.get(name) ?? '';
  if (hash === undefined || text('qop') !== 'auth' || request.start.kind !== 'request') return undefined;
  if (text('uri') !== request.start.uri) return undefined;
  const digest = (value: string): string => toHex(hash(utf8(value)));
  const a1 = digest(`${user.privateIdentity}:${text('realm')}:${user.password}`);
  const a2 = digest(`${request.start.method}:${text('uri')}`);
  return digest([a1, text('nonce'), text('nc'), text('cnonce'), 'auth', a2].join(':'));
}

/** Parameters of the Authorization header, names in lower case; undefined without one of Digest. */
export function readCredentials(request: SipMessage): ReadonlyMap<string, string> | undefined {
  const value = request.headers.get('Authorization');
  const parameters = /^Digest\s+(.*)$/is.exec(value ?? '')?.[1];
  if (parameters === undefined) return undefined;
  const pairs = splitHeaderList(parameters).map((part): [string, string] => {
    const [, name = '', quoted, plain = ''] = /^([A-Za-z0-9-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(.*))$/.exec(part) ?? [];
    return [name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain];
  });
  return new Map(pairs);
}
