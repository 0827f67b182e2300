import { concatBytes } from '../../base/bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { Milenage, type MilenageConstants, type MilenageKeys } from './milenage.ts';
import { requireOctets, xor } from './octets.ts';
import {
  indexCount,
  nextSeq,
  readSequenceNumber,
  writeSequenceNumber,
  type SequenceNumber,
} from './sequence-number.ts';
import { resynchronisationAmf, type AkaKeys } from './usim.ts';

/** What the home network sends and expects in one run of AKA (TS 33.102 clause 6.3.2). `keys.res` is XRES. */
export interface AuthenticationVector {
  /** 16 octets. */
  readonly rand: Uint8Array;
  /** 16 octets. */
  readonly autn: Uint8Array;
  readonly keys: AkaKeys;
}

export type ResynchronisationOutcome =
  /** The subscriber's own word where it is: the next vector follows from `sequence`. */
  { readonly outcome: 'resynchronised'; readonly sequence: SequenceNumber } | { readonly outcome: 'mac-failure' };

export interface AuthenticationCentreOptions {
  /** 2 octets; zero unless given, which leaves the separation bit clear as IMS wants it (TS 33.102 annex H). */
  readonly amf?: Uint8Array;
  readonly constants?: MilenageConstants;
}

/**
 * The home side of AKA for one subscriber (TS 33.102 clauses 6.3.2 and 6.3.5). It keeps no sequence number: the caller does, and
 * keeps the new one before a vector leaves.
 */
export class AuthenticationCentre {
  readonly #milenage: Milenage;
  readonly #amf: Uint8Array;

  constructor(keys: MilenageKeys, { amf = new Uint8Array(2), constants }: AuthenticationCentreOptions = {}) {
    this.#milenage = new Milenage(keys, constants);
    this.#amf = requireOctets(amf, 2, 'aka.amf', 'local');
  }

  /**
   * @param rand 16 unpredictable octets, new each time @param last the number of the vector before
   * @throws ProtocolError `expired` when the sequence numbers are used up
   */
  createVector(
    rand: Uint8Array,
    last: SequenceNumber,
  ): { readonly vector: AuthenticationVector; readonly sequence: SequenceNumber } {
    // TS 33.102 C.1.2: with a new IND for each vector one that is overtaken on its way is still taken.
    const sequence = { seq: nextSeq(last.seq), ind: (last.ind + 1) % indexCount };
    const sqn = writeSequenceNumber(sequence);
    const { macA } = this.#milenage.f1(rand, sqn, this.#amf);
    const { ak, ...keys } = this.#milenage.f2345(rand);
    return { vector: { rand, autn: concatBytes(xor(sqn, ak), this.#amf, macA), keys }, sequence };
  }

  /**
   * @param rand of the challenge that the subscriber refused. The caller makes sure that it asked with it and takes AUTS for it once.
   * @throws ProtocolError `malformed` unless RAND has 16 and AUTS 14 octets
   */
  resynchronise(rand: Uint8Array, auts: Uint8Array): ResynchronisationOutcome {
    requireOctets(auts, 14, 'aka.auts');
    const sqn = xor(auts.slice(0, 6), this.#milenage.f5Star(rand));
    const { macS } = this.#milenage.f1(rand, sqn, resynchronisationAmf);
    if (!constantTimeEqual(macS, auts.slice(6))) return { outcome: 'mac-failure' };
    return { outcome: 'resynchronised', sequence: readSequenceNumber(sqn) };
  }
}
