import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { encodeFrame } from './codec.ts';
import type { MsrpRequestHead } from './head.ts';
import type { IdSource } from './id-source.ts';
import { headerValues } from './relay-answer.ts';

/** RFC 7701 section 7.1: "MUST NOT be more than 1023 octets in length". */
const maxOctets = 1023;

/**
 * A nickname as RFC 7700 section 2.3 prepares it: blanks of every kind become one space, none at the ends, NFKC. '' is no
 * nickname, and gives one up (RFC 7701 section 7.3).
 * @throws ProtocolError `local` for control characters and for more than 1023 octets.
 */
export function prepareNickname(text: string): string {
  if (/\p{Cc}/u.test(text)) throw impossible('control character', 'text without control characters');
  const prepared = text
    .replaceAll(/\p{Zs}+/gu, ' ')
    .replaceAll(/^ | $/g, '')
    .normalize('NFKC');
  if (utf8(prepared).length > maxOctets) throw impossible('too long', `at most ${maxOctets} octets`);
  return prepared;
}

/** RFC 7700 section 2.4: compared without regard to case. */
export function sameNickname(a: string, b: string): boolean {
  return a.toLowerCase().normalize('NFKC') === b.toLowerCase().normalize('NFKC');
}

/** `"text"`, RFC 7701 section 7.1 with the quoting of RFC 4975 section 9. */
export function formatNickname(nickname: string): string {
  return `"${nickname.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** The nickname of a Use-Nickname value; undefined when it breaks the grammar. */
export function parseNickname(value: string): string | undefined {
  const quoted = /^"((?:[^"\\\p{Cc}]|\\["\\])*)"$/u.exec(value)?.[1];
  if (quoted === undefined) return undefined;
  const nickname = quoted.replaceAll(/\\(.)/g, '$1');
  return utf8(nickname).length > maxOctets ? undefined : nickname;
}

/** What a NICKNAME that came in asks for: a nickname, '' for none, or the status that refuses it (RFC 7701 section 7.1). */
export function readNicknameRequest({
  headers,
}: MsrpRequestHead): { readonly nickname: string } | { readonly status: 424 } {
  const [value, ...more] = headerValues(headers, 'Use-Nickname');
  const nickname = value === undefined || more.length > 0 ? undefined : parseNickname(value);
  return nickname === undefined ? { status: 424 } : { nickname };
}

export interface NicknameRequestsOptions {
  readonly localPath: string;
  readonly remotePath: readonly string[];
  readonly ids: IdSource;
  readonly waitMilliseconds: number;
}

/** NICKNAME requests of ours and the answers that they wait for. */
export class NicknameRequests {
  readonly #options: NicknameRequestsOptions;
  readonly #onAnswer: (nickname: string, status: number) => void;
  /** In the order of their deadlines, as all wait equally long. */
  readonly #waiting = new Map<string, { readonly nickname: string; readonly deadline: number }>();

  constructor(options: NicknameRequestsOptions, onAnswer: (nickname: string, status: number) => void) {
    this.#options = options;
    this.#onAnswer = onAnswer;
  }

  get deadline(): number | undefined {
    const [first] = this.#waiting.values();
    return first?.deadline;
  }

  /** The frame to write. RFC 7701 section 7.1: it has no Success-Report and no Failure-Report. @throws ProtocolError `local`. */
  request(text: string, now: number): Uint8Array {
    const { localPath, remotePath, ids, waitMilliseconds } = this.#options;
    const nickname = prepareNickname(text);
    const transactionId = ids.next();
    const other = [{ name: 'Use-Nickname', value: formatNickname(nickname) }];
    const headers = { toPath: remotePath, fromPath: [localPath], other };
    this.#waiting.set(transactionId, { nickname, deadline: now + waitMilliseconds });
    return encodeFrame({ head: { kind: 'request', transactionId, method: 'NICKNAME', headers }, flag: '$' });
  }

  /** False when the answer is not to a NICKNAME. */
  answered(transactionId: string, status: number): boolean {
    const waiting = this.#waiting.get(transactionId);
    if (waiting === undefined) return false;
    this.#waiting.delete(transactionId);
    this.#onAnswer(waiting.nickname, status);
    return true;
  }

  /** 408 for those that waited too long. */
  expire(now: number): void {
    for (const [id, { deadline }] of this.#waiting) {
      if (deadline > now) break;
      this.answered(id, 408);
    }
  }

  /** The session is over: 481 for all. */
  abandon(): void {
    for (const id of [...this.#waiting.keys()]) this.answered(id, 481);
  }
}

function impossible(problem: string, expected: string): ProtocolError {
  return new ProtocolError('local', problem, { field: 'msrp.Use-Nickname', expected });
}
