/** RFC 7118 clause 5.2: there is no `wss` in a URI. */
export function contactTransport(protocol: string): string {
  return protocol === 'wss' ? 'ws' : protocol;
}

/** Addresses as systems write them: with a zone, or an IPv4 one in the form of IPv6. */
export function hasAddress(present: readonly string[], address: string): boolean {
  const plain = (text: string): string =>
    text
      .replace(/%.*$/, '')
      .replace(/^::ffff:/i, '')
      .toLowerCase();
  return present.some((each) => plain(each) === plain(address));
}
