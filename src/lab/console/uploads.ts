import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { randomId } from '../../base/random.ts';
import type { PickedFile } from '../../contract/index.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { PickedFiles } from '../../node/bridge/picked-files.ts';
import { safeFileName } from '../../node/files/safe-name.ts';

const maxOctets = 1024 ** 3;
const maxTotalOctets = 4 * 1024 ** 3;
const atOnce = 4;

export type UploadOutcome =
  | { readonly status: 200; readonly file: PickedFile }
  | { readonly status: 400 | 413 | 429; readonly explanation: string };

/** Files that the page gives to the console, so that they can be sent: in a folder of their own that goes with the console. */
export class Uploads {
  readonly #picked: PickedFiles;
  #folder: Promise<string> | undefined;
  #octets = 0;
  #running = 0;

  constructor(picked: PickedFiles) {
    this.#picked = picked;
  }

  /** Takes the body of a request whose sender was checked. Its name stands percent-encoded in `X-File-Name`. */
  async take(request: IncomingMessage): Promise<UploadOutcome> {
    const name = nameOf(request.headers['x-file-name']);
    if (name === undefined) return { status: 400, explanation: 'The name of the file is missing.' };
    if (this.#running >= atOnce) return { status: 429, explanation: 'Too many files at once.' };
    this.#running += 1;
    try {
      return await this.#store(request, name);
    } finally {
      this.#running -= 1;
    }
  }

  async stop(): Promise<void> {
    const folder = await this.#folder;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  async #store(request: IncomingMessage, name: string): Promise<UploadOutcome> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'tessera-uploads-'));
    // A folder for each: two files of the same name keep it.
    const folder = join(await this.#folder, randomId(secureRandom, 8));
    const path = join(folder, safeFileName(name));
    let octets = 0;
    const bounded = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        octets += chunk.length;
        this.#octets += chunk.length;
        if (octets > maxOctets || this.#octets > maxTotalOctets) done(new TooLarge());
        else done(null, chunk);
      },
    });
    try {
      await mkdir(folder, { mode: 0o700 });
      await pipeline(request, bounded, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      return { status: 200, file: await this.#picked.add(path) };
    } catch (error) {
      this.#octets -= octets;
      await rm(folder, { recursive: true, force: true });
      const isTooLarge = error instanceof TooLarge;
      return isTooLarge
        ? { status: 413, explanation: 'The console takes files of at most 1 GiB, and 4 GiB in all.' }
        : { status: 400, explanation: 'The file did not arrive whole.' };
    }
  }
}

class TooLarge extends Error {}

function nameOf(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    return decodeURIComponent(header);
  } catch {
    return undefined;
  }
}
