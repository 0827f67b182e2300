import { disposeAkaKeys, type AuthenticationVector } from '../../protocol/gba/index.ts';
import type { UbChallenge } from '../../engine/bootstrapping/ub-digest.ts';

/** A challenge that waits for its one answer. */
export interface OpenChallenge {
  readonly privateIdentity: string;
  readonly challenge: UbChallenge;
  /** Of AKA; absent for GBA_Digest. */
  readonly vector: AuthenticationVector | undefined;
  /** Milliseconds since 1970. */
  readonly until: number;
}

const maxChallenges = 4_096;

/** Nonces that were given out and not answered yet: each serves once, so that an answer which is sent again meets nothing. */
export class OpenChallenges {
  /** Oldest first. */
  readonly #open = new Map<string, OpenChallenge>();

  put(entry: OpenChallenge, now: number): void {
    for (const kept of this.#open.values()) {
      if (kept.until > now && this.#open.size < maxChallenges) break;
      this.#drop(kept);
    }
    this.#open.set(entry.challenge.nonce, entry);
  }

  /** The caller disposes the keys of its vector. */
  take(nonce: string, now: number): OpenChallenge | undefined {
    const found = this.#open.get(nonce);
    this.#open.delete(nonce);
    if (found === undefined || found.until > now) return found;
    disposeVector(found);
    return undefined;
  }

  clear(): void {
    for (const entry of this.#open.values()) this.#drop(entry);
  }

  #drop(entry: OpenChallenge): void {
    this.#open.delete(entry.challenge.nonce);
    disposeVector(entry);
  }
}

export function disposeVector({ vector }: OpenChallenge): void {
  if (vector !== undefined) disposeAkaKeys(vector.keys);
}
