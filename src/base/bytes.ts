import { ProtocolError } from './errors.ts';

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function utf8(text: string): Uint8Array {
  // For the short ASCII lines of our protocols the encoder's call costs more than the work.
  if (text.length > 512) return utf8Encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return utf8Encoder.encode(text);
    bytes[index] = code;
  }
  return bytes;
}

/** @throws ProtocolError `malformed` when the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array, field = 'text'): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    const offset = validUtf8Octets(bytes);
    throw new ProtocolError('malformed', 'not UTF-8', { field, offset, expected: 'UTF-8 text', cause });
  }
}

/** Length of the longest beginning that some more octets could make UTF-8. */
function validUtf8Octets(bytes: Uint8Array): number {
  let valid = 0;
  for (let end = bytes.length; valid < end;) {
    const middle = Math.ceil((valid + end) / 2);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      end = middle - 1;
    }
  }
  return valid;
}

/** Decodes octets 0 to 127; anything above is refused with its offset. */
export function fromAscii(bytes: Uint8Array, field = 'text'): string {
  const offset = bytes.findIndex((octet) => octet > 0x7f);
  if (offset >= 0) throw new ProtocolError('malformed', 'octet above 127', { field, offset, expected: 'ASCII' });
  return utf8Decoder.decode(bytes);
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Compares public values. Secrets are compared with `constantTimeEqual` of src/crypto. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}

const hexPairs = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const octet of bytes) text += hexPairs[octet] ?? '';
  return text;
}

/** @throws ProtocolError `malformed` unless the text is an even number of hexadecimal digits. */
export function fromHex(text: string, field = 'hex'): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new ProtocolError('malformed', 'not hexadecimal', {
      field,
      expected: 'an even number of hexadecimal digits',
    });
  }
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(2 * index, 2 * index + 2), 16),
  );
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const base64Value = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value++) base64Value[base64Alphabet.charCodeAt(value)] = value;

export function toBase64(bytes: Uint8Array): string {
  const chunks: string[] = [];
  // String.fromCharCode takes its input as arguments: keep each call well below engine limits. Spread takes seven times as long.
  for (let offset = 0; offset < bytes.length; offset += 0x6000) {
    const codes = bytes.subarray(offset, offset + 0x6000);
    chunks.push(btoa(Reflect.apply(String.fromCharCode, undefined, codes) as string));
  }
  return chunks.join('');
}

/**
 * Strict RFC 4648 base64: padding required, no trailing bits. White space and line breaks are skipped.
 * @throws ProtocolError `malformed` with the offset of the first wrong character.
 */
export function fromBase64(text: string, field = 'base64'): Uint8Array {
  const out = new Uint8Array(Math.ceil((text.length * 3) / 4));
  let length = 0;
  let bits = 0;
  let held = 0;
  let symbols = 0;
  let padding = 0;
  const fail = (problem: string, offset: number): never => {
    throw new ProtocolError('malformed', problem, { field, offset, expected: 'base64 (RFC 4648)' });
  };
  for (let offset = 0; offset < text.length; offset++) {
    const code = text.charCodeAt(offset);
    if (code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a) continue;
    if (code === 0x3d) {
      padding++;
      continue;
    }
    const value = code < 128 ? (base64Value[code] ?? -1) : -1;
    if (value < 0 || padding > 0) fail('unexpected character', offset);
    symbols++;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[length++] = (held >> bits) & 0xff;
    }
  }
  if ((symbols + padding) % 4 !== 0 || padding > 2) fail('wrong length or padding', text.length);
  if (bits > 0 && (held & ((1 << bits) - 1)) !== 0) fail('unused bits set', text.length);
  return out.subarray(0, length);
}
