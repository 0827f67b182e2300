import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import { vcardLimits } from './limits.ts';
import { logicalLines } from './lines.ts';
import { parseProperty, type VCardProperty } from './property.ts';

export interface VCard {
  readonly version: '2.1' | '3.0' | '4.0';
  /** Line of its BEGIN in the file, from 1. */
  readonly line: number;
  /** In order; without BEGIN, VERSION and END. */
  readonly properties: readonly VCardProperty[];
}

/** A place in the file that could not be read. */
export interface VCardProblem {
  /** From 1. */
  readonly line: number;
  /** A sentence without its full stop, for the user; names no content. */
  readonly problem: string;
}

export interface VCardFile {
  readonly cards: readonly VCard[];
  readonly problems: readonly VCardProblem[];
}

interface OpenCard {
  readonly line: number;
  readonly properties: VCardProperty[];
  version: string | undefined;
  isTooLong: boolean;
}

const versions: readonly string[] = ['2.1', '3.0', '4.0'];

/**
 * Reads a file of cards in vCard 2.1, 3.0 or 4.0 (RFC 2426, RFC 6350). What is wrong in one card does not keep the others out: it is told
 * in `problems`.
 * @throws ProtocolError `malformed` for a file that is too large or holds no card at all.
 */
export function readVCards(bytes: Uint8Array): VCardFile {
  if (bytes.length > vcardLimits.octets) fail('too large', `at most ${vcardLimits.octets} octets`);
  const reader = new CardReader();
  for (const { number, octets } of logicalLines(bytes)) reader.line(number, octets);
  return reader.finish();
}

class CardReader {
  readonly #cards: VCard[] = [];
  readonly #problems: VCardProblem[] = [];
  #card: OpenCard | undefined;
  /** Cards inside the card (vCard 2.1 AGENT), which are passed over. */
  #nested = 0;
  #begun = 0;

  line(number: number, octets: Uint8Array | undefined): void {
    if (octets === undefined) {
      this.#tell(number, 'The line is too long');
      return;
    }
    let property: VCardProperty;
    try {
      property = parseProperty(octets);
    } catch (error) {
      assertProtocolError(error);
      this.#tell(number, error.kind === 'unsupported' ? 'The text is not in UTF-8' : 'The line cannot be read');
      return;
    }
    const { name, value } = property;
    if (name === 'BEGIN' && /^\s*vcard\s*$/i.test(value)) this.#begin(number);
    else if (name === 'END' && /^\s*vcard\s*$/i.test(value)) this.#end(number);
    else this.#add(number, property);
  }

  finish(): VCardFile {
    if (this.#card !== undefined) this.#tell(this.#card.line, 'The card has no end');
    if (this.#begun === 0) fail('no card', 'BEGIN:VCARD');
    return { cards: this.#cards, problems: this.#problems };
  }

  #begin(number: number): void {
    if (this.#card !== undefined) {
      this.#nested += 1;
      this.#tell(number, 'A card inside a card is not taken');
      return;
    }
    if (++this.#begun > vcardLimits.cards) fail('too many cards', `at most ${vcardLimits.cards}`);
    this.#card = { line: number, properties: [], version: undefined, isTooLong: false };
  }

  #end(number: number): void {
    if (this.#nested > 0) {
      this.#nested -= 1;
      return;
    }
    const card = this.#card;
    this.#card = undefined;
    if (card === undefined) {
      this.#tell(number, 'An end without a beginning');
      return;
    }
    const { version = '', properties, line } = card;
    if (isVersion(version)) this.#cards.push({ version, line, properties });
    else this.#tell(line, version === '' ? 'The card names no version' : 'The card is of a version that is not known');
  }

  #add(number: number, property: VCardProperty): void {
    const card = this.#card;
    if (this.#nested > 0) return;
    if (card === undefined) {
      this.#tell(number, 'A line outside every card');
    } else if (property.name === 'VERSION') {
      card.version ??= property.value.trim();
    } else if (card.properties.length < vcardLimits.propertiesPerCard) {
      card.properties.push(property);
    } else if (!card.isTooLong) {
      card.isTooLong = true;
      this.#tell(number, `The card has more than ${vcardLimits.propertiesPerCard} lines`);
    }
  }

  #tell(line: number, problem: string): void {
    if (this.#problems.length < vcardLimits.problems) this.#problems.push({ line, problem });
  }
}

function isVersion(text: string): text is VCard['version'] {
  return versions.includes(text);
}

function fail(problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field: 'vcard', expected });
}
