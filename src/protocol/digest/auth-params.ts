import { ProtocolError } from '../../base/errors.ts';

/** The scheme of an authentication header and its parameters, names in lower case, quotes removed. */
export interface AuthParams {
  /** Lower case, for example `digest`; '' for headers without a scheme (Authentication-Info). */
  readonly scheme: string;
  readonly values: ReadonlyMap<string, string>;
}

const maxLength = 8 * 1024;
const maxParams = 32;
const parameter = /^\s*([!%*+\-.`'~\w]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*(?:,|$)/;

/**
 * Reads `Digest realm="...", nonce="..."` (RFC 7616 clause 3.3) or, with `hasScheme` false, the bare list.
 * @throws ProtocolError `malformed` with the offset in the header value.
 */
export function readAuthParams(text: string, field: string, hasScheme = true): AuthParams {
  if (text.length > maxLength) fail(field, maxLength, 'too long', `at most ${maxLength} characters`);
  const [start = '', scheme = ''] = hasScheme ? (/^\s*([!%*+\-.`'~\w]+)\s+/.exec(text) ?? []) : [];
  if (hasScheme && scheme === '') fail(field, 0, 'no scheme', 'a scheme and its parameters');
  const values = new Map<string, string>();
  for (let offset = start.length; offset < text.length;) {
    const [whole, name, quoted, bare] = parameter.exec(text.slice(offset)) ?? [];
    if (whole === undefined || name === undefined) return fail(field, offset, 'not a parameter', 'name=value');
    const key = name.toLowerCase();
    if (values.has(key)) fail(field, offset, 'parameter given twice', 'each parameter once');
    if (values.size === maxParams) fail(field, offset, 'too many parameters', `at most ${maxParams}`);
    values.set(key, quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1'));
    offset += whole.length;
  }
  return { scheme: scheme.toLowerCase(), values };
}

/** `"text"` with quotes and backslashes escaped (RFC 3261 clause 25.1). @throws ProtocolError `local` on control characters. */
export function quoted(text: string, field: string): string {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    throw new ProtocolError('local', 'control character', { field, expected: 'printable text' });
  }
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function fail(field: string, offset: number, problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field, offset, expected, hint: { sip: 400 } });
}
