/**
 * SIP.js cannot parse tel URIs in From and To (and drops the whole message), so inside it a tel URI is a sip URI at a
 * host that cannot exist. The mapping needs no memory: the number with its parameters is the escaped user part.
 */
const telHost = 'tel.invalid';

const telUri = /\btel:([^\s<>"]+)/gi;
const hiddenTelUri = new RegExp(`\\bsip:([^\\s<>"@]+)@${telHost.replace('.', '\\.')}`, 'gi');

/** For one URI, or a header value with `name <URI>;parameters`. */
export function hideTelUris(text: string): string {
  // Without brackets, parameters after the number belong to the header (RFC 3261 clause 20.10): keep them outside.
  if (!text.includes('<')) {
    return text.replace(/^(\s*)tel:([^\s;]+)/i, (_, space: string, number: string) => `${space}${hide(number)}`);
  }
  return text.replace(/<[^<>]*>/g, (bracketed) => bracketed.replace(telUri, (_, number: string) => hide(number)));
}

export function showTelUris(text: string): string {
  return text.replace(hiddenTelUri, (whole, user: string) => {
    const number = decode(user);
    // Only what `hideTelUris` can have written: a peer's own address at this host stays as it is.
    return number !== undefined && /^[^\s<>"]+$/.test(number) && hide(number) === whole ? `tel:${number}` : whole;
  });
}

function hide(number: string): string {
  return `sip:${encodeURIComponent(number)}@${telHost}`;
}

function decode(user: string): string | undefined {
  try {
    return decodeURIComponent(user);
  } catch {
    return undefined;
  }
}
