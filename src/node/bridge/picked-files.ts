import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { randomId } from '../../base/random.ts';
import type { PickedFile } from '../../contract/index.ts';
import { secureRandom } from '../../crypto/random.ts';
import { mediaTypeOf } from '../files/media-types.ts';

const maxPicked = 64;

/** Files that the user chose, by tokens that cannot be guessed: what the screens do not hold a token for they cannot send. */
export class PickedFiles {
  readonly #paths = new Map<string, string>();

  /** @throws Error when it cannot be read or is no ordinary file. */
  async add(path: string): Promise<PickedFile> {
    const facts = await stat(path);
    if (!facts.isFile()) throw new Error('not an ordinary file');
    const token = randomId(secureRandom, 16);
    this.#paths.set(token, path);
    const [oldest] = this.#paths.keys();
    if (this.#paths.size > maxPicked && oldest !== undefined) this.#paths.delete(oldest);
    return { token, name: basename(path), size: facts.size, type: mediaTypeOf(extname(path)) };
  }

  /** The path, once. */
  take(token: string): string | undefined {
    const path = this.#paths.get(token);
    this.#paths.delete(token);
    return path;
  }
}
