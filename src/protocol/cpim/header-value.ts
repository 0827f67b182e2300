import { ProtocolError } from '../../base/errors.ts';
import type { CpimAddress } from './cpim-message.ts';

const shortEscapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r' };
const shortEscapeOf: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};

/** RFC 3862 2.3.1: backslash and control characters, and nothing else. */
export function escapeValue(text: string): string {
  return text.replaceAll(
    /[\\\p{Cc}]/gu,
    (character) => shortEscapeOf[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** RFC 3862 2.3.1: an unknown escape stands for the character after the backslash; a last lone backslash for nothing. */
export function unescapeValue(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.)|$)/gsu, (_all, code: string | undefined, other = '') =>
    code === undefined ? (shortEscapes[other as string] ?? (other as string)) : String.fromCharCode(parseInt(code, 16)),
  );
}

/** The display name always as a quoted String, which any reader takes. @throws ProtocolError `local` for no URI */
export function formatAddress({ uri, displayName }: CpimAddress): string {
  if (!/^[a-zA-Z][a-zA-Z0-9+.-]*:[^<>\s\p{Cc}\\]+$/u.test(uri)) {
    throw new ProtocolError('local', 'not a URI', { field: 'cpim.address', expected: 'an absolute URI' });
  }
  if (displayName === undefined) return `<${uri}>`;
  return `"${escapeValue(displayName).replaceAll('"', '\\"')}" <${uri}>`;
}

/** Reads `[Formal-name] "<" URI ">"` (RFC 3862 4.1) from the raw value; `undefined` when it is none. */
export function parseAddress(raw: string): CpimAddress | undefined {
  const text = raw.trimEnd();
  const open = text.lastIndexOf('<');
  const [, uri] = /^<([^<>\s]+)>$/.exec(text.slice(Math.max(open, 0))) ?? [];
  if (uri === undefined) return undefined;
  const name = text.slice(0, open).trimEnd();
  const displayName = unescapeValue(/^"(.*)"$/su.exec(name)?.[1] ?? name);
  return displayName === '' ? { uri } : { uri, displayName };
}
