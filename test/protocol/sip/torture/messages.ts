import { readFileSync } from 'node:fs';
import { concatBytes, fromHex, utf8 } from '../../../../src/base/bytes.ts';

/**
 * The messages of RFC 4475 clause 3, octet by octet, from the text of the RFC beside this file (without its page breaks) and the
 * conventions of its clause 2. Two places follow the archive of its appendix A, which counts: the second empty line in `dblreq`, and
 * the host in the Via of `trws`.
 */
export const tortureMessages: ReadonlyMap<string, Uint8Array> = read(
  readFileSync(new URL('rfc4475.txt', import.meta.url), 'utf8'),
);

function read(text: string): ReadonlyMap<string, Uint8Array> {
  const blocks = text.split(/^Message Details : /m).slice(1);
  return new Map(
    blocks.map((block) => {
      const lineEnd = block.indexOf('\n');
      return [block.slice(0, lineEnd).trim(), expand(unfold(block.slice(lineEnd + 1)))];
    }),
  );
}

/** Clause 2.1: between these tags line ends do not count; everywhere else a line ends with CRLF. */
function unfold(text: string): string {
  const joined = text.replaceAll(
    /<allOneLine>\n(.*?)<\/allOneLine>\n/gs,
    (_, lines: string) => `${lines.replaceAll('\n', '')}\n`,
  );
  return joined.replaceAll(/<hex>([^<]*)<\/hex>/g, (tag) => tag.replaceAll('\n', '')).replaceAll('\n', '\r\n');
}

/** Clauses 2.2 and 2.3: octets in hexadecimal, and what is repeated. */
function expand(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  const tag = /<hex>([^<]*)<\/hex>|<repeat count=(\d+)>(.*?)<\/repeat>/gs;
  let at = 0;
  for (const { 0: whole, 1: hex, 2: count, 3: value = '', index } of text.matchAll(tag)) {
    parts.push(utf8(text.slice(at, index)));
    if (hex === undefined) parts.push(...Array.from({ length: Number(count) }, () => utf8(value)));
    else parts.push(fromHex(hex));
    at = index + whole.length;
  }
  return concatBytes(...parts, utf8(text.slice(at)));
}
