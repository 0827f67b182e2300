import { ProtocolError } from '../../base/errors.ts';
import { startDigest, type RunningDigest } from '../../crypto/digest.ts';
import type { FileTargetOptions } from '../../engine/files/file-storage.ts';
import type { FileHash } from '../../protocol/sdp/index.ts';
import { hashOf } from './file-source.ts';

const digests = { 'sha-1': 'sha1', 'sha-256': 'sha256', 'sha-384': 'sha384', 'sha-512': 'sha512' } as const;
const trusted: readonly string[] = ['sha-256', 'sha-384', 'sha-512'];

type Algorithm = keyof typeof digests;

/** Counts and hashes a file as it comes, in order, against what its sender announced. */
export class ReceivedHashes {
  readonly #options: Pick<FileTargetOptions, 'size' | 'maxOctets'>;
  /** Of each hash that the sender named and that we know, running over what came so far. */
  readonly #running = new Map<FileHash, RunningDigest>();
  #position = 0;

  constructor(options: Pick<FileTargetOptions, 'size' | 'maxOctets' | 'hashes'>) {
    this.#options = options;
    for (const hash of options.hashes) {
      if (isKnown(hash.algorithm)) this.#running.set(hash, startDigest(digests[hash.algorithm]));
    }
  }

  /** Octets so far. */
  get position(): number {
    return this.#position;
  }

  /** A hash of SHA-256 or better was named. */
  get isTrusted(): boolean {
    return [...this.#running.keys()].some(({ algorithm }) => trusted.includes(algorithm));
  }

  /** @throws ProtocolError `peer-misbehaved` for octets out of order, or more than announced. */
  take(position: number, bytes: Uint8Array): void {
    if (position !== this.#position) {
      wrong('file.position', `octet ${position} after ${this.#position}`, 'octets in order');
    }
    const { size, maxOctets } = this.#options;
    if (position + bytes.length > (size ?? maxOctets)) {
      wrong('file.size', 'longer than announced', `${size ?? maxOctets} octets`);
    }
    this.add(bytes);
  }

  /** Octets that an earlier attempt left. */
  add(bytes: Uint8Array): void {
    for (const digest of this.#running.values()) digest.update(bytes);
    this.#position += bytes.length;
  }

  /** Once, at the end. @throws ProtocolError `peer-misbehaved`, field `file.size` or `file.hash` */
  check(): void {
    const { size } = this.#options;
    if (size !== undefined && this.#position !== size) wrong('file.size', `${this.#position} octets`, `${size} octets`);
    for (const [expected, digest] of this.#running) {
      if (hashOf(expected.algorithm, digest.finish()).value !== expected.value.toUpperCase()) {
        wrong('file.hash', 'another content than announced', `the announced ${expected.algorithm} hash`);
      }
    }
  }
}

function isKnown(algorithm: string): algorithm is Algorithm {
  return Object.hasOwn(digests, algorithm);
}

function wrong(field: string, problem: string, expected: string): never {
  throw new ProtocolError('peer-misbehaved', problem, { field, expected });
}
