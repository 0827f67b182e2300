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
  /** Brackets that are open. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #place: 'header' | 'messages' | 'after' = 'header';
  #messages = 0;

  /** @throws ProtocolError `malformed` or `unsupported`, for what is no such export. */
  *push(text: string): Generator<HistoryItem> {
    /** What of `text` is not in `#text` yet begins here. */
    let start = 0;
    for (let at = 0; at < text.length && this.#place !== 'after'; at++) {
      const character = text.charAt(at);
      if (this.#place === 'messages' && this.#depth === 0 && !this.#begins(character)) {
        start = at + 1;
        continue;
      }
      this.#count(character);
      if (!this.#isWhole(character)) continue;
      const whole = this.#taken(text.slice(start, at + 1));
      start = at + 1;
      const item = this.#place === 'header' ? this.#header(whole) : this.#message(whole);
      if (item !== undefined) yield item;
    }
    if (this.#place !== 'after') this.#text = this.#taken(text.slice(start));
  }

  /** @throws ProtocolError `malformed` for an export that was cut off. */
  end(): void {
    if (this.#place !== 'after') fail('malformed', 'cut off', 'the end of the messages');
  }

  /** Between messages. */
  #begins(character: string): boolean {
    if (character === ']') this.#place = 'after';
    else if (character === '{') return true;
    else if (!/[\s,]/.test(character)) fail('malformed', 'no message', 'an object');
    return false;
  }

  /** The header ends with a list that is a member of the document, a message with its brackets. */
  #isWhole(character: string): boolean {
    if (this.#isInString) return false;
    return this.#place === 'header' ? character === '[' && this.#depth === 2 : this.#depth === 0;
  }

  /** Undefined for another list than that of the messages. */
  #header(whole: string): HistoryItem | undefined {
    if (!marker.test(whole.slice(-40))) {
      this.#text = whole;
      return undefined;
    }
    const header = readHeader(parse(`${whole}]}`));
    this.#place = 'messages';
    this.#text = '';
    this.#depth = 0;
    return { kind: 'header', header };
  }

  #message(whole: string): HistoryItem {
    this.#messages += 1;
    if (this.#messages > limits.importedMessages) {
      fail('malformed', 'too many messages', `at most ${limits.importedMessages}`);
    }
    this.#text = '';
    return { kind: 'message', value: parse(whole) };
  }

  #taken(more: string): string {
    const most = this.#place === 'header' ? headerCharacters : limits.importedMessageOctets;
    if (this.#text.length + more.length > most) fail('malformed', 'too long', `at most ${most} characters`);
    return this.#text + more;
  }

  /** Follows strings and brackets. */
  #count(character: string): void {
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
