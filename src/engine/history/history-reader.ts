import { ProtocolError } from '../../base/errors.ts';
import { limits } from '../limits.ts';
import { historyFormat } from './export-scope.ts';

/** What stands before the messages. */
export interface HistoryHeader {
  readonly exportedAt: number;
  readonly accounts: readonly { readonly id: string; readonly identity: string }[];
}

export type HistoryItem =
  | { readonly kind: 'header'; readonly header: HistoryHeader }
  /** `value`: whatever stands there. */
  | { readonly kind: 'message'; readonly value: unknown };

const headerCharacters = 16 * 1024 * 1024;
const field = 'history';
const marker = /"messages"\s*:\s*\[$/;

/** Takes an export apart as it is read, one message at a time. Everything is bounded. */
export class HistoryReader {
  #text = '';
  /** Brackets that are open in `#text`. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #place: 'header' | 'messages' | 'after' = 'header';
  #count = 0;

  /** @throws ProtocolError `malformed` or `unsupported`, for what is no such export. */
  *push(text: string): Generator<HistoryItem> {
    for (const character of text) {
      if (this.#place === 'after') return;
      const item = this.#place === 'header' ? this.#header(character) : this.#message(character);
      if (item !== undefined) yield item;
    }
  }

  /** @throws ProtocolError `malformed` for an export that was cut off. */
  end(): void {
    if (this.#place !== 'after') fail('malformed', 'cut off', 'the end of the messages');
  }

  #header(character: string): HistoryItem | undefined {
    this.#take(character, headerCharacters);
    if (this.#isInString || character !== '[' || this.#depth !== 2 || !marker.test(this.#text.slice(-40)))
      return undefined;
    const header = readHeader(parse(`${this.#text}]}`));
    this.#place = 'messages';
    this.#text = '';
    this.#depth = 0;
    return { kind: 'header', header };
  }

  #message(character: string): HistoryItem | undefined {
    if (this.#depth === 0 && !this.#isInString) {
      if (/[\s,]/.test(character)) return undefined;
      if (character === ']') {
        this.#place = 'after';
        return undefined;
      }
      if (character !== '{') fail('malformed', 'no message', 'an object');
    }
    this.#take(character, limits.importedMessageOctets);
    if (this.#depth > 0) return undefined;
    if (++this.#count > limits.importedMessages)
      fail('malformed', 'too many messages', `at most ${limits.importedMessages}`);
    const value = parse(this.#text);
    this.#text = '';
    return { kind: 'message', value };
  }

  #take(character: string, most: number): void {
    if (this.#text.length >= most) fail('malformed', 'too long', `at most ${most} characters`);
    this.#text += character;
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (character === '\\') this.#isEscaped = true;
      else if (character === '"') this.#isInString = false;
      return;
    }
    if (character === '"') this.#isInString = true;
    else if (character === '{' || character === '[') this.#depth += 1;
    else if (character === '}' || character === ']') this.#depth -= 1;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return fail('malformed', 'not JSON', 'an export of messages', cause);
  }
}

function readHeader(value: unknown): HistoryHeader {
  const { format, version, exportedAt, accounts } = (value ?? {}) as Record<string, unknown>;
  if (format !== historyFormat.format || typeof exportedAt !== 'number' || !Array.isArray(accounts)) {
    return fail('malformed', 'another document', 'an export of messages');
  }
  if (version !== historyFormat.version)
    return fail('unsupported', 'of another version', `version ${historyFormat.version}`);
  const known = accounts.flatMap((account: unknown) => {
    const { id, identity } = (account ?? {}) as Record<string, unknown>;
    return typeof id === 'string' && typeof identity === 'string' ? [{ id, identity }] : [];
  });
  return { exportedAt, accounts: known };
}

function fail(kind: 'malformed' | 'unsupported', problem: string, expected: string, cause?: unknown): never {
  throw new ProtocolError(kind, problem, { field, expected, ...(cause === undefined ? {} : { cause }) });
}
