import { concatBytes } from '../../base/bytes.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { Milenage, type MilenageConstants, type MilenageKeys } from './milenage.ts';
import { requireOctets, xor } from './octets.ts';
import {
  acceptSequenceNumber,
  highestSequenceNumber,
  readSequenceNumber,
  writeSequenceNumber,
  type SequenceRules,
  type SequenceWindow,
} from './sequence-number.ts';

/*
 *  AUTN (16 octets) of TS 33.102 clause 6.3.2, and AUTS (14 octets) of clause 6.3.3:
 *   +-----------------+---------+--------------------+      +--------------------+--------------------+
 *   | SQN XOR AK, 6   | AMF, 2  | MAC-A, 8           |      | SQN_MS XOR AK*, 6  | MAC-S, 8           |
 *   +-----------------+---------+--------------------+      +--------------------+--------------------+
 */

/** In a resynchronisation f1* takes a dummy AMF (TS 33.102 clause 6.3.3). */
export const resynchronisationAmf = new Uint8Array(2);

/** Keys of one run of AKA. Whoever takes them disposes them. */
export interface AkaKeys {
  /** 8 octets. */
  readonly res: SecretBytes;
  /** 16 octets. */
  readonly ck: SecretBytes;
  /** 16 octets. */
  readonly ik: SecretBytes;
}

export type UsimOutcome =
  /** The network proved that it knows K. `window` must be kept before the keys are used: else a copy could pass later. */
  | { readonly outcome: 'success'; readonly keys: AkaKeys; readonly window: SequenceWindow }
  /** Whoever made the challenge does not know K, or (`amf`) made it for another use. Nothing about us is told. */
  | { readonly outcome: 'mac-failure'; readonly reason: 'mac' | 'amf' }
  /** Made by the network, but used before, too old or too far ahead: AUTS (14 octets) tells it where we are. */
  | { readonly outcome: 'sync-failure'; readonly auts: Uint8Array };

export interface UsimOptions {
  readonly constants?: MilenageConstants;
  readonly rules?: SequenceRules;
  /** The only AMF (2 octets) that is taken; any when absent. */
  readonly amf?: Uint8Array;
  /**
   * The first bit of AMF, set in vectors for LTE and 5G (TS 33.102 annex H). TS 33.203 does not make IMS devices look at it,
   * and some networks set it for IMS too: `any` unless said.
   */
  readonly separationBit?: 'any' | 'clear' | 'set';
}

/** The checks of a USIM (TS 33.102 clause 6.3.3), in software. It keeps no sequence numbers: the caller does. */
export class Usim {
  readonly #milenage: Milenage;
  readonly #options: UsimOptions;

  /** @throws ProtocolError `local` for keys, constants or AMF of another size */
  constructor(keys: MilenageKeys, options: UsimOptions = {}) {
    if (options.amf !== undefined) requireOctets(options.amf, 2, 'aka.amf', 'local');
    this.#milenage = new Milenage(keys, options.constants);
    this.#options = options;
  }

  /** @throws ProtocolError `malformed` unless RAND and AUTN have 16 octets each */
  authenticate(rand: Uint8Array, autn: Uint8Array, window: SequenceWindow): UsimOutcome {
    requireOctets(rand, 16, 'aka.rand');
    requireOctets(autn, 16, 'aka.autn');
    const { ak, ...keys } = this.#milenage.f2345(rand);
    const amf = autn.slice(6, 8);
    const sqn = xor(autn.slice(0, 6), ak);
    const { macA } = this.#milenage.f1(rand, sqn, amf);
    const refused = (outcome: UsimOutcome): UsimOutcome => {
      disposeAkaKeys(keys);
      return outcome;
    };
    // The order of TS 33.102 6.3.3: the MAC first, so that a forger learns nothing about our sequence numbers.
    if (!constantTimeEqual(macA, autn.slice(8))) return refused({ outcome: 'mac-failure', reason: 'mac' });
    if (!this.#isAcceptableAmf(amf)) return refused({ outcome: 'mac-failure', reason: 'amf' });
    const accepted = acceptSequenceNumber(window, readSequenceNumber(sqn), this.#options.rules);
    if (accepted === undefined) return refused({ outcome: 'sync-failure', auts: this.#auts(rand, window) });
    return { outcome: 'success', keys, window: accepted };
  }

  #isAcceptableAmf(amf: Uint8Array): boolean {
    const { amf: only, separationBit = 'any' } = this.#options;
    if (only !== undefined && !constantTimeEqual(amf, only)) return false;
    const isSet = ((amf[0] ?? 0) & 0x80) !== 0;
    return separationBit === 'any' || isSet === (separationBit === 'set');
  }

  #auts(rand: Uint8Array, window: SequenceWindow): Uint8Array {
    const sqn = writeSequenceNumber(highestSequenceNumber(window));
    const { macS } = this.#milenage.f1(rand, sqn, resynchronisationAmf);
    return concatBytes(xor(sqn, this.#milenage.f5Star(rand)), macS);
  }
}

export function disposeAkaKeys({ res, ck, ik }: AkaKeys): void {
  for (const secret of [res, ck, ik]) secret.dispose();
}
