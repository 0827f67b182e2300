import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { ProtocolError } from '../../base/errors.ts';

const mappedPrefix = [0, 0, 0, 0, 0, 0xffff];
const maxForwardedHops = 32;

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const left = groupsOfPart(head);
  if (tail === undefined) return left;
  const right = groupsOfPart(tail);
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

function groupsOfPart(part: string): readonly number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/**
 * One form for each address: no zone, IPv6 in eight groups, an IPv4 address inside IPv6 as IPv4.
 * @returns `undefined` for what is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  const address = text.trim().replace(/%.*$/, '');
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return undefined;
  const groups = groupsOf(address);
  if (mappedPrefix.some((group, index) => groups[index] !== group)) {
    return groups.map((group) => group.toString(16)).join(':');
  }
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.');
}

/** What limits count by: an IPv4 address, or the /64 of an IPv6 address, since one host has all of that. */
export function limitKeyOf(address: string): string {
  const canonical = canonicalAddress(address) ?? 'unknown';
  return canonical.includes(':') ? `${canonical.split(':').slice(0, 4).join(':')}::/64` : canonical;
}

/** The load balancers whose word about a client's address is taken. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly isEmpty: boolean;

  /**
   * @param entries addresses or networks, for example `10.0.0.7` or `fd00:1::/64`
   * @throws ProtocolError `local` that names the entry which is neither.
   */
  constructor(entries: readonly string[], field = 'trustedProxies') {
    this.isEmpty = entries.length === 0;
    entries.forEach((entry, index) => {
      const [network = '', prefix, ...more] = entry.split('/');
      const family = isIP(network);
      const bits = prefix === undefined ? (family === 4 ? 32 : 128) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (family === 0 || more.length > 0 || bits < 0 || bits > (family === 4 ? 32 : 128)) {
        throw new ProtocolError('local', 'no address or network', {
          field: `${field}.${index}`,
          expected: 'for example 10.0.0.7 or fd00:1::/64',
        });
      }
      this.#list.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6');
    });
  }

  has(address: string): boolean {
    const canonical = canonicalAddress(address);
    return canonical !== undefined && this.#list.check(canonical, isIPv4(canonical) ? 'ipv4' : 'ipv6');
  }
}

/**
 * The client of a request: X-Forwarded-For read from its end as long as a trusted proxy wrote what is read, so that whatever
 * a client put in front of it counts for nothing.
 * @param connected who the connection comes from.
 */
export function forwardedAddress(connected: string, header: string, proxies: TrustedProxies): string {
  let believed = connected;
  const hops = header.split(',').slice(-maxForwardedHops);
  while (proxies.has(believed)) {
    const next = canonicalAddress(hops.pop() ?? '');
    if (next === undefined) break;
    believed = next;
  }
  return believed;
}
