import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { randomId, type Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { readAuthParams } from '../../protocol/digest/auth-params.ts';
import { digestResponse } from '../../protocol/digest/digest.ts';

export interface RelayUsersOptions {
  readonly realm: string;
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
  readonly algorithm: 'MD5' | 'SHA-256';
  /** What becomes of a digest that names the `uri`, or does not: relays differ. */
  readonly uriParameter: 'taken' | 'demanded' | 'unanswered';
  readonly random: Random;
}

export type RelayJudgement =
  | { readonly verdict: 'challenge'; readonly header: string }
  /** `info` is the value of Authentication-Info. */
  | { readonly verdict: 'known'; readonly user: string; readonly info: string }
  | { readonly verdict: 'bad-request' }
  | { readonly verdict: 'silence' };

/** The digest of a relay (RFC 4976 section 9.1): each nonce serves once, and the next one goes out with the 200. */
export class RelayUsers {
  readonly #options: RelayUsersOptions;
  readonly #nonces = new Set<string>();

  constructor(options: RelayUsersOptions) {
    this.#options = options;
  }

  judge(authorization: string | undefined, uri: string): RelayJudgement {
    if (authorization === undefined) return this.#challenge(false);
    const values = read(authorization);
    if (values === undefined) return { verdict: 'bad-request' };
    const { uriParameter } = this.#options;
    if (uriParameter === 'demanded' && values.get('uri') !== uri) return { verdict: 'bad-request' };
    if (uriParameter === 'unanswered' && values.has('uri')) return { verdict: 'silence' };
    if (!this.#nonces.delete(values.get('nonce') ?? '')) return this.#challenge(true);
    const username = values.get('username') ?? '';
    const password = Object.hasOwn(this.#options.users, username) ? this.#options.users[username] : undefined;
    const right = (method: string): string =>
      digestResponse({
        algorithm: this.#options.algorithm,
        username,
        realm: this.#options.realm,
        password: new SecretBytes(utf8(password ?? '')),
        method,
        uri,
        nonce: values.get('nonce') ?? '',
        qop: 'auth',
        nonceCount: values.get('nc') ?? '',
        cnonce: values.get('cnonce') ?? '',
        body: new Uint8Array(),
      });
    if (password === undefined || values.get('response') !== right('AUTH')) return this.#challenge(false);
    const info = `nextnonce="${this.#nonce()}", rspauth="${right('')}", cnonce="${values.get('cnonce') ?? ''}", nc=${values.get('nc') ?? ''}, qop=auth`;
    return { verdict: 'known', user: username, info };
  }

  #challenge(stale: boolean): RelayJudgement {
    const { realm, algorithm } = this.#options;
    const header = `Digest realm="${realm}", nonce="${this.#nonce()}", algorithm=${algorithm}, qop="auth"${stale ? ', stale=true' : ''}`;
    return { verdict: 'challenge', header };
  }

  #nonce(): string {
    const nonce = randomId(this.#options.random, 16);
    this.#nonces.add(nonce);
    return nonce;
  }
}

function read(authorization: string): ReadonlyMap<string, string> | undefined {
  try {
    return readAuthParams(authorization, 'msrp.Authorization').values;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
