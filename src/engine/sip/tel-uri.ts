import { fromHex, fromUtf8, toHex, utf8 } from '../../base/bytes.ts';

/**
 * SIP.js cannot parse tel URIs in From and To (and drops the whole message), so inside it a tel URI is a sip URI at a
 * host that cannot exist. The mapping needs no memory: the user part is the number with its parameters in hexadecimal,
 * which SIP.js, unlike percent escapes, leaves as it is.
 */
const telHost = 'tel.invalid';
const hidden = new RegExp(`\\bsip:([0-9a-f]{2,400})@${telHost.replace('.', '\\.')}`, 'gi');

/** For a URI alone. */
export function hideTelUri(uri: string): string {
  return uri.replace(/^tel:([^\s<>"]+)$/i, (_, number: string) => hide(number));
}

/** For a header value, `name <URI>;parameters` or `URI;parameters`. */
export function hideTelUris(value: string): string {
  // Without brackets, what follows the number belongs to the header (RFC 3261 clause 20.10).
  if (!value.includes('<')) {
    return value.replace(/^(\s*)tel:([^\s;"]+)/i, (_, space: string, number: string) => `${space}${hide(number)}`);
  }
  return value.replace(/<(tel:[^<>]*)>/gi, (_, uri: string) => `<${hideTelUri(uri)}>`);
}

/** Undoes both. An address of a peer at this host that `hideTelUri` cannot have written stays as it is. */
export function showTelUris(text: string): string {
  return text.replace(hidden, (whole, user: string) => {
    const number = decode(user);
    return number !== undefined && /^[^\s<>"]+$/.test(number) ? `tel:${number}` : whole;
  });
}

function hide(number: string): string {
  return `sip:${toHex(utf8(number))}@${telHost}`;
}

function decode(user: string): string | undefined {
  try {
    return fromUtf8(fromHex(user));
  } catch {
    return undefined;
  }
}
