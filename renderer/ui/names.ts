/** Addresses as people read them. Nothing here decides whether an address is right: the engine does. */

/** The name part of a SIP address: `bob` of `sip:bob@lab.test`. */
export function shortName(uri: string): string {
  const address = plainAddress(uri);
  const at = address.lastIndexOf('@');
  return at > 0 ? decode(address.slice(0, at)) : address;
}

/** The address without scheme and parameters: `bob@lab.test`. */
export function plainAddress(uri: string): string {
  return uri.replace(/^sips?:/i, '').replace(/[;?].*$/, '');
}

/** What a user typed, as a SIP address; undefined when it cannot be one. A bare name belongs to `domain`. */
export function completeAddress(typed: string, domain: string): string | undefined {
  const text = typed.trim();
  if (text === '' || /[\s<>"]/.test(text)) return undefined;
  if (/^tel:\+?[\d().-]+$/i.test(text)) return text;
  const withScheme = /^sips?:/i.test(text) ? text : `sip:${text}`;
  if (/^sips?:[^@:]+$/i.test(withScheme)) return `${withScheme}@${domain}`;
  return /^sips?:[^@]+@[^@]+$/i.test(withScheme) ? withScheme : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
