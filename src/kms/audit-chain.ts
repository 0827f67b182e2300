import { concatBytes, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/digest.ts';

/** What is written down about one exchange or one act of an administrator. Names and digests; never a key. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `ticketrequest`, `ticketresolve`, or an administrator's command such as `user-disable`. */
  readonly action: string;
  readonly outcome: string;
  /** Main identity of the user who proved a key, or whom a command is about. */
  readonly user?: string;
  /** The identity that the user spoke under. */
  readonly asker?: string;
  /** Whom the ticket names. */
  readonly responders?: readonly string[];
  /** The KMS that issued the ticket, where that was another one. */
  readonly issuer?: string;
  /** SHA-256 of the Ticket Data in hexadecimal digits: the same when a ticket is granted and when it is resolved. */
  readonly ticket?: string;
  /** SHA-256 of the MIKEY message in hexadecimal digits. */
  readonly request?: string;
  /** Who gave an administrator's command: login name and host. */
  readonly operator?: string;
  /** Network address that the question came from. */
  readonly address?: string;
  /** Why it was not granted. */
  readonly reason?: string;
  /** How many refusals of unproven senders have no line of their own, since the last line that tells such a number. */
  readonly omitted?: number;
}

/** A line as it is kept: its text is what its hash covers. */
export interface AuditLine {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** One JSON object. */
  readonly text: string;
  /** SHA-256 of the previous line's hash and the text. */
  readonly hash: Uint8Array;
}

/** Stands for the whole chain up to a line. */
export interface AuditHead {
  readonly sequence: number;
  readonly hash: Uint8Array;
}

/** What the first line follows. */
export const chainStart: AuditHead = { sequence: 0, hash: new Uint8Array(32) };

const hashAfter = (previous: Uint8Array, text: string): Uint8Array => sha256(concatBytes(previous, utf8(text)));

/** The lines that follow `head`. */
export function chainLines(head: AuditHead, entries: readonly AuditEntry[]): readonly AuditLine[] {
  const lines: AuditLine[] = [];
  let previous = head;
  for (const { time, ...rest } of entries) {
    const sequence = previous.sequence + 1;
    const text = JSON.stringify({ sequence, time: new Date(time).toISOString(), ...rest });
    previous = { sequence, hash: hashAfter(previous.hash, text) };
    lines.push({ ...previous, text });
  }
  return lines;
}

/** Why a line cannot follow `previous`, or `undefined` when it does. */
export function brokenLink(previous: AuditHead, line: AuditLine): string | undefined {
  if (line.sequence !== previous.sequence + 1) return `line ${previous.sequence + 1} is missing`;
  const expected = hashAfter(previous.hash, line.text);
  if (!expected.every((octet, index) => octet === line.hash[index]) || line.hash.length !== expected.length) {
    return `line ${line.sequence} was changed, or a line before it`;
  }
  return statedSequence(line.text) === line.sequence ? undefined : `line ${line.sequence} states another number`;
}

function statedSequence(text: string): unknown {
  try {
    return (JSON.parse(text) as { readonly sequence?: unknown }).sequence;
  } catch {
    return undefined;
  }
}
