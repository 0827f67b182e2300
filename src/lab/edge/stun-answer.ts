const headerOctets = 20;
const magicCookie = [0x21, 0x12, 0xa4, 0x42] as const;

/**
 * The answer to a STUN Binding request, which tells a UE how its address looks from here (RFC 5389 7.3.1, RFC 5626 4.4.2);
 * undefined for anything else, which gets none.
 */
export function answerStun(
  request: Uint8Array,
  { host, port }: { readonly host: string; readonly port: number },
): Uint8Array | undefined {
  const length = ((request[2] ?? 0) << 8) | (request[3] ?? 0);
  const isBinding = request[0] === 0 && request[1] === 1 && length % 4 === 0 && request.length === headerOctets + length;
  if (!isBinding || !magicCookie.every((octet, index) => request[4 + index] === octet)) return undefined;
  const address = host.split('.').map(Number);
  const xored = [port >> 8, port & 0xff, ...address].map(
    (octet, index) => octet ^ (index < 2 ? (magicCookie[index] ?? 0) : (magicCookie[index - 2] ?? 0)),
  );
  return Uint8Array.from([0x01, 0x01, 0, 12, ...request.subarray(4, headerOctets), 0, 0x20, 0, 8, 0, 1, ...xored]);
}
