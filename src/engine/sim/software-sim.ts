import { toHex, utf8 } from '../../base/bytes.ts';
import { describeError } from '../../base/errors.ts';
import { hmacSha256 } from '../../crypto/digest.ts';
import {
  checkSequenceWindow,
  disposeAkaKeys,
  emptySequenceWindow,
  Usim,
  type AkaKeys,
  type MilenageKeys,
  type SequenceWindow,
  type UsimOptions,
} from '../../protocol/gba/index.ts';
import type { SimStateStore } from '../ports.ts';

/** As `UsimOutcome`, with the window kept already. */
export type SimOutcome =
  /** Whoever takes the keys disposes them. */
  | { readonly outcome: 'success'; readonly keys: AkaKeys }
  | { readonly outcome: 'mac-failure'; readonly reason: 'mac' | 'amf' }
  | { readonly outcome: 'sync-failure'; readonly auts: Uint8Array }
  /** The sequence numbers could not be read or kept: without them a challenge that was copied could pass. */
  | { readonly outcome: 'unusable'; readonly reason: string };

export interface SoftwareSimParts {
  /** Stay the caller's, who disposes them when the account goes. */
  readonly keys: MilenageKeys;
  /** Absent where this device has no place for it: then every run is `unusable`. */
  readonly state: SimStateStore | undefined;
  readonly options?: UsimOptions;
}

/** One subscriber's USIM on this device. Registration and bootstrapping run AKA by the same one, and so share its sequence numbers. */
export class SoftwareSim {
  readonly #usim: Usim;
  readonly #state: SimStateStore | undefined;
  readonly #name: string;

  /** @throws ProtocolError `local` for keys of another size */
  constructor({ keys, state, options }: SoftwareSimParts) {
    this.#usim = new Usim(keys, options);
    this.#state = state;
    this.#name = simName(keys);
  }

  /**
   * One run of AKA. It is synchronous from reading to keeping the sequence numbers, so that no other run comes between.
   * @throws ProtocolError `malformed` unless RAND and AUTN have 16 octets each
   */
  authenticate(rand: Uint8Array, autn: Uint8Array): SimOutcome {
    if (this.#state === undefined) return unusable('this device has no place for the sequence numbers of a SIM');
    let window: SequenceWindow;
    try {
      const kept = this.#state.load(this.#name);
      window = kept === undefined ? emptySequenceWindow : checkSequenceWindow(kept);
    } catch (error) {
      return unusable(`the sequence numbers of the SIM cannot be read: ${describeError(error)}`);
    }
    const outcome = this.#usim.authenticate(rand, autn, window);
    if (outcome.outcome !== 'success') return outcome;
    try {
      this.#state.save(this.#name, outcome.window);
    } catch (error) {
      disposeAkaKeys(outcome.keys);
      return unusable(`the sequence numbers of the SIM cannot be kept: ${describeError(error)}`);
    }
    return { outcome: 'success', keys: outcome.keys };
  }
}

/** Names the state by the key, not by the identity: sequence numbers of one K mean nothing under another. Tells nothing about K. */
export function simName({ k }: MilenageKeys): string {
  return k.use((key) => toHex(hmacSha256(key, utf8('tessera sim state')).slice(0, 12)));
}

const unusable = (reason: string): SimOutcome => ({ outcome: 'unusable', reason });
