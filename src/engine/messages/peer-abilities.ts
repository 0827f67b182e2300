import type { Clock } from '../../base/clock.ts';
import { limits } from '../limits.ts';
import type { NoteStore } from '../store/index.ts';

/** What a peer may not understand: the envelope of a text, notifications, the status of writing. */
export type PeerAbility = 'cpim' | 'imdn' | 'composing';

const kind = 'peer-refuses';

/** What peers answered 415 to: they get none of it again, until that is forgotten because their devices may have changed. */
export class PeerAbilities {
  readonly #clock: Clock;
  readonly #notes: NoteStore;

  constructor(clock: Clock, notes: NoteStore) {
    this.#clock = clock;
    this.#notes = notes;
  }

  takes(peer: string, ability: PeerAbility): boolean {
    const since = this.#notes.get(kind, keyOf(peer, ability));
    if (typeof since !== 'number') return true;
    // Either way: a clock that was set back by a year does not make it longer.
    if (Math.abs(this.#clock.now() - since) < limits.peerRefusalMilliseconds) return false;
    this.#notes.delete(kind, keyOf(peer, ability));
    return true;
  }

  /** It refuses more than that: its answer told nothing of this ability. */
  forget(peer: string, ability: PeerAbility): void {
    this.#notes.delete(kind, keyOf(peer, ability));
  }

  noteRefusal(peer: string, ability: PeerAbility): void {
    this.#notes.set(kind, keyOf(peer, ability), this.#clock.now());
  }
}

function keyOf(peer: string, ability: PeerAbility): string {
  return `${peer} ${ability}`;
}
