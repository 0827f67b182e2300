import { utf8 } from '../../base/bytes.ts';
import { randomId } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { secureRandom } from '../../crypto/random.ts';
import { digestResponse, type DigestAlgorithm, type QualityOfProtection } from '../../protocol/digest/digest.ts';
import { splitHeaderList } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';

export type Verdict =
  | { readonly kind: 'accepted'; readonly algorithm: string }
  /** No usable credentials yet, or a nonce that is no longer good. */
  | { readonly kind: 'challenge'; readonly stale: boolean }
  | { readonly kind: 'refused' };

export interface DigestOptions {
  /** What is offered, the preferred one first (RFC 8760 2.4). */
  readonly algorithms: readonly DigestAlgorithm[];
  readonly qop: readonly QualityOfProtection[];
}

export const defaultDigestOptions: DigestOptions = { algorithms: ['SHA-256', 'MD5'], qop: ['auth'] };

const nonceLifetimeMilliseconds = 5 * 60_000;
const maxNonces = 1000;

/** The server side of HTTP Digest as SIP uses it (RFC 7616, RFC 8760). */
export class DigestAuthenticator {
  readonly #realm: string;
  readonly #options: DigestOptions;
  readonly #nonces = new Map<string, { readonly until: number; lastCount: number }>();

  constructor(realm: string, options: DigestOptions = defaultDigestOptions) {
    this.#realm = realm;
    this.#options = options;
  }

  /** Values for WWW-Authenticate, one for each algorithm. */
  challenges(stale: boolean, now: number): string[] {
    const nonce = randomId(secureRandom, 16);
    this.#nonces.set(nonce, { until: now + nonceLifetimeMilliseconds, lastCount: 0 });
    const oldest = this.#nonces.keys().next().value;
    if (this.#nonces.size > maxNonces && oldest !== undefined) this.#nonces.delete(oldest);
    return this.#options.algorithms.map(
      (algorithm) =>
        `Digest realm="${this.#realm}", nonce="${nonce}", algorithm=${algorithm}, qop="${this.#options.qop.join(',')}"` +
        (stale ? ', stale=true' : ''),
    );
  }

  verify(request: SipMessage, user: LabUser, now: number): Verdict {
    const credentials = readCredentials(request);
    // IMS clients send an Authorization header without response in the first REGISTER to name the IMPI.
    if (credentials === undefined || !credentials.get('response')) return { kind: 'challenge', stale: false };
    const nonce = this.#nonces.get(credentials.get('nonce') ?? '');
    if (nonce === undefined || nonce.until < now) return { kind: 'challenge', stale: true };
    const count = Number.parseInt(credentials.get('nc') ?? '', 16);
    if (credentials.get('username') !== user.privateIdentity || credentials.get('realm') !== this.#realm) {
      return { kind: 'refused' };
    }
    const algorithm = this.#algorithmOf(credentials);
    const expected = algorithm && this.#expected(request, credentials, user, algorithm);
    if (expected === undefined || !constantTimeEqual(utf8(expected), utf8(credentials.get('response') ?? ''))) {
      return { kind: 'refused' };
    }
    // RFC 7616 3.4: a count that does not grow is a replay.
    if (!(count > nonce.lastCount)) return { kind: 'challenge', stale: true };
    nonce.lastCount = count;
    return { kind: 'accepted', algorithm: algorithm ?? '' };
  }

  /** Undefined for one that was not offered. */
  #algorithmOf(credentials: ReadonlyMap<string, string>): DigestAlgorithm | undefined {
    const named = (credentials.get('algorithm') ?? 'MD5').toUpperCase();
    return this.#options.algorithms.find((offered) => offered.toUpperCase() === named);
  }

  #expected(
    { start, body }: SipMessage,
    credentials: ReadonlyMap<string, string>,
    user: LabUser,
    algorithm: DigestAlgorithm,
  ): string | undefined {
    const text = (name: string): string => credentials.get(name) ?? '';
    const qop = this.#options.qop.find((offered) => offered === text('qop').toLowerCase());
    if (qop === undefined || start.kind !== 'request' || text('uri') !== start.uri) return undefined;
    const password = new SecretBytes(utf8(user.password));
    const expected = digestResponse({
      algorithm,
      username: user.privateIdentity,
      realm: text('realm'),
      password,
      method: start.method,
      uri: start.uri,
      nonce: text('nonce'),
      qop,
      nonceCount: text('nc'),
      cnonce: text('cnonce'),
      body,
    });
    password.dispose();
    return expected;
  }
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
