import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { VCardProperty } from './property.ts';

/** Octets of a line without its end (RFC 6350 section 3.2). */
const lineOctets = 75;
const field = 'vcard.property';

/**
 * One card in vCard 4.0 (RFC 6350). The values are written as they are: texts have to be escaped before (`escapeText`).
 * @throws ProtocolError `local` for what no line can hold.
 */
export function writeVCard(properties: readonly VCardProperty[]): string {
  const lines = ['BEGIN:VCARD', 'VERSION:4.0', ...properties.map(lineOf), 'END:VCARD'];
  return lines.map((line) => `${fold(line)}\r\n`).join('');
}

function lineOf({ group, name, parameters, value }: VCardProperty): string {
  if (/[\r\n]/.test(value)) refuse('a line break in a value', 'an escaped text');
  const written = [...parameters].map(([key, values]) => `;${key}=${values.map(parameterValue).join(',')}`);
  return `${group === undefined ? '' : `${group}.`}${name}${written.join('')}:${value}`;
}

/** RFC 6350 section 3.3, RFC 6868. */
function parameterValue(value: string): string {
  if (/[\p{Cc}]/u.test(value.replace(/[\n\t]/g, ''))) refuse('a control character', 'a text');
  const escaped = value.replace(/[\n"^]/g, (character) =>
    character === '\n' ? '^n' : character === '"' ? "^'" : '^^',
  );
  return /[,;:\t ]/.test(escaped) ? `"${escaped}"` : escaped;
}

/** Folds between characters, so that every line is UTF-8 for itself. */
function fold(line: string): string {
  if (utf8(line).length <= lineOctets) return line;
  const lines: string[] = [];
  let current = '';
  let octets = 0;
  for (const character of line) {
    const length = utf8(character).length;
    if (octets + length > lineOctets) {
      lines.push(current);
      // The space that marks the fold counts.
      [current, octets] = [' ', 1];
    }
    current += character;
    octets += length;
  }
  return [...lines, current].join('\r\n');
}

function refuse(problem: string, expected: string): never {
  throw new ProtocolError('local', problem, { field, expected });
}
