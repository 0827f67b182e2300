import type { IncomingMessage } from 'node:http';
import { concatBytes, fromAscii, fromBase64 } from '../../base/bytes.ts';
import { profile } from '../../protocol/profile.ts';

const rawMikeyVersion = 1;

/** `undefined` when the body is longer than any message. Rejects when it is cut off. */
export async function readBody(message: IncomingMessage): Promise<Uint8Array | undefined> {
  const announced = Number(message.headers['content-length'] ?? 0);
  if (announced > profile.kms.maxBodyOctets) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > profile.kms.maxBodyOctets) return undefined;
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

/**
 * Profile 6.1: base64 or the octets themselves; a MIKEY message begins with its version, which base64 never does.
 * @throws ProtocolError `malformed` when it is neither.
 */
export function decodeBody(body: Uint8Array): { readonly message: Uint8Array; readonly isBase64: boolean } {
  if (body[0] === rawMikeyVersion) return { message: body, isBase64: false };
  return { message: fromBase64(fromAscii(body, 'kms.body'), 'kms.body'), isBase64: true };
}

/** The media type of a message, without its parameters. */
export function mediaTypeOf(message: IncomingMessage): string | undefined {
  return message.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
}
