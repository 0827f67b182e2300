const maxOctets = 180;
/** Devices that Windows takes for any name beginning so, whatever its ending. */
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;
/** Forbidden on some file system: folders, drives, wildcards, quotes, pipes. */
const forbidden = /[/\\:*?"<>|]/g;
/** Controls, and characters that change the direction or are not seen, so that a name could lie about its ending. */
const invisible = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/**
 * A name under which a file that a stranger sent can be stored on any file system: no folder, no hidden file, no
 * device, no character that shows another name than there is, at most 180 octets in UTF-8. Its ending stays.
 */
export function safeFileName(name: string): string {
  const plain = name.toWellFormed().normalize('NFC').replace(invisible, '').replace(forbidden, '_');
  const trimmed = plain.replace(/^[.\s]+|[.\s]+$/g, '').replace(/\s+/g, ' ');
  const shortened = shorten(trimmed === '' ? 'file' : trimmed);
  return reserved.test(shortened) ? `_${shortened}` : shortened;
}

/** The n-th name for a file whose name is taken: `report (2).pdf`. */
export function numberedFileName(name: string, number: number): string {
  const { base, ending } = split(name);
  return shorten(`${base} (${number})${ending}`);
}

function split(name: string): { readonly base: string; readonly ending: string } {
  const dot = name.lastIndexOf('.');
  const ending = dot > 0 ? name.slice(dot) : '';
  // What is long after a dot is no ending but part of a sentence.
  return ending.length > 0 && ending.length <= 16 ? { base: name.slice(0, dot), ending } : { base: name, ending: '' };
}

function shorten(name: string): string {
  const { base, ending } = split(name);
  let kept = base;
  while (Buffer.byteLength(kept + ending) > maxOctets) kept = Array.from(kept).slice(0, -1).join('');
  return kept.replace(/[.\s]+$/, '') + ending;
}
