/** Only CR, LF and NUL, or nothing: a keep-alive, no message (some servers send four zero octets over UDP). */
export function isLineEnds(bytes: Uint8Array): boolean {
  return bytes.every((octet) => octet === 0x0d || octet === 0x0a || octet === 0x00);
}
