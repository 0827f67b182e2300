import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';

interface Offered {
  readonly path: string;
  readonly name: string;
}

/** Files that the page may get once each, by paths that cannot be guessed. The folder of a file is its own, and goes with it. */
export class Downloads {
  readonly #offered = new Map<string, Offered>();

  /** Returns the path of the console at which it is. */
  offer(path: string, name: string): string {
    const address = `/downloads/${randomId(secureRandom, 16)}`;
    this.#offered.set(address, { path, name });
    return address;
  }

  has(address: string): boolean {
    return this.#offered.has(address);
  }

  /** Never rejects: a page that goes away in between has asked for nothing any more. */
  async send(address: string, response: ServerResponse, headers: Readonly<Record<string, string>>): Promise<void> {
    const offered = this.#offered.get(address);
    this.#offered.delete(address);
    if (offered === undefined) return;
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(offered.name)}`,
    });
    await pipeline(createReadStream(offered.path), response).catch(() => undefined);
    await rm(dirname(offered.path), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    const left = [...this.#offered.values()];
    this.#offered.clear();
    await Promise.all(left.map(({ path }) => rm(dirname(path), { recursive: true, force: true })));
  }
}
