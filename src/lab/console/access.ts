import type { IncomingMessage } from 'node:http';
import { utf8 } from '../../base/bytes.ts';
import { randomId } from '../../base/random.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { secureRandom } from '../../crypto/random.ts';

/**
 * Who may use the page: the one browser that came first with the token of the address. The token is exchanged for a
 * cookie and is then worthless, so that an address left in a terminal, a history or a chat opens nothing.
 */
export class Access {
  readonly token = randomId(secureRandom, 32);
  readonly #session = randomId(secureRandom, 32);
  readonly #cookieName: string;
  readonly #hosts: readonly string[];
  #isTokenUsed = false;

  /** @param port cookies of one host are shared by all its ports, hence a name for each. */
  constructor(port: number) {
    this.#cookieName = `tessera-console-${port}`;
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  }

  /** Keeps a foreign name that was made to resolve to this machine from reaching the console (DNS rebinding). */
  isRightHost(request: IncomingMessage): boolean {
    return this.#hosts.includes(request.headers.host ?? '');
  }

  /** Browsers send Origin with every WebSocket handshake: only our own page may connect. */
  isRightOrigin(request: IncomingMessage): boolean {
    return request.headers.origin === `http://${request.headers.host ?? ''}`;
  }

  hasSession(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    const prefix = `${this.#cookieName}=`;
    return cookies.some((cookie) => cookie.startsWith(prefix) && sameText(cookie.slice(prefix.length), this.#session));
  }

  /** The cookie to set, or undefined when the token is wrong or was used before. */
  exchange(token: string): string | undefined {
    if (this.#isTokenUsed || !sameText(token, this.token)) return undefined;
    this.#isTokenUsed = true;
    // Lax, not Strict: the address may be clicked in a terminal that is itself a web page.
    return `${this.#cookieName}=${this.#session}; Path=/; HttpOnly; SameSite=Lax`;
  }
}

function sameText(a: string, b: string): boolean {
  return constantTimeEqual(utf8(a), utf8(b));
}
