import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import {
  AuthenticationCentre,
  standardSequenceRules,
  type AuthenticationVector,
  type SequenceNumber,
} from '../protocol/gba/index.ts';
import type { LabFaults } from './faults.ts';
import type { LabUser } from './users.ts';

interface Subscriber {
  readonly centre: AuthenticationCentre;
  /** Makes vectors that fit nobody. */
  readonly stranger: AuthenticationCentre;
  sequence: SequenceNumber;
  /** The subscriber has just told where it is: the next vector is made from there, whatever fault is set. */
  isResynchronised: boolean;
}

/** The home network's side of the users' SIMs: registrar and bootstrapping server take their vectors from one place. */
export class LabAuthenticationCentre {
  readonly #faults: LabFaults;
  readonly #random: Random;
  readonly #subscribers = new Map<LabUser, Subscriber>();

  constructor(faults: LabFaults, random: Random) {
    this.#faults = faults;
    this.#random = random;
  }

  /** Whoever takes it disposes its keys. */
  createVector(user: LabUser): AuthenticationVector {
    const subscriber = this.#subscriber(user);
    const { centre, stranger, isResynchronised } = subscriber;
    const rand = this.#random.bytes(16);
    const fault = isResynchronised ? undefined : this.#faults.akaSequence;
    if (this.#faults.akaWrongKey === true) return stranger.createVector(rand, subscriber.sequence).vector;
    if (fault !== undefined) return centre.createVector(rand, misplaced(subscriber.sequence, fault)).vector;
    const { vector, sequence } = centre.createVector(rand, subscriber.sequence);
    subscriber.sequence = sequence;
    subscriber.isResynchronised = false;
    return vector;
  }

  /** @returns false when the user's SIM did not make `auts` for `rand`. @throws ProtocolError `malformed` for another size */
  resynchronise(user: LabUser, rand: Uint8Array, auts: Uint8Array): boolean {
    const subscriber = this.#subscriber(user);
    const outcome = subscriber.centre.resynchronise(rand, auts);
    if (outcome.outcome !== 'resynchronised') return false;
    subscriber.sequence = outcome.sequence;
    subscriber.isResynchronised = true;
    return true;
  }

  #subscriber(user: LabUser): Subscriber {
    const known = this.#subscribers.get(user);
    if (known !== undefined) return known;
    const made: Subscriber = {
      centre: new AuthenticationCentre(user.sim),
      stranger: new AuthenticationCentre({ ...user.sim, k: new SecretBytes(this.#random.bytes(16)) }),
      sequence: { seq: 0, ind: 0 },
      isResynchronised: false,
    };
    this.#subscribers.set(user, made);
    return made;
  }
}

/** Where to count on from, so that the next number is the one that was used last, or one that no USIM follows. */
function misplaced({ seq, ind }: SequenceNumber, fault: NonNullable<LabFaults['akaSequence']>): SequenceNumber {
  if (fault === 'ahead') return { seq: seq + 2 * standardSequenceRules.delta, ind };
  return { seq: Math.max(0, seq - 1), ind: (ind + 31) % 32 };
}
