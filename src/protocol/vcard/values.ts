/** Text values (RFC 6350 section 3.4): `\\`, `\,`, `\;` and `\n`. */
export function unescapeText(value: string): string {
  return value.replace(/\\(.)/gs, (_, escaped: string) => (escaped === 'n' || escaped === 'N' ? '\n' : escaped));
}

export function escapeText(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[\\,;]/g, (character) => `\\${character}`)
    .replaceAll('\n', '\\n');
}

/** The components of a structured value such as N or ORG, each without its escapes. */
export function components(value: string, separator: ';' | ',' = ';'): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < value.length; at++) {
    if (value[at] === '\\') {
      part += value.slice(at, at + 2);
      at += 1;
    } else if (value[at] === separator) {
      parts.push(part);
      part = '';
    } else part += value.charAt(at);
  }
  parts.push(part);
  return parts.map(unescapeText);
}
