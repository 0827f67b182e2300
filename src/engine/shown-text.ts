import { ProtocolError } from '../base/errors.ts';
import { decodeMultipart, parseMediaType } from '../protocol/mime/index.ts';
import { headerValue, type MimeEntity } from '../protocol/mime-entity.ts';
import { plainOf, unsupportedContent } from './text-content.ts';

const maxNesting = 3;

/**
 * The text of a body that is text, or holds text (RFC 2046 5.1.3 and 5.1.4): of alternatives the last that is text; of a mixture
 * all parts, which must be text. Of what is signed (RFC 1847 2.1) the first part: the signature is not checked and adds nothing
 * to what is claimed.
 * @throws ProtocolError `unsupported` (hint SIP 415) for anything else, `malformed` for what is broken
 */
export function shownText(contentType: string, body: Uint8Array, depth = 0): string {
  const mediaType = parseMediaType(contentType);
  if (depth < maxNesting && mediaType.type === 'multipart/mixed') {
    return decodeMultipart(mediaType, body)
      .map((part) => shownText(typeOf(part), part.body, depth + 1))
      .join('\n\n');
  }
  if (depth < maxNesting && mediaType.type === 'multipart/alternative') {
    for (const part of decodeMultipart(mediaType, body).reverse()) {
      const text = tryTextOf(part, depth + 1);
      if (text !== undefined) return text;
    }
  }
  if (depth < maxNesting && mediaType.type === 'multipart/signed') {
    const [content] = decodeMultipart(mediaType, body);
    if (content !== undefined) return shownText(typeOf(content), content.body, depth + 1);
  }
  if (mediaType.type !== 'text/plain') throw unsupportedContent(mediaType.type);
  return plainOf(contentType, body);
}

function tryTextOf(part: MimeEntity, depth: number): string | undefined {
  try {
    return shownText(typeOf(part), part.body, depth);
  } catch (error) {
    if (error instanceof ProtocolError && error.kind === 'unsupported') return undefined;
    throw error;
  }
}

/** RFC 2046 5.1: a part without a type is plain text. */
function typeOf(part: MimeEntity): string {
  return headerValue(part.headers, 'Content-Type') ?? 'text/plain';
}
