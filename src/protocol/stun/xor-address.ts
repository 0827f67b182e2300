import { ByteWriter } from '../../base/byte-writer.ts';
import { fromHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

/** Our address as the other side sees it. */
export interface MappedAddress {
  /** IPv4 with dots, or IPv6 in lower case with all eight groups, without leading zeros. */
  readonly host: string;
  readonly port: number;
}

const cookieOctets = Uint8Array.of(0x21, 0x12, 0xa4, 0x42);
const families = { ipv4: 1, ipv6: 2 } as const;

/** The value of XOR-MAPPED-ADDRESS (RFC 5389 15.2). @param offset of the value, for errors. @throws ProtocolError `malformed` */
export function readXorAddress(value: Uint8Array, transactionId: Uint8Array, offset: number): MappedAddress {
  const octets = value.subarray(4);
  const isIpv4 = value[1] === families.ipv4 && octets.length === 4;
  const isIpv6 = value[1] === families.ipv6 && octets.length === 16;
  if (!isIpv4 && !isIpv6) {
    const expected = 'family 1 with 4 octets or family 2 with 16';
    throw new ProtocolError('malformed', 'not an address', { field: 'stun.XOR-MAPPED-ADDRESS', offset, expected });
  }
  const port = (((value[2] ?? 0) ^ 0x21) << 8) | ((value[3] ?? 0) ^ 0x12);
  const plain = covered(octets, transactionId);
  return { host: isIpv4 ? plain.join('.') : groups(plain).join(':'), port };
}

/** @param address as in `MappedAddress`; an IPv6 address may also be shortened. */
export function writeXorAddress({ host, port }: MappedAddress, transactionId: Uint8Array): Uint8Array {
  const isIpv4 = !host.includes(':');
  const octets = isIpv4 ? Uint8Array.from(host.split('.'), Number) : ipv6Octets(host);
  return new ByteWriter()
    .u8(0)
    .u8(isIpv4 ? families.ipv4 : families.ipv6)
    .u16(port ^ 0x2112)
    .bytes(covered(octets, transactionId))
    .finish();
}

/** Exclusive-or with the magic cookie and, for what is longer, the transaction id; its own inverse. */
function covered(octets: Uint8Array, transactionId: Uint8Array): Uint8Array {
  return octets.map((octet, at) => octet ^ (cookieOctets[at] ?? transactionId[at - 4] ?? 0));
}

function groups(octets: Uint8Array): string[] {
  return Array.from({ length: 8 }, (_, at) => (((octets[2 * at] ?? 0) << 8) | (octets[2 * at + 1] ?? 0)).toString(16));
}

function ipv6Octets(host: string): Uint8Array {
  const [front = '', back] = host.split('::', 2);
  const before = front === '' ? [] : front.split(':');
  const after = back === undefined || back === '' ? [] : back.split(':');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return fromHex([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''));
}
