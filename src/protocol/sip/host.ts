import { ProtocolError } from '../../base/errors.ts';

export type Host =
  { readonly kind: 'name'; readonly name: string } | { readonly kind: 'address'; readonly address: string };

/** RFC 1035 2.3.4. */
const maxNameOctets = 253;
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/i;

/**
 * Host of a SIP URI or a setting (RFC 3261 25.1): a name, an IPv4 address, or an IPv6 address with or without its brackets.
 * A name comes back in lower case and without its last dot.
 * @param field names the setting in errors. @throws ProtocolError `local`
 */
export function readHost(text: string, field: string): Host {
  const inner = /^\[([^\]]*)\]$/.exec(text)?.[1];
  if (inner !== undefined || text.includes(':')) {
    const address = inner ?? text;
    if (isIpv6(address)) return { kind: 'address', address };
  } else if (/^[0-9.]+$/.test(text)) {
    if (isIpv4(text)) return { kind: 'address', address: text };
  } else {
    const name = text.replace(/\.$/, '').toLowerCase();
    if (name.length <= maxNameOctets && name.split('.').every((part) => label.test(part)))
      return { kind: 'name', name };
  }
  throw new ProtocolError('local', 'not a host', { field, expected: 'a domain, a host name or an IP address' });
}

export function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}

/** RFC 4291 2.2, with a zone (RFC 4007 11) where there is one. */
export function isIpv6(text: string): boolean {
  const [address = '', zone] = text.split('%', 2);
  if (zone !== undefined && !/^[a-z0-9_.-]{1,32}$/i.test(zone)) return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1)?.at(-1);
  const endsInIpv4 = last?.includes('.') === true;
  if (endsInIpv4 && (!isIpv4(last) || groups.flat().length < 2)) return false;
  const plain = endsInIpv4 ? groups.flat().slice(0, -1) : groups.flat();
  if (!plain.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  const count = plain.length + (endsInIpv4 ? 2 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}
