import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { attribute, attributeLine, attributeValues } from './edit.ts';
import type { MediaSection, SdpLine } from './session-description.ts';

/** A hash of a whole file: lower-case name, upper-case hexadecimal pairs joined by colons. */
export interface FileHash {
  /** `sha-1` is what RFC 5547 demands; `sha-256` is offered beside it. */
  readonly algorithm: string;
  readonly value: string;
}

/** `a=file-selector`: what names one file (RFC 5547 section 5); any part may be missing, not all. */
export interface FileSelector {
  /** As the far end gave it, percent-escapes undone: never a path to be trusted. */
  readonly name?: string;
  /** Octets, without any wrapper. */
  readonly size?: number;
  /** Media type in lower case, with parameters as written. */
  readonly type?: string;
  readonly hashes: readonly FileHash[];
}

/** `a=file-range`: octets of the file counted from 1, both inclusive; without `stop` to its end. */
export interface FileRange {
  readonly start: number;
  readonly stop?: number;
}

/** RFC 5322 dates with numeric zones, as written. */
export interface FileDates {
  readonly creation?: string;
  readonly modification?: string;
  readonly read?: string;
}

/** The attributes of one file transfer (RFC 5547 section 6). */
export interface FileTransfer {
  /** Undefined for a capability answer, which has the attribute without a selector (section 8.5). */
  readonly selector: FileSelector | undefined;
  /** Undefined for a peer that leaves it out, which section 8.1 forbids. */
  readonly transferId: string | undefined;
  /** Section 7: `render` when absent. */
  readonly disposition: string;
  readonly dates: FileDates;
  /** Content-ID of the preview, without `cid:`. */
  readonly icon: string | undefined;
  readonly range: FileRange | undefined;
}

const maxNameOctets = 1024;
const maxHashes = 8;
const maxSize = Number.MAX_SAFE_INTEGER;
const hashOctets: Readonly<Record<string, number>> = { 'sha-1': 20, 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 };
const token = /^[!#$%&'*+.^_`{|}~0-9A-Za-z-]+$/;

/** True for a media section that speaks of a file; a bare attribute says only that files are understood (section 8.5). */
export function isFileTransfer(section: MediaSection): boolean {
  return (attribute(section.lines, 'file-selector') ?? '').trim() !== '';
}

/**
 * Undefined when the section does not speak of a file.
 * @throws ProtocolError `malformed`, hint SIP 488, with the attribute's name.
 */
export function readFileTransfer(section: MediaSection): FileTransfer | undefined {
  const { lines } = section;
  const selector = attribute(lines, 'file-selector');
  if (selector === undefined) return undefined;
  const transferId = attribute(lines, 'file-transfer-id')?.trim();
  if (transferId !== undefined && !token.test(transferId)) refuse('file-transfer-id', 'not a token', 'a token');
  const disposition = attribute(lines, 'file-disposition')?.trim().toLowerCase() ?? 'render';
  if (!token.test(disposition)) refuse('file-disposition', 'not a token', 'render or attachment');
  return {
    selector: selector.trim() === '' ? undefined : readSelector(selector),
    transferId,
    disposition,
    dates: readDates(attribute(lines, 'file-date')),
    icon: readIcon(attribute(lines, 'file-icon')),
    range: readRange(attributeValues(lines, 'file-range')[0]),
  };
}

/** The attribute lines, in the order of the examples of RFC 5547. @throws ProtocolError `local` for impossible values. */
export function fileTransferLines(transfer: FileTransfer): SdpLine[] {
  const { selector, transferId, disposition, dates, icon, range } = transfer;
  const lines = [attributeLine('file-selector', selector === undefined ? undefined : formatSelector(selector))];
  if (transferId !== undefined) lines.push(attributeLine('file-transfer-id', transferId));
  if (disposition !== 'render') lines.push(attributeLine('file-disposition', disposition));
  const written = Object.entries(dates).map(([name, date]) => `${name}:"${String(date)}"`);
  if (written.length > 0) lines.push(attributeLine('file-date', written.join(' ')));
  if (icon !== undefined) lines.push(attributeLine('file-icon', `cid:${icon}`));
  if (range !== undefined) lines.push(attributeLine('file-range', `${range.start}-${range.stop ?? '*'}`));
  return lines;
}

/** RFC 5547 section 8.5: says that files are understood here, without speaking of one. */
export const fileCapabilityLine: SdpLine = attributeLine('file-selector');

function readSelector(text: string): FileSelector {
  const selector: { name?: string; size?: number; type?: string; hashes: FileHash[] } = { hashes: [] };
  for (const part of splitOutsideQuotes(text)) {
    const colon = part.indexOf(':');
    const name = part.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = part.slice(colon + 1);
    if (name === 'name') selector.name = once(selector.name, readName(value));
    else if (name === 'size') selector.size = once(selector.size, readNumber(value, 'file-selector'));
    else if (name === 'type') selector.type = once(selector.type, readType(value));
    else if (name === 'hash') selector.hashes.push(readHash(value));
    else refuse('file-selector', 'unknown selector', 'name, size, type or hash');
    if (selector.hashes.length > maxHashes) refuse('file-selector', 'too many hashes', `at most ${maxHashes}`);
  }
  return selector;
}

function once<Value>(before: Value | undefined, value: Value): Value {
  if (before !== undefined) refuse('file-selector', 'a selector stands twice', 'each but hash once');
  return value;
}

/** Spaces separate selectors, except inside the quotes of a name or of a parameter of the type. */
function splitOutsideQuotes(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  let isQuoted = false;
  for (const character of text.trim()) {
    if (character === '"') isQuoted = !isQuoted;
    if (character === ' ' && !isQuoted) {
      if (part !== '') parts.push(part);
      part = '';
    } else part += character;
  }
  if (isQuoted) refuse('file-selector', 'a quote is not closed', '"');
  if (part !== '') parts.push(part);
  return parts;
}

function readName(value: string): string {
  const quoted = /^"([^"]+)"$/.exec(value)?.[1];
  if (quoted === undefined) refuse('file-selector', 'not a name', 'name:"..."');
  return unescapeName(quoted);
}

function unescapeName(text: string): string {
  const octets: number[] = [];
  const bytes = utf8(text);
  if (bytes.length > 3 * maxNameOctets) refuse('file-selector', 'name too long', `at most ${maxNameOctets} octets`);
  for (let index = 0; index < bytes.length; index++) {
    const octet = bytes[index] ?? 0;
    if (octet !== 0x25) {
      octets.push(octet);
      continue;
    }
    const digits = String.fromCharCode(...bytes.subarray(index + 1, index + 3));
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) refuse('file-selector', 'broken percent-escape', '% and two digits');
    octets.push(Number.parseInt(digits, 16));
    index += 2;
  }
  if (octets.length > maxNameOctets) refuse('file-selector', 'name too long', `at most ${maxNameOctets} octets`);
  try {
    return fromUtf8(Uint8Array.from(octets));
  } catch {
    return refuse('file-selector', 'name is not UTF-8', 'UTF-8');
  }
}

function readType(value: string): string {
  const match = /^([!#$&^_.+0-9A-Za-z-]+\/[!#$&^_.+0-9A-Za-z-]+)((?:;[^\s;]+="[^"]*")*)$/.exec(value);
  if (match?.[1] === undefined) refuse('file-selector', 'not a media type', 'type:image/png');
  return match[1].toLowerCase() + (match[2] ?? '');
}

function readHash(value: string): FileHash {
  const [, algorithm, digits] = /^([^:\s]+):([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)$/.exec(value) ?? [];
  if (algorithm === undefined || digits === undefined) refuse('file-selector', 'not a hash', 'hash:sha-1:...');
  const known = hashOctets[algorithm.toLowerCase()];
  if (known !== undefined && digits.length !== 3 * known - 1)
    refuse('file-selector', 'hash too short or long', 'all of it');
  if (digits.length > 3 * 64) refuse('file-selector', 'hash too long', 'at most 64 octets');
  return { algorithm: algorithm.toLowerCase(), value: digits.toUpperCase() };
}

function readDates(value: string | undefined): FileDates {
  if (value === undefined) return {};
  const dates: { creation?: string; modification?: string; read?: string } = {};
  for (const part of splitOutsideQuotes(value)) {
    const [, name, date] = /^(creation|modification|read):"([^"]{1,64})"$/i.exec(part) ?? [];
    if (name === undefined || date === undefined) refuse('file-date', 'not a date', 'creation:"..."');
    dates[name.toLowerCase() as keyof FileDates] = date;
  }
  return dates;
}

function readIcon(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const contentId = /^cid:([^\s<>"]{1,256})$/i.exec(value.trim())?.[1];
  return contentId ?? refuse('file-icon', 'not a Content-ID URL', 'cid:...');
}

function readRange(value: string | undefined): FileRange | undefined {
  if (value === undefined) return undefined;
  const [, first, last] = /^(\d+)-(\d+|\*)$/.exec(value.trim()) ?? [];
  if (first === undefined || last === undefined) refuse('file-range', 'not a range', '1-1000 or 1-*');
  const start = readNumber(first, 'file-range');
  if (start < 1) refuse('file-range', 'begins before the file', '1 or more');
  if (last === '*') return { start };
  const stop = readNumber(last, 'file-range');
  if (stop < start) refuse('file-range', 'ends before it begins', 'start-stop');
  return { start, stop };
}

function readNumber(text: string, name: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= maxSize)) refuse(name, 'not a number of octets', 'decimal digits');
  return number;
}

function formatSelector({ name, size, type, hashes }: FileSelector): string {
  const parts: string[] = [];
  if (name !== undefined) parts.push(`name:"${escapeName(name)}"`);
  if (type !== undefined) parts.push(`type:${type}`);
  if (size !== undefined) parts.push(`size:${size}`);
  for (const { algorithm, value } of hashes) parts.push(`hash:${algorithm}:${value}`);
  if (parts.length === 0) {
    throw new ProtocolError('local', 'selects nothing', {
      field: 'sdp.file-selector',
      expected: 'a name, size or hash',
    });
  }
  return parts.join(' ');
}

/** Section 6: quotes, percent, line ends and what may read as a folder "MUST be percent-encoded". */
function escapeName(name: string): string {
  const escaped = (character: string): string =>
    character < ' ' || '\x7f"%/\\:'.includes(character)
      ? `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
      : character;
  return Array.from(name, escaped).join('');
}

function refuse(attributeName: string, problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field: `sdp.${attributeName}`, expected, hint: { sip: 488 } });
}
